"""What a matrix was run to find out, answered by paired tests: five questions, one family of p-values (Holm).

The item is the unit, or the cluster where items share one. An approach's score on an item is the share of its models
that are right on it, so that nothing is picked by its own result; two approaches are held against each other on the
items of the tasks that both have, each task counting alike. A question about a margin is answered yes or no where the
test against that margin, adjusted for all tests of the family, is below 0.05, and is undecided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.stats.careful import exceeds, of_clusters, of_values
from harness.stats.multiple import holm
from harness.stats.paired import mcnemar
from harness.stats.pooled import Pooled, mean_over_groups

Family = Literal["encoder", "language"]
Verdict = Literal["yes", "no", "undecided", "not asked"]
MARGIN = 0.02
ALPHA = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """A cell that was run: which items it got right (1) or wrong (0), and what it took.

    `clusters` names every item's, where any two items share one. `parameters` is the model's size; `train_s` is 0 where
    nothing was trained, None where it is not known.
    """

    model: str
    task: str
    mode: str
    family: Family
    right: Mapping[str, float]
    slices: Mapping[str, frozenset[str]]
    clusters: Mapping[str, str] = field(default_factory=dict)
    parameters: int | None = None
    train_s: float | None = None
    latency_ms: float | None = None
    items_per_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """a against b on the same items: the difference a − b, and the p-value of its test against `null`.

    `careful` is a second one, where there is one: McNemar's exact of two cells of one task, and of a margin the one of
    a regression gate, which holds its rate where few items differ.
    """

    a: str
    b: str
    tasks: tuple[str, ...]
    found: Pooled
    null: float = 0.0
    careful: float | None = None
    p_adjusted: float | None = None

    @property
    def p_value(self) -> float | None:
        """Two-sided, against `null`: the larger of the pooled test's and the careful one."""
        pooled = self.found.p_value(self.null)
        return pooled if pooled is None or self.careful is None else max(pooled, self.careful)

    @property
    def above(self) -> Verdict:
        """Whether the difference is above `null`, by the adjusted test."""
        if self.p_adjusted is None or self.found.mean is None or self.p_adjusted > ALPHA:
            return "undecided"
        return "yes" if self.found.mean > self.null else "no"

    def as_json(self) -> dict[str, Any]:
        """For summary.json."""
        return {
            "a": self.a,
            "b": self.b,
            "tasks": list(self.tasks),
            "n": self.found.n,
            "units": self.found.units,
            "difference": self.found.mean,
            "ci": list(self.found.ci) if self.found.ci else None,
            "null": self.null,
            "p_value": self.p_value,
            "p_adjusted": self.p_adjusted,
            "reason": self.found.reason,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One of the five, its contrasts, and its answer in a word where it has one."""

    name: str
    asked: str
    contrasts: tuple[Contrast, ...] = ()
    verdict: Verdict | None = None
    lacking: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For summary.json."""
        return {
            "name": self.name,
            "asked": self.asked,
            "verdict": self.verdict,
            "lacking": self.lacking,
            "contrasts": [contrast.as_json() for contrast in self.contrasts],
        }


Chosen = Callable[[Result], bool]


def questions(results: Sequence[Result], margin: float = MARGIN) -> tuple[Question, ...]:
    """The questions with their answers; p-values are adjusted over all contrasts of all of them."""
    asked = (
        _match(results, margin),
        _few_shot(results, margin),
        _size(results),
        _efficient(results),
        _struggle(results),
    )
    family = [contrast for question in asked for contrast in question.contrasts]
    p_values = [p for contrast in family if (p := contrast.p_value) is not None]
    adjusted = iter(holm(p_values).tolist())
    settled = iter(
        [replace(contrast, p_adjusted=next(adjusted) if contrast.p_value is not None else None) for contrast in family]
    )
    found = (replace(question, contrasts=tuple(next(settled) for _ in question.contrasts)) for question in asked)
    return tuple(_answered(question) for question in found)


def _answered(question: Question) -> Question:
    """With its answer, where it is one of yes and no."""
    if question.lacking is not None:
        return replace(question, verdict="not asked")
    if question.name in ("match", "few_shot"):
        return replace(question, verdict=question.contrasts[0].above)
    return question


def _match(results: Sequence[Result], margin: float) -> Question:
    asked = f"Can tuned language models match fine-tuned encoders (within {100 * margin:g} points)?"
    return _within("match", asked, results, margin, ("LoRA", _tuned), ("fine-tuning", _fine_tuned))


def _few_shot(results: Sequence[Result], margin: float) -> Question:
    asked = f"Is few-shot prompting within {100 * margin:g} points of fine-tuning?"
    return _within("few_shot", asked, results, margin, ("few-shot", _mode("few-shot")), ("fine-tuning", _fine_tuned))


def _within(
    name: str, asked: str, results: Sequence[Result], margin: float, a: tuple[str, Chosen], b: tuple[str, Chosen]
) -> Question:
    """The first contrast is of all that a chooses, and answers; where that is of several modes, one of each follows."""
    sides = [(label, [each for each in results if chosen(each)]) for label, chosen in (a, b)]
    missing = [label for label, own in sides if not own]
    if missing:
        return Question(name=name, asked=asked, lacking=f"no cell with {' and '.join(missing)} was run")
    own, other = sides
    modes = list(dict.fromkeys(each.mode for each in own[1]))
    parts = [own] if len(modes) == 1 else [(f"{a[0]} ({' and '.join(modes)})", own[1])]
    parts += [(mode, [each for each in own[1] if each.mode == mode]) for mode in modes if len(modes) > 1]
    found = tuple(one for part in parts if (one := contrast(*part, *other, null=-margin)) is not None)
    if not found:
        return Question(name=name, asked=asked, lacking=f"{a[0]} and {b[0]} have no task in common")
    return Question(name=name, asked=asked, contrasts=found)


def _size(results: Sequence[Result]) -> Question:
    """The next larger model against each, by mode, among language models whose size is known."""
    asked = "How much does the size of a language model matter?"
    found = []
    for mode in dict.fromkeys(each.mode for each in results):
        own = [each for each in results if each.mode == mode and each.family == "language" and each.parameters]
        sizes = {each.model: each.parameters or 0 for each in own}
        ordered = sorted(sizes, key=lambda model: sizes[model])
        for small, large in pairwise(ordered):
            if sizes[small] == sizes[large]:
                continue
            sides = [(f"{model} {mode}", [each for each in own if each.model == model]) for model in (large, small)]
            one = contrast(*sides[0], *sides[1])
            found += [one] if one else []
    if not found:
        return Question(name="size", asked=asked, lacking="no mode has language models of two known sizes")
    return Question(name="size", asked=asked, contrasts=tuple(found))


def _efficient(results: Sequence[Result]) -> Question:
    """Answered by figures, not by a test: training time, latency and accuracy stand in the table."""
    return Question(name="efficiency", asked="Which approach is the most efficient?")


def _struggle(results: Sequence[Result]) -> Question:
    """Language models, tuned where any are, against encoders: task by task, and slice by slice."""
    asked = "Where do language models fall behind encoders?"
    encoders = [each for each in results if each.family == "encoder"]
    tuned = [each for each in results if _tuned(each)]
    models = tuned or [each for each in results if each.family == "language" and each.mode == "few-shot"]
    models = models or [each for each in results if each.family == "language"]
    if not encoders or not models:
        return Question(name="struggle", asked=asked, lacking="there are no cells of both kinds")
    modes = dict.fromkeys(each.mode for each in models)
    named = " and ".join(modes)
    found = []
    for task in dict.fromkeys(each.task for each in results):
        a, b = ([each for each in side if each.task == task] for side in (models, encoders))
        one = contrast(f"{named} on {task}", a, f"encoders on {task}", b)
        found += [one] if one else []
        names = sorted({name for each in (*a, *b) for own in each.slices.values() for name in own})
        for name in names:
            part = contrast(
                f"{named} on {task}, {name}", [_only(each, name) for each in a],
                f"encoders on {task}, {name}", [_only(each, name) for each in b],
            )  # fmt: skip
            found += [part] if part else []
    if not found:
        return Question(name="struggle", asked=asked, lacking="no task has cells of both kinds")
    return Question(name="struggle", asked=asked, contrasts=tuple(found))


def contrast(a: str, own: Iterable[Result], b: str, other: Iterable[Result], *, null: float = 0.0) -> Contrast | None:
    """a against b over the tasks that both have, on the items that all their cells have; None without any."""
    mine, theirs = _by_task(own), _by_task(other)
    groups, clusters, tasks = [], [], []
    for task in mine:
        if task not in theirs:
            continue
        first, second = _shares(mine[task]), _shares(theirs[task])
        shared = [item for item in first if item in second]
        if shared:
            groups.append(np.array([first[item] - second[item] for item in shared]))
            named = mine[task][0].clusters
            clusters.append([named.get(item, item) for item in shared])
            tasks.append(task)
    if not groups:
        return None
    found = mean_over_groups(groups, (-1.0, 1.0), clusters=clusters)
    careful = None
    if found.ci is not None and null != 0:
        careful = _of_margin(groups, clusters, null, above=(found.mean or 0.0) > null)
    elif len(groups) == 1 and np.isin(groups[0], (-1.0, 0.0, 1.0)).all():
        careful = mcnemar(int((groups[0] > 0).sum()), int((groups[0] < 0).sum())).p_value
    return Contrast(a=a, b=b, tasks=tuple(tasks), found=found, null=null, careful=careful)


def _of_margin(
    groups: Sequence[NDArray[np.float64]], clusters: Sequence[Sequence[str]], null: float, *, above: bool
) -> float:
    """The two-sided p-value of the gate's test (`careful`) of the groups' mean against a margin, on the side it lies.

    Values are weighted so that their mean is the mean of the groups' means: tasks count alike. That they are then taken
    as one sample adds the spread between tasks, which is careful too.
    """
    n, k = sum(group.size for group in groups), len(groups)
    weights = [n / (k * group.size) for group in groups]
    sign = 1.0 if above else -1.0
    values = sign * np.concatenate([group * weight for group, weight in zip(groups, weights, strict=True)])
    names = [f"{place} {name}" for place, own in enumerate(clusters) for name in own]
    lowest = -max(weights)
    samples = of_values(values)
    if len(set(names)) < len(names):
        samples, lowest = of_clusters(values, names, lowest)
    return min(1.0, 2 * float(exceeds(samples, sign * null, lowest)[0]))


def _by_task(results: Iterable[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for each in results:
        found.setdefault(each.task, []).append(each)
    return found


def _shares(results: Sequence[Result]) -> dict[str, float]:
    """The share of cells that are right on each item that all of them have."""
    shared = [item for item in results[0].right if all(item in each.right for each in results)]
    return {item: sum(each.right[item] for each in results) / len(results) for item in shared}


def _only(result: Result, name: str) -> Result:
    """A cell's items of one slice."""
    kept = {item: value for item, value in result.right.items() if name in result.slices.get(item, ())}
    return replace(result, right=kept)


def _mode(name: str) -> Chosen:
    return lambda result: result.mode == name


def _tuned(result: Result) -> bool:
    return result.family == "language" and result.mode.startswith("lora")


def _fine_tuned(result: Result) -> bool:
    return result.family == "encoder" and result.mode == "fine-tune"
