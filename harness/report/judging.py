"""How every judge of a comparison stands towards place, and how often it gave no verdict: one line each.

Judges with a known bias are left out, for their definition says it. Sentences only; no rate without n and interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from harness.audit.standing import JudgeStanding, Mass
from harness.report.numerals import one_line, p_value, percent, plural, span
from harness.stats.spread import Rate

TITLE = "how each judge judged"
# Below this share a verdict-token judge would mostly have said something else than a letter.
HALF = 0.5


class Judged(Protocol):
    """What has standings by judge: a comparison's summary."""

    @property
    def standings(self) -> Mapping[str, JudgeStanding]: ...


def section(summary: Judged) -> list[str]:
    """The sentences of every judge without a known bias that was asked or read."""
    return [
        f"{one_line(name)}: {'; '.join(said)}."
        for name, found in summary.standings.items()
        if not name.startswith("control/") and (said := _said(found))
    ]


def _said(found: JudgeStanding) -> list[str]:
    return [part for part in (_first(found), _agree(found), _unread(found), _mass(found.mass)) if part]


def _first(found: JudgeStanding) -> str | None:
    first = found.first
    if first.rate is None:
        return None
    inside = f"95 % {span(*first.ci, first.prompts)}" if first.ci else "one prompt gives no interval"
    if first.unsafe:
        inside += ", roughly"
    return f"whichever was shown first won {percent(first.rate, first.prompts)} of {first.decisive:,} ({inside})"


def _agree(found: JudgeStanding) -> str | None:
    agree, lean = found.agree, found.lean
    if agree.rate is None:
        return "shown in one order alone" if found.first.decisive else None
    said = f"both orders say the same on {_rate(agree)}"
    if lean.n:
        said += (
            f", and of {lean.n:,} that name different winners {lean.toward_first:,} follow the first place (p "
            f"{p_value(lean.p_value)})"
        )
    return said


def _unread(found: JudgeStanding) -> str | None:
    named = [f"{count:,} {status.replace('_', ' ')}" for status, count in found.unread.items() if count]
    return f"no verdict in {', '.join(named)} of {plural(found.answered, 'answer')}" if named else None


def _mass(mass: Mass | None) -> str | None:
    if mass is None:
        return None
    said = f"its letters hold {percent(mass.mean, mass.n)} of its probability (mean of {plural(mass.n, 'verdict')})"
    return f"{said}, so that it would mostly have said something else" if mass.mean < HALF else said


def _rate(found: Rate) -> str:
    assert found.rate is not None
    inside = f" (95 % {span(*found.ci, found.n)})" if found.ci else ""
    return f"{percent(found.rate, found.n)} of {found.n:,}{inside}"
