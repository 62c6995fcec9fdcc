"""The page of `harness agree --html`: one file without a script, which asks nothing of any network.

Replies, prompts and responses are hostile text: all of it is escaped by Jinja2, and the policy in the page's head
forbids every request and every script, and admits its own style by hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness import report
from harness.agree import cells, words
from harness.agree.measured import Agreement, Contested
from harness.agree.reading import Texts
from harness.agree.rows import Row
from harness.agree.rulings import OUTCOMES
from harness.outcome import slots

_HERE = Path(__file__).parent
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# So many disagreements are on the page with every reply; the others are named in the JSON.
SHOWN = 200
# More pairs than these go behind a click: the matrix above them shows as much.
OPEN = 15


def pieces(found: Agreement) -> Iterator[str]:
    """The page, piece by piece."""
    style = f"{(Path(report.__file__).parent / 'page.css').read_text(encoding='utf-8')}\n{_own('page.css')}"
    page = _environment().get_template("page.html.j2").generate(
        found=found,
        title=found.inputs.title,
        policy=f"default-src 'none'; style-src '{_digest(style)}'; img-src data:; base-uri 'none'; form-action 'none'",
        style=Markup(style),
        words=words,
        cells=cells,
        numbers={name: place for place, name in enumerate(found.judges, 1)},
        matrix=_matrix(found),
        outcomes=OUTCOMES,
        open=OPEN,
        items=_items(found),
        left=max(0, len(found.contested) - SHOWN),
    )  # fmt: skip
    # A lone surrogate from a file's escapes would keep the page from being written at all.
    return (_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", piece) for piece in page)


def _own(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _digest(style: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["whole"] = lambda text: text.replace(" %", "\N{NO-BREAK SPACE}%")
    return environment


def _matrix(found: Agreement) -> list[tuple[str, list[str]]]:
    """Kappa of every judge with every other, where there are three judges or more."""
    names = list(found.judges)
    if len(names) < 3:
        return []
    known = {(pair.a, pair.b): pair.found.kappa for pair in found.whole.pairs}
    return [
        (a, ["·" if a == b else cells.coefficient(known.get((a, b), known.get((b, a)))) for b in names]) for a in names
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Verdict:
    """One presentation as a judge met it: which response stood first, whom it named, and what it wrote."""

    first: str | None
    named: str | None
    status: str
    reply: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Said:
    """One judge on one prompt."""

    judge: str
    outcome: str
    letter: str
    verdicts: Sequence[_Verdict]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Item:
    """One disagreement with what every judge said, and the texts where they are known."""

    id: str
    category: str | None
    texts: Texts | None
    said: Sequence[_Said]


def _items(found: Agreement) -> list[_Item]:
    shown = found.contested[:SHOWN]
    rows: dict[tuple[str, str], list[Row]] = {}
    wanted = {item.id for item in shown}
    for row in found.inputs.rows:
        if row.id in wanted:
            rows.setdefault((row.id, row.judge), []).append(row)
    return [
        _Item(
            id=item.id,
            category=found.inputs.categories.get(item.id),
            texts=found.inputs.texts.get(item.id),
            said=_said(found, item, rows),
        )
        for item in shown
    ]


def _said(found: Agreement, item: Contested, rows: dict[tuple[str, str], list[Row]]) -> list[_Said]:
    return [
        _Said(
            judge=judge,
            outcome=OUTCOMES[code] if code >= 0 else "unscored",
            letter=words.letter(code),
            verdicts=[
                _Verdict(
                    first=slots("candidate", "baseline", row.order)[0] if row.order is not None else None,
                    named=row.winner,
                    status=row.status,
                    reply=row.reply,
                )
                for row in sorted(rows.get((item.id, judge), ()), key=lambda row: (row.repeat, row.order or ""))
            ],
        )
        for judge, code in zip(found.inputs.judges, item.outcomes, strict=True)
    ]
