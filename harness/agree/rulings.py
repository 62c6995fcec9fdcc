"""What every judge made of every prompt: its outcome over orders and repeats, and what single presentations said.

A prompt's score is `harness.figures.prompt_score`'s. Few combinations of verdicts occur, so each is counted once:
100,000 prompts cost no more than their keys.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.agree.rows import Row
from harness.figures import prompt_score
from harness.outcome import ORDERS, Order, Winner
from harness.records import JudgmentRecord
from harness.run import UNANSWERED
from judges.panel import Outcome

Codes = NDArray[np.int8]
OUTCOMES: tuple[Outcome, Outcome, Outcome] = ("win", "loss", "tie")
CODE: Mapping[str, int] = {name: code for code, name in enumerate(OUTCOMES)}
MISSING = -1
NAMED: Mapping[Winner | None, int] = {"candidate": 0, "baseline": 1, "tie": 2, None: MISSING}


# One presentation of a prompt: repeat, order, winner, preference, and whether a reply arrived. A plain tuple, for there
# are as many as judgments.
_Case = tuple[int, Order | None, Winner | None, float | None, bool]


class _Said(NamedTuple):
    """One presentation of a prompt: which it was, and what came of it. Not `answered`: no reply arrived."""

    repeat: int
    order: Order | None
    winner: Winner | None
    preference: float | None
    answered: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruling:
    """One judge on one prompt. Outcomes are codes (0 win, 1 loss, 2 tie, −1 no usable verdict).

    `score` is None and `outcome` −1 where no verdict is usable. `shown` are the answered presentations as (order,
    outcome); `pairs` the outcomes of both orders of every repeat in which both were answered, candidate first at first.
    `decisive` counts verdicts with a known order that name one side, `first` those for whichever was shown first;
    `repeats` are those with a usable verdict. `toward_first` counts repeats whose two orders name different
    winners, each time the one shown first; `toward_second` likewise.
    """

    score: float | None
    outcome: int
    shown: tuple[tuple[Order | None, int], ...]
    pairs: tuple[tuple[int, int], ...]
    first: int
    decisive: int
    repeats: int
    toward_first: int
    toward_second: int


Rulings = Mapping[str, Mapping[str, Ruling]]


def rulings(rows: Iterable[Row]) -> dict[str, dict[str, Ruling]]:
    """Every judge's ruling on every prompt it has a judgment of, usable or not; the order of rows tells nothing."""
    heard: dict[tuple[str, str], list[_Case]] = defaultdict(list)
    for row in rows:
        case = (row.repeat, row.order, row.winner, row.preference, row.status not in UNANSWERED)
        heard[row.judge, row.id].append(case)
    known: dict[tuple[_Case, ...], Ruling] = {}
    found: dict[str, dict[str, Ruling]] = defaultdict(dict)
    for (judge, prompt), cases in heard.items():
        if len(cases) > 1:
            cases.sort(key=_place)
        whole = tuple(cases)
        ruling = known.get(whole)
        if ruling is None:
            ruling = known[whole] = _ruling([_Said(*case) for case in whole])
        found[judge][prompt] = ruling
    return found


def _place(case: _Case) -> tuple[int, str]:
    return case[0], case[1] or ""


def _ruling(case: Sequence[_Said]) -> Ruling:
    scored = prompt_score(_record(said) for said in case)
    answered = [said for said in case if said.answered]
    by_repeat: dict[int, dict[Order | None, int]] = defaultdict(dict)
    for said in answered:
        by_repeat[said.repeat][said.order] = NAMED[said.winner]
    pairs = [(orders[ORDERS[0]], orders[ORDERS[1]]) for orders in by_repeat.values() if set(ORDERS) <= orders.keys()]
    decisive = [said for said in case if said.order is not None and said.winner not in (None, "tie")]
    return Ruling(
        score=None if scored is None else scored.score,
        outcome=MISSING if scored is None else CODE[scored.outcome],
        shown=tuple((said.order, NAMED[said.winner]) for said in answered),
        pairs=tuple(pairs),
        first=sum(said.order == f"{said.winner}_first" for said in decisive),
        decisive=len(decisive),
        repeats=len({said.repeat for said in case if said.winner is not None}),
        toward_first=pairs.count((CODE["win"], CODE["loss"])),
        toward_second=pairs.count((CODE["loss"], CODE["win"])),
    )


def _record(said: _Said) -> JudgmentRecord:
    """The record that these values came from, as far as a score needs it; it was checked where it was read."""
    return JudgmentRecord.model_construct(
        id="-", judge="-", repeat=said.repeat, order=said.order, winner=said.winner, preference=said.preference
    )


def codes_of(found: Rulings, judges: Iterable[str], prompts: Iterable[str]) -> Codes:
    """Outcome codes, a row a judge and a column a prompt."""
    wanted = list(prompts)
    rows = [
        [ruling.outcome if (ruling := mine.get(prompt)) is not None else MISSING for prompt in wanted]
        for mine in (found.get(judge, {}) for judge in judges)
    ]
    return np.array(rows, dtype=np.int8).reshape(len(rows), len(wanted))


def cluster_codes(prompts: Sequence[str], clusters: Mapping[str, str] | None) -> NDArray[np.intp] | None:
    """The cluster of every place as a number; None where no two places share one."""
    named = [clusters[prompt] for prompt in prompts] if clusters is not None else list(prompts)
    if len(set(named)) == len(named):
        return None
    return np.unique(np.asarray(named, dtype=str), return_inverse=True)[1]
