"""A classification for a terminal: the finding, classes, slices, confusions, calibration, doubts. 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.classify import report as rows
from harness.classify import words
from harness.classify.report import ClassifyReport, Rows
from harness.goal import said
from harness.report.columns import WIDTH, listing, note, table, wrap


def render(report: ClassifyReport, *, width: int = WIDTH) -> str:
    """The report as lines of at most `width` columns."""
    found = report.summary
    own = found.calibration
    bins = rows.bin_rows(own.after or own.before) if own is not None else []
    when = "after" if own is not None and own.after is not None else "before"
    slices = ["an item may be in several; not corrected for looking at several"]
    slices += rows.left_out(len(found.figures.slices), "slice")
    facts = "; ".join(f"{label} {text}" for label, text in report.facts.items() if text)
    blocks = [
        "\n".join(wrap(line, width, rest="  ") for line in report.title),
        "\n".join(wrap(sentence, width, rest="  ") for sentence in (*words.headline(found), *said(report.goal))),
        _table("by class", rows.CLASS_HEADS, rows.class_rows(found), rows.reading(found), width),
        _table("over all classes", rows.MEAN_HEADS, rows.mean_rows(found), (), width),
        _table("by slice", rows.SLICE_HEADS, rows.slice_rows(found), slices, width),
        listing("what was confused", words.confusions(found), width),
        listing("can its probabilities be believed", words.calibration(found), width),
        _table(f"reliability, {when} scaling", rows.BIN_HEADS, bins, (), width),
        listing("offsets for rare classes", report.offsets, width),
        listing("how fast", rows.speed(report), width),
        listing("what to doubt", words.doubts(found), width),
        wrap(f"made with {facts}", width) if facts else "",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _table(title: str, heads: Sequence[str], cells: Rows, notes: Iterable[str], width: int) -> str:
    if not cells:
        return ""
    return "\n".join([*table(title, heads, cells, width), *(note(line, width) for line in notes)])
