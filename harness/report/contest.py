"""What each judge made of one comparison, and which are contested: by judges against each other or against themselves.

Judges whose word decides nothing (known bias, unusable) contest nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.figures import prompt_score
from harness.records import JudgmentRecord
from harness.report.data import Comparison
from harness.report.phrases import group_of
from harness.summary import Summary
from judges.panel import Outcome

Seen = Outcome | Literal["unscored"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruled:
    """One judge on one comparison: its outcome over both orders, and whether these name different winners."""

    outcome: Seen
    inconsistent: bool
    judgments: tuple[JudgmentRecord, ...]


def rulings(comparison: Comparison) -> dict[str, Ruled]:
    """What every judge with a judgment of this comparison made of it."""
    by_judge: dict[str, list[JudgmentRecord]] = {}
    for judgment in comparison.judgments:
        by_judge.setdefault(judgment.judge, []).append(judgment)
    return {name: _ruled(rows) for name, rows in by_judge.items()}


def _ruled(rows: list[JudgmentRecord]) -> Ruled:
    score = prompt_score(rows)
    if score is None:
        return Ruled(outcome="unscored", inconsistent=False, judgments=tuple(rows))
    return Ruled(outcome=score.outcome, inconsistent=score.inconsistent, judgments=tuple(rows))


def judges_that_matter(summary: Summary) -> list[str]:
    """The judges that count, and people beside them; where none counts, every judge without a known bias."""
    groups = {name: group_of(name, summary) for name in summary.judges}
    if summary.counting:
        return [name for name, group in groups.items() if group in ("counts", "human")]
    return [name for name, group in groups.items() if group != "known bias"]


def contested(ruled: Mapping[str, Ruled], names: Iterable[str]) -> bool:
    """Whether these judges name different winners, or one of them does so in its two orders."""
    seen = [ruled[name] for name in names if name in ruled]
    return any(value.inconsistent for value in seen) or {"win", "loss"} <= {value.outcome for value in seen}


def all_contested(
    comparisons: Iterable[Comparison], names: Sequence[str]
) -> list[tuple[Comparison, Mapping[str, Ruled]]]:
    """The comparisons that these judges contest, with what each made of them; judges against each other first."""
    found = [(item, ruled) for item in comparisons if contested(ruled := rulings(item), names)]
    return sorted(found, key=lambda pair: not {"win", "loss"} <= {pair[1][n].outcome for n in names if n in pair[1]})
