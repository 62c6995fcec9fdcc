"""report.html of a classification: one file that asks nothing of any network and runs nothing but its own script.

Look, policy and escaping are `harness.report.html`'s. All of the page is there without its script, which only filters
the wrong items. Labels and texts are hostile: Jinja2 escapes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from harness.classify import pagecharts, words
from harness.classify import report as rows
from harness.classify.report import ClassifyReport
from harness.classify.summary import ClassifySummary
from harness.classify.wrong import Wrong, lettered
from harness.goal import said as goal_said
from harness.report.chart import axis, share
from harness.report.html import environment, policy, source, writable
from harness.report.numerals import DASH, in_percent, percent, span
from harness.report.shares import ShareRow
from harness.stats.classerror import Estimate

_HERE = Path(__file__).parent
# So many wrong items are on the page, and so much of each text.
SHOWN, ROOM = 500, 4000
FIGURES = ("0", "0.25", "0.5", "0.75", "1")
OVER = ("value", "n")
CLASSES = ("F1", "precision", "recall", "n", "predicted")
SLICES = ("right", "majority", "n")


def render(report: ClassifyReport) -> str:
    """The report as one self-contained page."""
    return "".join(pieces(report))


def pieces(report: ClassifyReport) -> Iterator[str]:
    """The page piece by piece."""
    found = report.summary
    style = "\n".join([source("page.css"), source("shares.css"), source("page.css", _HERE)])
    script = source("page.js", _HERE)
    items = [_item(one) for one in report.wrong[:SHOWN]]
    page = environment(_HERE).get_template("page.html.j2").generate(
        kind="classification",
        capitals=True,
        title=report.title[0],
        model=report.title[1:],
        summary=found,
        headline=words.headline(found),
        goal=report.goal,
        goal_said=goal_said(report.goal),
        doubts=words.doubts(found),
        policy=policy(style, script),
        style=Markup(style),
        script=Markup(script),
        percent=axis(),
        figures=axis(FIGURES),
        heads={"over": OVER, "classes": CLASSES, "slices": SLICES, "bins": rows.BIN_HEADS},
        over=_over(found),
        classes=_classes(found),
        labels_left_out=rows.left_out(len(found.figures.classes), "label"),
        matrix=pagecharts.matrix(found),
        open=pagecharts.OPEN,
        confusions=list(words.confusions(found)),
        slices=_slices(found),
        slices_left_out=rows.left_out(len(found.figures.slices), "slice"),
        calibration=list(words.calibration(found)),
        diagram=pagecharts.reliability(found.calibration) if found.calibration is not None else None,
        bins=_bins(found),
        offsets=report.offsets,
        speed=list(rows.speed(report)),
        items=items,
        total=len(report.wrong),
        named=_named(report.wrong[:SHOWN]),
        facts=report.facts,
    )  # fmt: skip
    return writable(page)


def _over(found: ClassifySummary) -> list[ShareRow]:
    """Accuracy beside the most frequent label's share, then the figures over classes."""
    own = found.estimate("accuracy")
    if own.value is None:
        return []
    text = (percent(own.value, found.n), span(*own.ci, found.n) if own.ci else str(own.reason))
    rate = found.figures.majority[1] if found.figures.majority else None
    strip = share(own.value, own.ci, rate)
    n = (f"{found.n:,}", "")
    made = [ShareRow(label="right", strip=strip, cells=(text, n))]
    for key, label in words.NAMES.items():
        one = found.figures.over_classes[key]
        # MCC runs from −1, which no such line shows.
        drawn: Markup | str = share(one.value, one.ci) if key != "mcc" else ""
        made.append(ShareRow(label=label, strip=drawn, cells=(_figure(one), n)))
    return made


def _figure(one: Estimate) -> tuple[str, str]:
    if one.value is None:
        return DASH, str(one.reason)
    return words.number(one.value), _ends(one.ci) or str(one.reason)


def _ends(ci: tuple[float, float] | None) -> str:
    return "" if ci is None else (" to " if ci[0] < 0 else "–").join(map(words.number, ci))


def _classes(found: ClassifySummary) -> list[ShareRow]:
    """The figures of every label with their intervals, the most frequent first."""
    own = found.figures
    made = []
    for label in sorted(own.classes, key=lambda name: (-own.classes[name].support, name))[: rows.MOST]:
        each, ends = own.classes[label], own.intervals[label]
        cells = (
            (words.number(each.f1), _ends(ends.f1)),
            (words.number(each.precision) if each.predicted else DASH, _ends(ends.precision)),
            (words.number(each.recall) if each.support else DASH, _ends(ends.recall)),
            (f"{each.support:,}", ""),
            (f"{each.predicted:,}", ""),
        )
        made.append(ShareRow(label=label, strip=share(each.f1, ends.f1), cells=cells))
    return made


def _slices(found: ClassifySummary) -> list[ShareRow]:
    """Accuracy by slice; the mark is what the slice's most frequent label would score."""
    made = []
    for label, part in list(found.figures.slices.items())[: rows.MOST]:
        own = part.accuracy
        text = percent(own.mean, own.n) if own.mean is not None else DASH
        cells = (
            (text, span(*own.ci, own.n) if own.ci else ""),
            (percent(part.majority_rate, own.n), ""),
            (f"{own.n:,}", ""),
        )
        made.append(ShareRow(label=label, strip=share(own.mean, own.ci, part.majority_rate), cells=cells))
    return made


def _bins(found: ClassifySummary) -> Mapping[str, rows.Rows]:
    """The reliability tables: before and, where there is a temperature, after it."""
    own = found.calibration
    if own is None:
        return {}
    sides = {"before": own.before, "after": own.after}
    return {f"{when} scaling": rows.bin_rows(side) for when, side in sides.items() if side is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Item:
    """One wrong item as the page has it; `slices` as JSON for the script."""

    own: Wrong
    line: str
    texts: Sequence[str]
    sure: str
    slices: str


def _item(one: Wrong) -> _Item:
    texts = [text if len(text) <= ROOM else f"{text[:ROOM]}… (cut)" for text in (*one.texts, *lettered(one.options))]
    return _Item(
        own=one,
        line=" / ".join(" ".join(text[:300].split()) for text in one.texts) or "(the text is not known here)",
        texts=texts,
        sure=f"{in_percent(one.confidence, 100)} %" if one.confidence is not None else "",
        slices=json.dumps(list(one.slices), ensure_ascii=False),
    )


def _named(wrong: Sequence[Wrong]) -> Mapping[str, Sequence[str]]:
    """What wrong items can be chosen by."""
    return {
        "label": sorted({one.label for one in wrong}),
        "prediction": sorted({one.prediction for one in wrong if one.prediction is not None}),
        "slice": sorted({name for one in wrong for name in one.slices}),
    }
