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
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.classify.collect import Classified
from harness.classify.summary import ClassifySummary
from harness.folder import as_json, write_whole
from harness.records import PredictionRecord
from harness.tasks.values import Item

RESULTS, HISTORY, CLASSES, ERRORS, THRESHOLDED = (
    "results.json", "history.json", "per_class.csv", "errors.csv", "thresholded.jsonl"
)  # fmt: skip
# A cell that begins with one of these is a formula to a spreadsheet, whatever was meant.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_files(run: Path, made: Classified, items: Sequence[Item], training: Mapping[str, Any] | None) -> None:
    """Write everything but the reports. Raises RunStopped where the disk refuses."""
    write_whole(run / RESULTS, as_json(results(made, training)))
    write_whole(run / CLASSES, per_class_csv(made.summary))
    write_whole(run / ERRORS, errors_csv(made.found.predictions, items))
    if made.offsets is not None:
        write_whole(run / THRESHOLDED, (f"{record.line()}\n" for record in made.offsets.records))
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
    texts = {item.id: item for item in items}
    wrong = [record for record in records if record.prediction != record.label]
    rows = []
    for record in sorted(wrong, key=lambda record: (-(confidence(record) or 0.0), record.id)):
        item = texts.get(record.id)
        rows.append(
            {
                "id": record.id,
                "text": "\n".join((*item.texts, *_options(item))) if item is not None else "",
                "label": record.label,
                "prediction": record.prediction or "",
                "confidence": confidence(record),
                "status": getattr(record, "status", ""),
                "slices": "; ".join(record.slices or ()),
            }
        )
    return table(["id", "text", "label", "prediction", "confidence", "status", "slices"], rows)


def confidence(record: PredictionRecord) -> float | None:
    """The probability of the label that was predicted, where it is known."""
    return (record.probabilities or {}).get(record.prediction or "")


def _options(item: Item) -> Iterable[str]:
    return (f"{chr(65 + place)}. {text}" for place, text in enumerate(item.options))


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
    """What a checkpoint's own training took and how it went; None where its folder does not say."""
    found: dict[str, Any] = {}
    for name, key in (("manifest.json", "manifest"), (HISTORY, "history")):
        try:
            found[key] = json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
    manifest = found.pop("manifest", None)
    if not isinstance(manifest, dict):
        return None
    known = {name: manifest[name] for name in ("seconds", "steps_done", "steps_planned") if name in manifest}
    return {**known, **found} or None
