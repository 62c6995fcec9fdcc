"""Which option helps a rare class? Tweets to airlines, two heads on one small encoder, each option alone against none.

`python -m tests.bench.rare EPOCHS SEEDS` prints the table of fewer passes, and the first so many seeds.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.classify import rare as offsets
from harness.records import PredictionRecord, read
from harness.report.numerals import p_value, percent
from harness.stats.classes import ClassFigures, confusion, per_class
from harness.stats.classpair import ClassDifference, f1_difference
from harness.stats.multiple import holm
from tests.bench.carried import data, trained
from tests.bench.measure import Row, Section, signed

SEEDS = (0, 1, 2, 3, 4)
EPOCHS = 6
RARE = {"sentiment": "positive", "reason": "Lost Luggage"}
NONE, OFFSETS = "none", "thresholds: an offset fitted on validation"
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "class weights: inverse frequency, cap 10": {"loss": {"class_weights": "inverse_frequency", "cap": 10.0}},
    "focal loss: γ = 2": {"loss": {"gamma": 2.0}},
    "oversampling: inverse frequency, cap 10": {"oversample": {"inverse_frequency": [*RARE], "cap": 10.0}},
    "label smoothing: 0.1": {"loss": {"smoothing": 0.1}},
}
"""Each alone; the amounts are those of experiment log 002."""
RECIPE: Mapping[str, Any] = {
    "kind": "encoder",
    "seed": SEEDS[0],
    "device": "cpu",
    "precision": "fp32",
    "threads": 1,
    "log": [],
    "split": {"validation": 0.2, "seed": 0},
    "fresh": {
        "hidden_size": 128,
        "intermediate_size": 256,
        "layers": 2,
        "heads": 4,
        "context": 64,
        "vocab_size": 4096,
    },
    "head": {"pooling": "mean"},
    "save": {"keep": 1, "every": 100_000},
    "look": {"every": 100_000},
    "collapse": None,
}
TRAINING = {
    "batch_size": 32,
    "max_length": 64,
    "learning_rate": 0.001,
    "schedule": "linear",
    "warmup_ratio": 0.1,
    "weight_decay": 0.01,
}
Told = Mapping[str, Sequence[Sequence[PredictionRecord]]]
"""Predictions by head, for every seed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """An option against none on one head: the rare class's F1 and macro F1 over all seeds, and the former by seed."""

    head: str
    option: str
    rare: ClassDifference
    macro: ClassDifference
    by_seed: tuple[float, ...]

    @property
    def all_up(self) -> bool:
        """Whether every seed went up."""
        return all(each > 0 for each in self.by_seed)


def rare(folder: Path, epochs: float = EPOCHS, seeds: Sequence[int] = SEEDS) -> Section:
    """F1 of `positive` and of `Lost Luggage` with each option alone, against none, on the same items and seeds."""
    began = time.perf_counter()
    told = predictions(folder, epochs, seeds)
    held = [beside(head, option, told[NONE], told[option]) for head in RARE for option in told if option != NONE]
    adjusted = holm([1.0 if each.rare.p_value is None else each.rare.p_value for each in held]).tolist()
    helped = [each for each, p in zip(held, adjusted, strict=True) if p <= 0.05 and each.all_up]
    rows: list[Row] = []
    for head, label in RARE.items():
        rows.append(_row(f"{label} ({_share(told[NONE][head][0], label)}): none", _plain(told[NONE][head], label)))
        own = [(each, p) for each, p in zip(held, adjusted, strict=True) if each.head == head]
        rows += [_row(f"{label}: {each.option}", _against(each, p)) for each, p in own]
    for head, label in RARE.items():
        names = [each.option.partition(":")[0] for each in held if each in helped and each.head == head]
        rows.append(_row(f"{label}: what raised F1 (p ≤ 0.05 and every seed up)", ", ".join(names) or "nothing here"))
    rows.append(
        _row(f"minutes for {len(OPTIONS) + 1} × {len(seeds)} trainings", f"{(time.perf_counter() - began) / 60:.1f}")
    )
    return Section(
        title="Rare classes: which option helps",
        how=(
            "`python -m tests.bench rare`: tweets to airlines, sentiment and reason as two heads on one new encoder "
            "(2 layers of 128), 1,760 to train on, 440 to validate, 800 to test (4 of them repeat a training text). "
            f"Every option alone, its amount that of log 002, {epochs:g} passes (chosen on validation with another "
            f"seed), seeds {', '.join(map(str, seeds))} fixed beforehand. F1 over all seeds' predictions and its "
            "difference to no option on the same items and seeds: interval and p by the delta method with the item as "
            f"the cluster, p by Holm over the {len(held)} tests of rare classes. They speak for other tweets, not for "
            "other seeds: for those, the lowest and highest of the seeds' own differences."
        ),
        rows=tuple(rows),
    )


def predictions(folder: Path, epochs: float, seeds: Sequence[int]) -> dict[str, Told]:
    """What every option's trainings say of the test items; two trainings at once, a thread each."""
    task = {
        "files": {
            "train": str(data("tweets", "airline_train.jsonl")),
            "test": str(data("tweets", "airline_test.jsonl")),
        },
        "text": "text",
        "label": [*RARE],
        "id": "row",
    }

    def made(place: int, changes: Mapping[str, Any]) -> Path:
        keys = {"name": f"airline_{place}", **RECIPE, "seeds": list(seeds), "task": task, **changes}
        return trained(folder, {**keys, "training": {**TRAINING, "epochs": epochs}}, threads=1)

    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        waiting = {
            name: pool.submit(made, place, changes)
            for place, (name, changes) in enumerate([(NONE, {}), *OPTIONS.items()])
        }
        places = {name: each.result() for name, each in waiting.items()}
    found = {name: {head: _read(place, "test", head, seeds) for head in RARE} for name, place in places.items()}
    held = {head: _read(places[NONE], "validation", head, seeds) for head in RARE}
    return {**found, OFFSETS: {head: _offset(held[head], found[NONE][head], RARE[head]) for head in RARE}}


def beside(head: str, option: str, none: Told, other: Told) -> Held:
    """An option against none on one head."""
    label, sides = RARE[head], (none[head], other[head])
    return Held(
        head=head,
        option=option,
        rare=_difference(*sides, label),
        macro=_difference(*sides, None),
        by_seed=tuple(_figures(b, label).f1 - _figures(a, label).f1 for a, b in zip(*sides, strict=True)),
    )


def _difference(
    a: Sequence[Sequence[PredictionRecord]], b: Sequence[Sequence[PredictionRecord]], label: str | None
) -> ClassDifference:
    """The difference of F1 over all seeds' predictions; an item asked again by another seed is the same item."""
    one, two = ([record for seed in side for record in seed] for side in (a, b))
    if [record.id for record in one] != [record.id for record in two]:
        raise ValueError("both sides must answer the same items in the same order")
    return f1_difference(
        [record.label for record in one],
        [record.prediction for record in one],
        [record.prediction for record in two],
        label=label,
        clusters=[record.id for record in one],
    )


def _offset(
    validation: Sequence[Sequence[PredictionRecord]], test: Sequence[Sequence[PredictionRecord]], label: str
) -> list[list[PredictionRecord]]:
    """Each seed's test predictions with the offset that its own validation predictions call for."""
    return [offsets.applied(asked, offsets.fit(held, [label])) for held, asked in zip(validation, test, strict=True)]


def _read(place: Path, split: str, head: str, seeds: Sequence[int]) -> list[list[PredictionRecord]]:
    return [read(place / f"seed-{seed}" / "predictions" / f"{split}-{head}.jsonl", PredictionRecord) for seed in seeds]


def _row(what: str, figure: str) -> Row:
    return Row(what=what, figure=figure, bound="", kept=True)


def _share(records: Sequence[PredictionRecord], label: str) -> str:
    count = sum(record.label == label for record in records)
    return f"{count} of {len(records)} test tweets, {percent(count / len(records), len(records))}"


def _plain(seeds: Sequence[Sequence[PredictionRecord]], label: str) -> str:
    """F1, precision and recall without any option, and F1 by seed."""
    own = _figures([record for each in seeds for record in each], label)
    by_seed = ", ".join(f"{_figures(each, label).f1:.3f}" for each in seeds)
    return f"F1 {own.f1:.3f} (precision {own.precision:.3f}, recall {own.recall:.3f}); by seed {by_seed}"


def _figures(records: Sequence[PredictionRecord], label: str) -> ClassFigures:
    counted = confusion([record.label for record in records], [record.prediction for record in records])
    return per_class(counted)[label]


def _against(held: Held, p: float) -> str:
    up = sum(each > 0 for each in held.by_seed)
    seeds = f"by seed {signed(min(held.by_seed))} to {signed(max(held.by_seed))}, {up} of {len(held.by_seed)} up"
    own = f"F1 {held.rare.b or 0.0:.3f}, {_moved(held.rare)}, p {p_value(p)}; {seeds}"
    return f"{own}; macro F1 {_moved(held.macro)}{'; few of them: roughly' if held.rare.unsafe else ''}"


def _moved(found: ClassDifference) -> str:
    if found.difference is None or found.ci is None:
        return found.reason or "not known"
    return f"{signed(found.difference)} (95 % {signed(found.ci[0])} to {signed(found.ci[1])})"


ALL = (rare,)

if __name__ == "__main__":
    from tests.bench.__main__ import table

    with tempfile.TemporaryDirectory() as place:
        print(table(rare(Path(place), float(sys.argv[1]), SEEDS[: int(sys.argv[2])])))
