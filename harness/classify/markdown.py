"""report.md of a classification: the terminal's figures as GitHub tables, with the confusion matrix where it is small.

No text from a label, a model or a file can become markup, a link or a table cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.classify import report as rows
from harness.classify import words
from harness.classify.report import ClassifyReport, Rows
from harness.classify.summary import ClassifySummary
from harness.goal import said
from harness.report.markdown import escape, items, section, table

# A matrix of more labels than this is no table that a person reads.
READABLE = 12


def render(report: ClassifyReport) -> str:
    """The report as GitHub Markdown."""
    found = report.summary
    own = found.calibration
    believed = {"before": own.before, "after": own.after} if own is not None else {}
    sections = [
        "\n\n".join([f"# {escape(report.title[0])}", *map(escape, report.title[1:])]),
        items([*words.headline(found), *said(report.goal)]),
        section("What to doubt", items(words.doubts(found))),
        section("By class", _table("label", rows.CLASS_HEADS, rows.class_rows(found), rows.reading(found))),
        section("Over all classes", _table("figure", rows.MEAN_HEADS, rows.mean_rows(found))),
        section("By slice", _slices(found)),
        section("What was confused", _confusion(found)),
        section("Can its probabilities be believed", items(words.calibration(found))),
        *(
            section(f"Reliability {when} scaling", _table("confidence in", rows.BIN_HEADS, rows.bin_rows(each)))
            for when, each in believed.items()
            if each is not None
        ),
        section("Offsets for rare classes", items(report.offsets)),
        section("How fast", items(rows.speed(report))),
        section("How it was made", items(f"{label}: {text}" for label, text in report.facts.items() if text)),
    ]
    return "\n\n".join(part for part in sections if part) + "\n"


def _table(first: str, heads: Sequence[str], cells: Rows, notes: Iterable[str] = ()) -> str:
    if not cells:
        return ""
    lines = [[escape(label), *map(escape, own)] for label, own in cells]
    return "\n\n".join([table([first, *heads], lines), *(escape(f"{line[0].upper()}{line[1:]}.") for line in notes)])


def _slices(found: ClassifySummary) -> str:
    notes = ["an item may be in several; intervals are not corrected for looking at several"]
    notes += rows.left_out(len(found.figures.slices), "slice")
    return _table("slice", rows.SLICE_HEADS, rows.slice_rows(found), notes)


def _confusion(found: ClassifySummary) -> str:
    """The matrix, labels in rows and predictions in columns; the most frequent pairs where it is too large."""
    counted = found.figures.counted
    if counted.k > READABLE or not counted.n:
        return items(words.confusions(found))
    counts = counted.counts
    names = [escape(label, words.ROOM) for label in counted.labels]
    none = bool(counts[:, -1].any())
    heads = ["label ↓ predicted →", *names, *(["none"] if none else [])]
    kept = counts if none else counts[:, :-1]
    return table(
        heads, [[name, *(f"{count:,}" for count in row)] for name, row in zip(names, kept.tolist(), strict=True)]
    )
