"""Everything one classification report shows, as a value, and its tables as cells; every way of writing reads this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.classify.calibrated import Believed
from harness.classify.summary import ClassifySummary
from harness.classify.words import NAMES, number
from harness.classify.wrong import Wrong
from harness.goal import Met
from harness.report.numerals import DASH, brief, in_percent, percent, plural, span

Rows = list[tuple[str, list[str]]]
# So many labels and slices have a row of their own; summary.json has all.
MOST = 30
CLASS_HEADS = ("precision", "recall", "F1", "95 %", "n", "predicted")
SLICE_HEADS = ("right", "95 %", "majority", "n")
MEAN_HEADS = ("value", "95 %", "n")
BIN_HEADS = ("confidence", "right", "95 %", "n")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifyReport:
    """`title` are the first lines (suite or file, model), `facts` label → text on how it was made, `goal` what became
    of the suite's, `took` sentences on time and memory, `offsets` on thresholds for rare classes, `wrong` the wrong
    items where they are to be read."""

    title: tuple[str, ...]
    summary: ClassifySummary
    facts: Mapping[str, str] = field(default_factory=dict)
    goal: Met | None = None
    took: tuple[str, ...] = ()
    offsets: tuple[str, ...] = ()
    wrong: tuple[Wrong, ...] = ()


def class_rows(found: ClassifySummary) -> Rows:
    """The figures of every label, the most frequent first; the interval is F1's."""
    own = found.figures
    ordered = sorted(own.classes, key=lambda label: (-own.classes[label].support, label))
    rows = []
    for label in ordered[:MOST]:
        each, ends = own.classes[label], own.intervals[label]
        figures = [
            number(each.precision) if each.predicted else DASH,
            number(each.recall) if each.support else DASH,
            number(each.f1),
        ]
        rows.append((label, [*figures, _between(ends.f1), f"{each.support:,}", f"{each.predicted:,}"]))
    return rows


def mean_rows(found: ClassifySummary) -> Rows:
    """The figures over all classes."""
    rows = []
    for key, label in NAMES.items():
        own = found.figures.over_classes[key]
        value = number(own.value) if own.value is not None else DASH
        rows.append((label, [value, _between(own.ci), f"{found.n:,}"]))
    return rows


def slice_rows(found: ClassifySummary) -> Rows:
    """Accuracy by slice beside what the slice's most frequent label would score."""
    rows = []
    for label, part in list(found.figures.slices.items())[:MOST]:
        own = part.accuracy
        share = percent(own.mean, own.n) if own.mean is not None else DASH
        ends = span(*own.ci, own.n) if own.ci else DASH
        rows.append((label, [share, ends, percent(part.majority_rate, own.n), f"{own.n:,}"]))
    return rows


def bin_rows(own: Believed) -> Rows:
    """The reliability table: bins that hold items."""
    rows = []
    for each in own.table:
        if each.confidence is not None and each.accuracy is not None:
            ends = span(*each.ci, each.n) if each.ci else DASH
            cells = [percent(each.confidence, each.n), percent(each.accuracy, each.n), ends, f"{each.n:,}"]
            rows.append((f"{in_percent(each.low, 1)}–{in_percent(each.high, 1)} %", cells))
    return rows


def left_out(count: int, what: str) -> list[str]:
    """That not all rows are shown, where they are not."""
    return [f"the first {MOST} of {plural(count, what)}; summary.json has all"] if count > MOST else []


def reading(found: ClassifySummary) -> list[str]:
    """How the table of classes is to be read."""
    said = ["a dash stands where there is nothing to divide by (counted as 0); intervals are exact, and of F1"]
    return said + left_out(len(found.figures.classes), "label")


def speed(report: ClassifyReport) -> Sequence[str]:
    """How long single items took, and what else is known of time and memory."""
    own = report.summary.latency
    if own.p50 is None or own.p95 is None:
        return report.took
    return [
        f"half of {plural(own.n, 'item')} took at most {brief(own.p50)} ms, 95 % at most {brief(own.p95)} ms",
        *report.took,
    ]


def _between(ci: tuple[float, float] | None) -> str:
    return DASH if ci is None else (" to " if ci[0] < 0 else "–").join(map(number, ci))
