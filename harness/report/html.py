"""report.html: one file that asks nothing of any network and runs nothing but its own script.

The policy in its head forbids every request and admits style and script by their hashes alone. Text from prompts,
models and files is escaped by Jinja2 or handed to the script as data, which puts it on the page as text alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.report import chart, tables, words
from harness.report.data import Control, Report
from harness.report.numerals import margin, percent
from harness.report.pagedata import embedded
from harness.report.tables import Row
from harness.summary import Summary

_HERE = Path(__file__).parent
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_FIGURE = re.compile(r"95 % [\d.]+(?:–[\d.]+)?|[\d.]+(?:–[\d.]+)? %|\bp (?:=|&[lg]t;) [\d.]+")
# So many categories fit beside the judges; more go behind a click.
_OPEN = 16
# So many leaked prompts are linked; all of them stand in summary.json.
_MOST_IDS = 12


def render(report: Report) -> str:
    """The report as one self-contained page."""
    return "".join(pieces(report))


def pieces(report: Report) -> Iterator[str]:
    """The same page piece by piece, for a file: a large run's comparisons never stand in memory twice."""
    summary, style, script = report.summary, source("page.css"), source("page.js")
    judges = tables.judge_rows(summary)
    page = environment().get_template("page.html.j2").generate(
        report=report,
        summary=summary,
        policy=policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=map(Markup, embedded(report)),
        words=words,
        doubts=words.report_doubts(report),
        chart=chart,
        judges=judges,
        categories=tables.category_rows(summary),
        leaked=tables.leakage_rows(summary),
        most=_MOST_IDS,
        grid=tables.by_judge_and_category(summary),
        open=_OPEN,
        margin=margin(summary.equivalence),
        lengths=_lengths(summary, judges),
        statuses=_statuses(summary, judges),
        pairs=_pairs(report.controls),
        manifest=json.dumps(report.manifest, indent=2, ensure_ascii=False, default=str) if report.manifest else "",
    )  # fmt: skip
    return writable(page)


def writable(page: Iterable[str]) -> Iterator[str]:
    """A page's pieces without lone surrogates: one from a file's escapes would keep it from being written at all."""
    return (_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", piece) for piece in page)


def source(name: str, folder: Path = _HERE) -> str:
    """A style sheet or script that stands beside a page's module."""
    return (folder / name).read_text(encoding="utf-8")


def policy(style: str, script: str) -> str:
    """The content security policy that admits this style and this script by their hashes, and no request at all."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _sentence(text: str) -> str:
    """Text that begins with a capital, unless it begins with a figure such as "n = 1"."""
    return text[:1].upper() + text[1:] if text[:2].isalpha() else text


def _unbroken(text: str) -> Markup:
    """Escaped text in which a figure stays on one line with its sign."""
    return Markup(_FIGURE.sub(r'<span class="figure">\g<0></span>', str(escape(text))))


def environment(folder: Path = _HERE) -> Environment:
    """Templates of a folder, on those that stand here: every text escaped, an unknown name an error."""
    made = Environment(
        loader=FileSystemLoader(list(dict.fromkeys((folder, _HERE)))),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["sentence"] = _sentence
    made.filters["figures"] = _unbroken
    made.filters["link"] = lambda text: quote(text, safe="")
    return made


@dataclass(frozen=True, kw_only=True, slots=True)
class _Length:
    judge: str
    rate: str
    decisive: int


def _lengths(summary: Summary, judges: Iterable[Row]) -> list[_Length]:
    named = [row.key for row in judges if row.key is not None]
    found = [(name, summary.lengths[name]) for name in named if name in summary.lengths]
    return [
        _Length(judge=name, rate=percent(length.longer / length.decisive, length.decisive), decisive=length.decisive)
        for name, length in found
        if length.decisive
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Statuses:
    names: list[str]
    rows: list[tuple[str, list[int], int]]


def _statuses(summary: Summary, judges: Iterable[Row]) -> _Statuses:
    """How every judge's verdicts ended, and how many prompts stayed without one."""
    names = list(dict.fromkeys(["ok", *sorted({name for counts in summary.statuses.values() for name in counts})]))
    rows = [
        (row.key, [summary.statuses.get(row.key, {}).get(name, 0) for name in names], row.result.unscored)
        for row in judges
        if row.key is not None
    ]
    return _Statuses(names=names, rows=rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pair:
    """One control pair with every verdict on it."""

    id: str
    damage: str
    whole: tuple[str, ...]
    damaged: tuple[str, ...]
    verdicts: tuple[Control, ...]

    @property
    def wrong(self) -> int:
        return sum(not verdict.right for verdict in self.verdicts)


def _pairs(controls: Iterable[Control]) -> list[_Pair]:
    found: dict[tuple[object, ...], list[Control]] = {}
    for control in controls:
        found.setdefault((control.id, control.damage, control.whole, control.damaged), []).append(control)
    return [
        _Pair(id=first.id, damage=first.damage, whole=first.whole, damaged=first.damaged, verdicts=tuple(verdicts))
        for verdicts in found.values()
        for first in verdicts[:1]
    ]
