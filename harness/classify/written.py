"""The files of a classify run beside its journals: results, classes and errors as tables, pictures.

results.json      every figure, how it was measured, and what training took
history.json      the training's own, where the candidate's checkpoint has one
per_class.csv     precision, recall, F1 and support of every label, with intervals
errors.csv        every wrong item: text, label, prediction, confidence
thresholded.jsonl predictions with thresholds for rare classes, where the suite wants any
confusion.png, reliability.png
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.checkpoints.spent import together
from harness.classify.collect import Classified
from harness.classify.summary import ClassifySummary
from harness.classify.wrong import lettered, wrong_of
from harness.errors import InputError
from harness.folder import as_json, write_whole
from harness.models.encoder.asking import members_of
from harness.records import PredictionRecord
from harness.report.numerals import brief, listed, plural, storage
from harness.tasks.values import Item

RESULTS, HISTORY, CLASSES, ERRORS, THRESHOLDED = (
    "results.json", "history.json", "per_class.csv", "errors.csv", "thresholded.jsonl"
)  # fmt: skip
HOLDERS = {"process": "process", "process_lifetime": "process, since it began", "cuda": "GPU"}
# A cell that begins with one of these is a formula to a spreadsheet, whatever was meant.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_files(run: Path, made: Classified, items: Sequence[Item], training: Mapping[str, Any] | None) -> None:
    """Write everything but the reports. Raises RunStopped where the disk refuses."""
    write_whole(run / RESULTS, as_json(results(made, training)))
    write_whole(run / CLASSES, per_class_csv(made.summary))
    write_whole(run / ERRORS, errors_csv(made.found.predictions, items))
    if made.thresholded is not None:
        write_whole(run / THRESHOLDED, (f"{record.line()}\n" for record in made.thresholded.records))
    if training is not None and training.get("history"):
        write_whole(run / HISTORY, as_json(training["history"]))


def results(made: Classified, training: Mapping[str, Any] | None) -> dict[str, Any]:
    """`results.json`: the summary, how fast and with how much memory, and what training took and gained."""
    timing = made.found.timing
    took = {key: value for key, value in (training or {}).items() if key != "history"} or None
    return {
        **made.as_json(),
        "throughput_items_per_s": timing.get("items_per_s"),
        "peak_memory_bytes": timing.get("peak_memory_bytes"),
        "training": {**took, "gain_per_s": gain(made.summary, took)} if took else None,
    }


def took(made: Classified, training: Mapping[str, Any] | None) -> Iterator[str]:
    """Throughput, memory and training in sentences, as far as they are known."""
    timing = made.found.timing
    if timing.get("items_per_s"):
        items, seconds = plural(int(timing["items"]), "item"), float(timing["seconds"])
        rate = timing["items_per_s"]
        yield f"together {brief(rate)} items a second ({items} in {brief(seconds)} s)"
    memory = timing.get("peak_memory_bytes") or {}
    if memory:
        yield f"at most {listed([f'{storage(own)} ({HOLDERS.get(name, name)})' for name, own in memory.items()])} held"
    trained, own = (training or {}).get("seconds"), gain(made.summary, training)
    if trained:
        gained = f"; {100 * own:+.2g} points of accuracy a second, against always saying one label" if own else ""
        yield f"its training took {brief(float(trained))} s{gained}".replace("-", "−")


def gain(summary: ClassifySummary, training: Mapping[str, Any] | None) -> float | None:
    """Accuracy above the most frequent label's share, by second of training; None where neither is known."""
    seconds = (training or {}).get("seconds")
    accuracy, majority = summary.figures.accuracy.mean, summary.figures.majority
    if not seconds or accuracy is None or majority is None:
        return None
    return (accuracy - majority[1]) / float(seconds)


def per_class_csv(summary: ClassifySummary) -> str:
    """One row a label."""
    rows = []
    for name, own in summary.figures.classes.items():
        ends = summary.figures.intervals[name]
        row: dict[str, Any] = {"label": name, "support": own.support, "predicted": own.predicted, "right": own.right}
        for key in ("precision", "recall", "f1"):
            low, high = getattr(ends, key) or (None, None)
            row |= {key: getattr(own, key), f"{key}_low": low, f"{key}_high": high}
        rows.append(row)
    columns = ["label", "precision", "precision_low", "precision_high", "recall", "recall_low", "recall_high"]
    return table([*columns, "f1", "f1_low", "f1_high", "support", "predicted", "right"], rows)


def errors_csv(records: Sequence[PredictionRecord], items: Sequence[Item]) -> str:
    """One row a wrong item, the most confident first; those without a prediction come last."""
    rows = [
        {
            "id": one.id,
            "text": "\n".join((*one.texts, *lettered(one.options))),
            "label": one.label,
            "prediction": one.prediction or "",
            "confidence": one.confidence,
            "status": one.status,
            "slices": "; ".join(one.slices),
        }
        for one in wrong_of(records, items)
    ]
    return table(["id", "text", "label", "prediction", "confidence", "status", "slices"], rows)


def table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """CSV with a header. Texts were written by others: none of them becomes a spreadsheet's formula."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _plain(row.get(name)) for name in columns})
    return out.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def training_of(folder: Path) -> dict[str, Any] | None:
    """What a checkpoint's own training took and how it went; None where its folder does not say.

    An ensemble took what its members took together.
    """
    found: dict[str, Any] = {}
    for name, key in (("manifest.json", "manifest"), (HISTORY, "history")):
        try:
            found[key] = json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
    manifest = found.pop("manifest", None)
    spent = together(_trainings(folder))
    if not isinstance(manifest, dict) and spent is None:
        return None
    steps = {name: manifest[name] for name in ("steps_done", "steps_planned") if name in manifest} if manifest else {}
    return {**(spent.as_json() if spent else {}), **steps, **found} or None


def _trainings(folder: Path) -> tuple[Path, ...]:
    """The trainings behind a folder: an ensemble's members, or itself."""
    try:
        return members_of(folder)
    except InputError:
        return (folder,)
