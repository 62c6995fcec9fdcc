"""The one object a score run ends in: every judge's figures, what moved against the baseline, and what to doubt.

`summarize` is pure; `ScoreSummary.as_json` is the contract's `summary.json`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from harness.goal import Met
from harness.leakage.guard import Finding
from harness.records import ScoreRecord
from harness.scoring.batching import Alone
from harness.scoring.figures import Delta, Scale, Scored, Turns, delta, scored
from harness.scoring.maps import Mapped
from harness.scoring.noise import Noise, noise_of
from harness.scoring.variance import GradeVariance
from harness.stats.stratified import WholeSet, of_whole

TOGETHER = "all judges"


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What was asked: every prompt's category, every judge's scale, and the suite's size by category.

    `turns` holds by judge which turns of every prompt it grades.
    """

    turns: Mapping[str, Turns]
    categories: Mapping[str, str | None]
    scales: Mapping[str, Scale | None]
    full: Mapping[str, int]

    @property
    def drawn(self) -> bool:
        """Whether --limit left prompts of the suite out."""
        return sum(self.full.values()) > len(self.categories)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreSummary:
    """Everything a score report says.

    `judges` are the candidate's figures by judge, `baseline` the baseline's, `deltas` candidate minus baseline.
    `categories` are of the one judge, or of the mean of all judges where they share a scale. `whole` and `whole_delta`
    hold what a draw by --limit says of all the suite's prompts. `noise` is a judge's own, where it was asked again.
    `variance`, `maps` and `goal` are `further`'s; `batching` is by role, where it was checked.
    """

    n_prompts: int
    complete: bool
    judges: Mapping[str, Scored]
    baseline: Mapping[str, Scored]
    deltas: Mapping[str, Delta]
    categories: Mapping[str, Scored]
    category_deltas: Mapping[str, Delta]
    setting: Setting
    notes: tuple[str, ...] = ()
    whole: Mapping[str, WholeSet] = field(default_factory=dict)
    whole_delta: Mapping[str, WholeSet] = field(default_factory=dict)
    noise: Mapping[str, Noise] = field(default_factory=dict)
    leakage: Finding | None = None
    graded: bool = True
    variance: tuple[GradeVariance, ...] = ()
    maps: Mapping[str, Mapped] = field(default_factory=dict)
    goal: Met | None = None
    batching: Mapping[str, Alone] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """`summary.json`: the contract's keys first, then those this project adds."""
        known: dict[str, Any] = {
            "kind": "score",
            "n_prompts": self.n_prompts,
            "complete": self.complete,
            "judges": {name: found.as_json() for name, found in self.judges.items()},
            "categories": {name: found.as_json() for name, found in self.categories.items()},
        }
        if self.baseline:
            known["delta"] = {name: found.as_json() for name, found in self.deltas.items()}
            known["baseline"] = {name: found.as_json() for name, found in self.baseline.items()}
            known["category_delta"] = {name: found.as_json() for name, found in self.category_deltas.items()}
        if self.setting.drawn:
            known["whole_suite"] = {
                "prompts": sum(self.setting.full.values()),
                "judges": {name: _whole_json(found) for name, found in self.whole.items()},
                "delta": {name: _whole_json(found) for name, found in self.whole_delta.items()},
            }
        if self.noise:
            known["judge_noise"] = {name: found.as_json() for name, found in self.noise.items()}
        if self.variance:
            known["variance"] = [found.as_json() for found in self.variance]
        if self.maps:
            known["reward_maps"] = {name: found.as_json() for name, found in self.maps.items()}
        if self.goal is not None:
            known["goal"] = self.goal.as_json()
        if self.batching:
            known["batching"] = {role: found.as_json() for role, found in self.batching.items()}
        if self.leakage is not None:
            known["leakage"] = {
                "exact": len(self.leakage.exact),
                "near": len(self.leakage.near),
                "ids": list(self.leakage.ids),
            }
        return known | {"notes": list(self.notes)}


def _whole_json(found: WholeSet) -> dict[str, Any]:
    return {"n": found.n, "mean": found.mean, "se": found.se, "ci": list(found.ci) if found.ci else None}


def summarize(
    candidate: Sequence[ScoreRecord],
    baseline: Sequence[ScoreRecord],
    setting: Setting,
    *,
    judges: Sequence[str],
    complete: bool,
    notes: Sequence[str] = (),
    leakage: Finding | None = None,
) -> ScoreSummary:
    """All figures of a score run from its score records; `judges` names every judge, also one without a score."""
    ours = {name: _of(name, candidate, setting) for name in judges}
    theirs = {name: _of(name, baseline, setting) for name in judges} if baseline else {}
    deltas = {
        name: delta(ours[name][1], theirs[name][1], setting.scales.get(name)) for name in judges if name in theirs
    }
    together = _together({name: scores for name, (_, scores) in ours.items()}, setting)
    scale = _shared(setting) if together is not None else None
    return ScoreSummary(
        n_prompts=len(setting.categories),
        complete=complete,
        judges={name: found for name, (found, _) in ours.items()},
        baseline={name: found for name, (found, _) in theirs.items()},
        deltas=deltas,
        categories=_categories(together, setting, scale) if together is not None else {},
        category_deltas=_category_deltas(ours, theirs, setting, scale) if together is not None and theirs else {},
        setting=setting,
        notes=tuple(notes),
        whole={name: _whole(scores, setting, _range(name, setting)) for name, (_, scores) in ours.items()}
        if setting.drawn
        else {},
        whole_delta={
            name: _whole(found.by_prompt, setting, _range(name, setting, both_ways=True))
            for name, found in deltas.items()
        }
        if setting.drawn
        else {},
        noise={name: found for name in judges if (found := noise_of([*candidate, *baseline], name)) is not None},
        leakage=leakage,
        graded=any(found.n for found, _ in ours.values()),
    )


def _of(judge: str, records: Sequence[ScoreRecord], setting: Setting) -> tuple[Scored, dict[str, float]]:
    rows = [record for record in records if record.judge == judge]
    return scored(rows, setting.turns.get(judge, {}), setting.categories, setting.scales.get(judge))


def _shared(setting: Setting) -> Scale | None:
    """The scale that all judges share; None where they do not."""
    scales = set(setting.scales.values())
    return next(iter(scales)) if len(scales) == 1 else None


def _together(by_judge: Mapping[str, Mapping[str, float]], setting: Setting) -> dict[str, float] | None:
    """Every prompt's mean over judges, of those that all scored; None where the judges have scales of their own."""
    held = [scores for scores in by_judge.values() if scores]
    if not held or (len(by_judge) > 1 and _shared(setting) is None):
        return None
    both = set.intersection(*(set(scores) for scores in held))
    return {prompt: fmean(sorted(scores[prompt] for scores in held)) for prompt in setting.categories if prompt in both}


def _categories(scores: Mapping[str, float], setting: Setting, scale: Scale | None) -> dict[str, Scored]:
    """The figures of every category, from prompt scores taken together."""
    found = {}
    for name, ids in _ids(setting).items():
        records = [
            ScoreRecord(id=prompt, judge=TOGETHER, turn=1, score=scores[prompt]) for prompt in ids if prompt in scores
        ]
        found[name] = scored(records, dict.fromkeys(ids, (1,)), {}, scale)[0]
    return found


def _category_deltas(
    ours: Mapping[str, tuple[Scored, Mapping[str, float]]],
    theirs: Mapping[str, tuple[Scored, Mapping[str, float]]],
    setting: Setting,
    scale: Scale | None,
) -> dict[str, Delta]:
    """Candidate minus baseline in every category, by the judges that scored something of both: each has its level."""
    names = [name for name in ours if ours[name][1] and theirs[name][1]]
    a, b = (_together({name: side[name][1] for name in names}, setting) or {} for side in (ours, theirs))
    return {
        name: delta({p: a[p] for p in ids if p in a}, {p: b[p] for p in ids if p in b}, scale)
        for name, ids in _ids(setting).items()
    }


def _ids(setting: Setting) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for prompt, category in setting.categories.items():
        if category is not None:
            found[category].append(prompt)
    return {name: found[name] for name in sorted(found)}


def _range(judge: str, setting: Setting, *, both_ways: bool = False) -> Scale | None:
    """The range of a judge's scores, or of their differences."""
    scale = setting.scales.get(judge)
    return scale if scale is None or not both_ways else (scale[0] - scale[1], scale[1] - scale[0])


def _whole(values: Mapping[str, float], setting: Setting, bounds: Scale | None) -> WholeSet:
    """What the drawn prompts say of all the suite's."""
    drawn: dict[str, list[float]] = {name: [] for name in setting.full}
    for prompt, value in values.items():
        drawn[setting.categories.get(prompt) or ""].append(value)
    return of_whole({name: listed for name, listed in drawn.items() if listed}, setting.full, bounds=bounds)
