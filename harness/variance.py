"""From judgments to where their differences come from, and what more of would help: values in, sentences out.

Takes the largest balanced core of the judgments and says what it left out. It refuses nothing: where nothing can be
split there is no split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.figures import VALUE
from harness.records import JudgmentRecord
from harness.report.numerals import in_percent, listed, plural
from harness.stats.variance import PARTS, WITHIN_RESIDUAL, Advice, Part, Split, advice
from harness.stats.variance import split as split_table

SEED = 0
# A core of fewer prompts, or of less than half of them, says little of all.
FEWEST = 10
_ORDERS = {"candidate_first": 0, "baseline_first": 1, None: 2}
NAMES = {
    "prompt": "the prompt",
    "generation": "the generation",
    "judge": "the judge",
    "judge_prompt": "judge and prompt together",
    "order": "the order",
    "order_prompt": "order and prompt together",
    "judge_order": "judge and order together",
    "residual": "what is left",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class VarianceSplit:
    """The parts of a single verdict's variance over the balanced core, and what they advise.

    `used` verdicts are in the core and `dropped` usable ones are not; `left_out` are judges with too few verdicts to
    stand in it. `advice` is None where the prompts' scores do not vary. `split` is None where the core is too small to
    speak for all verdicts.
    """

    split: Split | None
    advice: Advice | None
    judges: tuple[str, ...]
    left_out: tuple[str, ...]
    used: int
    dropped: int

    def as_json(self) -> dict[str, Any]:
        """The object of summary.json: parts with their shares, the advice, and what was left out; or why not."""
        if self.split is None:
            return {"parts": None, "reason": self._too_small(), "verdicts": self.used, "dropped": self.dropped}
        design = self.split.design
        return {
            "prompts": design.prompts,
            "repeats": design.repeats,
            "judges": list(self.judges),
            "orders": design.orders,
            "verdicts": self.used,
            "dropped": self.dropped,
            "left_out": list(self.left_out),
            "total": _plain(self.split.total),
            "parts": {name: _part_json(self.split.parts[name]) for name in PARTS},
            "advice": _advice_json(self.advice) if self.advice else None,
        }

    def sentences(self) -> list[str]:
        """What a reader should know of it, plainly: where the differences come from, what would help, what is open."""
        if self.split is None:
            return [self._too_small()]
        said = [self._shares(self.split)]
        if self.split.total == 0:
            return said
        if self.advice is not None:
            said += [*_worth(self.advice), _doubled(self.advice, len(self.judges))]
        return [*said, *self._other_judges(self.split), *self._open(self.split), *self._left_out()]

    def _too_small(self) -> str:
        of = f"{self.used:,} of {plural(self.used + self.dropped, 'usable verdict')}"
        return (
            f"Where verdicts' differences come from cannot be told: {of} can be set in a table with as many repeats, "
            f"judges and orders for every prompt, and it takes {FEWEST} prompts and half of them all."
        )

    def _shares(self, split: Split) -> str:
        design = split.design
        judges = f" × {plural(design.judges, 'judge')}" if design.judges > 1 else ""
        orders = " × 2 orders" if design.orders > 1 else ""
        of = f"{plural(design.prompts, 'prompt')} × {plural(design.repeats, 'repeat')}{judges}{orders}"
        begun = f"Why single verdicts differ ({of}; shares of the variance"
        if split.total == 0:
            return f"Single verdicts do not differ at all ({of}); nothing can be said of where differences come from."
        shown = [(name, split.parts[name]) for name in PARTS if split.parts[name].variance is not None]
        interval = ", 95 % in brackets" if any(part.ci for _, part in shown) else ""
        return f"{begun}{interval}): {', '.join(f'{NAMES[name]} {_share(part)}' for name, part in shown)}."

    def _other_judges(self, split: Split) -> list[str]:
        part = split.parts["judge"]
        if not part.variance:
            return []
        return [
            f"From judge to judge the whole win rate differs by about {_points(part.variance**0.5)} points (SD, from "
            f"{len(self.judges)} judges); no number of prompts takes that away."
        ]

    def _open(self, split: Split) -> list[str]:
        design, parts = split.design, split.parts
        said = []
        if design.judges == 1:
            said.append("There is one judge, so that nothing is known of what another would say.")
        if design.orders == 1:
            said.append("Every response pair stands here in one order, so that the order's part is within the others.")
        if design.repeats == 1:
            said.append("There is one repeat, so that the generation's part is within the prompt's.")
        within = [NAMES[name] for name in PARTS if parts[name].reason == WITHIN_RESIDUAL]
        if within:
            said.append(f"Too little was asked of each response pair to tell {listed(within)} from what is left.")
        below = [NAMES[name] for name in PARTS if (parts[name].raw or 0.0) < 0]
        if below:
            said.append(f"Estimated below zero by chance, and taken as 0: {listed(below)}.")
        if parts["residual"].ci is None:
            said.append(f"{design.prompts} prompts are too few to say how sure these shares are.")
        return said

    def _left_out(self) -> list[str]:
        said = []
        if self.left_out:
            said.append(f"Left out here for too few verdicts: {listed(self.left_out)}.")
        if self.dropped:
            said.append(
                "Left out here, so that every prompt has as many repeats, judges and orders: "
                f"{self.dropped:,} of {plural(self.used + self.dropped, 'usable verdict')}."
            )
        return said


def split(
    judgments: Sequence[JudgmentRecord], judges: Sequence[str], *, rng: np.random.Generator | None = None
) -> VarianceSplit | None:
    """Where the differences between these judges' single verdicts come from.

    `judges` are those that count; judgments of others, and those without a winner, are passed over. None where no
    balanced core of two prompts with two verdicts each is left. The order of the judgments changes nothing; the same
    judgments give the same intervals (`rng` draws them, by default from a fixed seed).
    """
    cube, units, usable, named, left_out = _cube(judgments, judges)
    table = _core(cube, units)
    if table is None or table[0].size < 2:
        return None
    used = int(table.size)
    enough = table.shape[0] >= FEWEST and 2 * table.shape[0] >= np.unique(units).size
    found = split_table(table, rng=rng or np.random.default_rng(SEED)) if enough else None
    if enough and found is None:
        return None
    return VarianceSplit(
        split=found,
        advice=advice(found) if found is not None else None,
        judges=named,
        left_out=left_out,
        used=used,
        dropped=usable - used,
    )


def _cube(
    judgments: Sequence[JudgmentRecord], judges: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.int64], int, tuple[str, ...], tuple[str, ...]]:
    """Verdicts as (unit, judge, order) with NaN where there is none; the prompt of every unit, a generation of it.

    Judges with fewer than half as many usable verdicts as the most diligent are left out. Units are sorted, so that the
    order of lines says nothing.
    """
    place = {name: number for number, name in enumerate(dict.fromkeys(judges))}
    rows = [
        (j.id, j.repeat, place[j.judge], _ORDERS[j.order], VALUE[j.winner] if j.preference is None else j.preference)
        for j in judgments
        if j.winner is not None and j.judge in place
    ]
    if not rows:
        return np.empty((0, 0, 3)), np.empty(0, dtype=np.int64), 0, (), ()
    ids, repeats, judges_of, order, value = zip(*rows, strict=True)
    judge = np.asarray(judges_of)
    counts = np.bincount(judge, minlength=len(place))
    kept = np.flatnonzero(2 * counts >= counts.max())
    number = np.full(len(place), -1)
    number[kept] = np.arange(kept.size)
    mine = number[judge] >= 0
    prompts = {prompt: rank for rank, prompt in enumerate(sorted(set(ids)))}
    numbers, repeat = np.unique(np.asarray(repeats), return_inverse=True)
    units, unit = np.unique(
        np.asarray([prompts[prompt] for prompt in ids]) * numbers.size + repeat, return_inverse=True
    )
    cube = np.full((units.size, kept.size, 3), np.nan)
    cube[unit[mine], number[judge[mine]], np.asarray(order)[mine]] = np.asarray(value, dtype=np.float64)[mine]
    labels = list(place)
    left_out = tuple(name for name in labels if number[place[name]] < 0)
    return cube, units // numbers.size, int(mine.sum()), tuple(labels[index] for index in kept), left_out


def _core(cube: NDArray[np.float64], prompt: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """The balanced table (prompts, repeats, judges, orders) that keeps most verdicts; None where there is none.

    Both orders where they keep as many generations as one order would keep verdicts of; judges that were shown a
    generation in different orders stand together where else less than half would be left. Several repeats are preferred
    to one where they keep at least a quarter of the verdicts, for one repeat says nothing of generations.
    """
    if cube.size == 0:
        return None
    here: NDArray[np.bool_] = np.logical_not(np.isnan(cube).any(axis=1))
    both, one = here[:, :2].all(axis=1), here.any(axis=1)
    if both.any() and 2 * both.sum() >= one.sum():
        return stacked(cube[both][:, :, :2], prompt[both])
    each: NDArray[np.bool_] = np.logical_not(np.isnan(cube))
    any_order: NDArray[np.bool_] = np.all(each.any(axis=2), axis=1)
    if 2 * one.sum() < any_order.sum():
        own = np.argmax(each[any_order], axis=2)
        return stacked(np.take_along_axis(cube[any_order], own[:, :, None], axis=2), prompt[any_order])
    first = np.argmax(here[one], axis=1)
    return stacked(np.take_along_axis(cube[one], first[:, None, None], axis=2), prompt[one])


def stacked(values: NDArray[np.float64], prompt: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Complete units (sorted by prompt) as prompts × repeats, with the number of repeats that keeps most of them."""
    counts = np.bincount(prompt)
    counts = counts[counts > 0]
    kept = {number: number * int((counts >= number).sum()) for number in range(1, int(counts.max(initial=0)) + 1)}
    kept = {number: units for number, units in kept.items() if units >= 2 * number}
    fewest = max(FEWEST, counts.size / 2)
    kept = {number: units for number, units in kept.items() if units >= fewest * number} or kept
    if not kept:
        return None
    several = {number: units for number, units in kept.items() if number > 1 and 4 * units >= max(kept.values())}
    chosen = several or kept
    repeats = max(chosen, key=lambda number: (chosen[number], number))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])[counts >= repeats]
    return values[starts[:, None] + np.arange(repeats)]


def _share(part: Part) -> str:
    if part.share is None:
        return "0 %"
    text = f"{in_percent(part.share, 0)} %"
    return f"{text} ({in_percent(part.ci[0], 0)}–{in_percent(part.ci[1], 0)})" if part.ci else text


def _worth(found: Advice) -> list[str]:
    if found.worth is None or found.spread_out is None:
        return []
    worth = round(found.worth)
    interval = f" (95 % {found.worth_ci[0]:,.0f}–{found.worth_ci[1]:,.0f})" if found.worth_ci else ""
    said = f"{found.repeats} repeats on {found.prompts:,} prompts are worth {worth:,} prompts{interval} with one repeat"
    if found.spread_out < 0.98 * found.se:
        return [
            f"{said}; as many calls on {found.spread_prompts:,} prompts with one repeat would bring the standard error "
            f"of the win rate from {_points(found.se)} to {_points(found.spread_out)} points: add prompts, not repeats."
        ]
    return [f"{said}: repeats tell nearly as much as new prompts here."]


def _doubled(found: Advice, judges: int) -> str:
    of = "" if judges == 1 else " (the mean of these judges)"
    said = [f"twice as many {name} {_points(se)}" for name, se in found.doubled.items() if se is not None]
    open_ = [name for name, se in found.doubled.items() if se is None]
    text = (
        f"By these parts the standard error of the win rate{of} is {_points(found.se)} points over {found.prompts:,} "
        "prompts; with "
        f"{', with '.join(said)}"
    )
    if found.best_here is not None and len(said) > 2:
        text += f" (where there are no more prompts, {found.best_here} help most)"
    if open_:
        text += f"; what more {' or '.join(open_)} would do cannot be told from one"
    return f"{text}."


def _points(size: float) -> str:
    return f"{100 * size:.1f}"


def _plain(value: float) -> float:
    """Nine significant digits: what a sum's last bits say depends on the machine."""
    return float(f"{value:.9g}")


def _pair(ends: tuple[float, float] | None) -> list[float] | None:
    return [_plain(end) for end in ends] if ends else None


def _part_json(part: Part) -> dict[str, Any]:
    if part.variance is None:
        return {"variance": None, "share": None, "ci": None, "reason": part.reason}
    known: dict[str, Any] = {
        "variance": _plain(part.variance),
        "share": None if part.share is None else _plain(part.share),
        "ci": _pair(part.ci),
    }
    return known | ({"negative": _plain(part.raw)} if part.raw is not None and part.raw < 0 else {})


def _advice_json(found: Advice) -> Mapping[str, Any]:
    return {
        "se": _plain(found.se),
        "worth": None if found.worth is None else _plain(found.worth),
        "worth_ci": _pair(found.worth_ci),
        "as_many_calls": {
            "prompts": found.spread_prompts,
            "se": None if found.spread_out is None else _plain(found.spread_out),
        },
        "doubled": {name: None if se is None else _plain(se) for name, se in found.doubled.items()},
        "best": found.best,
        "best_without_prompts": found.best_here,
    }
