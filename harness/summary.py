"""The one object a comparison ends in: the figures of every judge, the panel, the decision, and what to doubt.

`summarize` is pure; `Summary.as_json` is the contract's `summary.json`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.audit.standing import JudgeStanding, standings
from harness.criteria import Graded, graded
from harness.decision import ControlCount, Decision, clustered_decision, control_counts, counting, decide, nobody
from harness.figures import (
    NO_CLUSTERS,
    PromptScore,
    Result,
    judge_result,
    longer_wins,
    panel_of,
    panel_result,
    panel_votes,
)
from harness.goal import Met
from harness.leakage.guard import Finding
from harness.lengths import at_equal_length, length_differences
from harness.panel import Panel, Weighing, weighing
from harness.records import JudgmentRecord
from harness.stopping import Stopping
from harness.toolong import ends
from harness.variance import VarianceSplit, split
from judges.panel import Rule
from judges.types import Criterion

MANY = 5000


@dataclass(frozen=True, kw_only=True, slots=True)
class Length:
    """Of `decisive` verdicts on responses of different length, how many named the `longer` one."""

    longer: int
    decisive: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaked:
    """What was found in training data, and what the comparison says without it.

    `without` is the panel's result, or the one counting judge's, over the prompts that are not leaked; `decision` and
    `reason` are what it alone would allow to be said.
    """

    finding: Finding
    without: Result
    decision: Decision
    reason: str

    def as_json(self) -> dict[str, Any]:
        """The object of the contract, with the keys this project adds at its end."""
        finding = self.finding
        return {
            "exact": len(finding.exact),
            "near": len(finding.near),
            "ids": list(finding.ids),
            "without_leaked": self.without.as_json(),
            "decision_without_leaked": self.decision,
            "prompts": finding.prompts,
            "examples": finding.examples,
            "checked": dict(finding.checked),
            "seen": {role: len(ids) for role, ids in finding.seen.items()},
            "unknown": list(finding.unknown),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowed:
    """What a decision would be under another reading, and why."""

    decision: Decision
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """Everything a report says. `deciding` is the panel's result or the one counting judge's; None where none counts.

    `n_judgments` counts judgment records, `identical` comparisons whose responses were the same text (ties without a
    call), `notes` are sentences on what may be wrong, missing or not comparable. `leakage` is None where no training
    data are known, `clustered` where no two prompts share a cluster, `stopped` where the run was to ask all prompts,
    `variance` where one judge ruled once. `criteria` are the grades beside the verdicts, by judge and criterion;
    `standings` what each judge owes to place, order and length; `weighing` how a gold judge weighed a panel; `soft` the
    judges of a panel whose verdicts are probabilities; `goal` what became of the suite's;
    `unfit` by judge what no context had room for (see `toolong.ends`).
    """

    n_prompts: int
    n_judgments: int
    decision: Decision
    reason: str
    complete: bool
    equivalence: float
    judges: Mapping[str, Result]
    panel: Result | None
    categories: Mapping[str, Result]
    by_category: Mapping[str, Mapping[str, Result]]
    controls: Mapping[str, ControlCount | None]
    counting: tuple[str, ...]
    unusable: tuple[str, ...]
    statuses: Mapping[str, Mapping[str, int]]
    lengths: Mapping[str, Length]
    identical: int
    notes: tuple[str, ...]
    leakage: Leaked | None = None
    clustered: Allowed | None = None
    stopped: Stopping | None = None
    variance: VarianceSplit | None = None
    rule: Rule = "majority"
    gold: str | None = None
    criteria: Mapping[str, Mapping[str, Graded]] = field(default_factory=dict)
    standings: Mapping[str, JudgeStanding] = field(default_factory=dict)
    weighing: Weighing | None = None
    soft: tuple[str, ...] = ()
    goal: Met | None = None
    unfit: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def deciding(self) -> Result | None:
        """What the decision rests on."""
        if self.panel is not None:
            return self.panel
        return self.judges[self.counting[0]] if self.counting else None

    def as_json(self) -> dict[str, Any]:
        """`summary.json`: the contract's keys first, then those this project adds."""
        known: dict[str, Any] = {
            "kind": "pairwise",
            "n_prompts": self.n_prompts,
            "decision": self.decision,
            "complete": self.complete,
            "judges": {name: result.as_json() for name, result in self.judges.items()},
        }
        if self.panel is not None:
            known["panel"] = self.panel.as_json()
        known["categories"] = {name: result.as_json() for name, result in self.categories.items()}
        known["controls"] = {name: count.as_json() if count else None for name, count in self.controls.items()}
        if self.leakage is not None:
            known["leakage"] = self.leakage.as_json()
        if self.clustered is not None:
            known["decision_clustered"] = self.clustered.decision
        if self.stopped is not None:
            known["sequential"] = self.stopped.as_json()
        if self.criteria:
            known["criteria"] = {
                judge: {name: grade.as_json() for name, grade in by_name.items()}
                for judge, by_name in self.criteria.items()
            }
        if self.variance is not None:
            known["variance"] = self.variance.as_json()
        if self.unfit:
            known["too_long"] = {name: dict(counts) for name, counts in self.unfit.items()}
        if self.goal is not None:
            known["goal"] = self.goal.as_json()
        return known | {
            "reason": self.reason,
            "equivalence": self.equivalence,
            "counting": list(self.counting),
            **({"panel_rule": self.rule} if self.panel is not None else {}),
            **({"panel_gold": self.gold} if self.gold is not None else {}),
            **({"panel_weights": self.weighing.as_json()} if self.weighing is not None else {}),
            "unusable": list(self.unusable),
            "n_judgments": self.n_judgments,
            "identical": self.identical,
            "statuses": {name: dict(counts) for name, counts in self.statuses.items()},
            "length": {name: {"longer": v.longer, "decisive": v.decisive} for name, v in self.lengths.items()},
            "judging": {name: found.as_json() for name, found in self.standings.items()},
            "notes": list(self.notes),
        }


def summarize(
    judgments: Sequence[JudgmentRecord],
    *,
    prompts: Mapping[str, str | None],
    judges: Sequence[str],
    control_rights: Mapping[str, Sequence[bool | None]],
    complete: bool,
    equivalence: float,
    identical: int = 0,
    notes: Sequence[str] = (),
    leakage: Finding | None = None,
    clusters: Mapping[str, str] = NO_CLUSTERS,
    stopped: Stopping | None = None,
    rule: Rule = "majority",
    gold: str | None = None,
    criteria: Sequence[Criterion] = (),
) -> Summary:
    """All figures of one comparison.

    `prompts` maps every prompt id to its category, `clusters` those that have one to their cluster; `judges` names
    every judge, also one without a usable verdict; `control_rights` holds the control verdicts of the judges that have
    controls; `leakage` is what was found in training data, where any are known; `stopped` where a run stood that asks
    only until it is decided. `rule` is how a panel decides, `gold` the judge that its judges are weighed by;
    `criteria` tell the scales of their grades.
    """
    by_judge: dict[str, list[JudgmentRecord]] = {name: [] for name in judges}
    for judgment in judgments:
        by_judge[judgment.judge].append(judgment)
    ids = list(prompts)
    judged = {name: judge_result(rows, ids, clusters) for name, rows in by_judge.items()}
    scores = {name: found for name, (_, found) in judged.items()}
    controls = control_counts(control_rights)
    unusable = tuple(name for name in judges if name in controls and not controls[name].usable)
    count = counting(judges, unusable, gold)
    how = panel_of(rule, gold, judgments, ids, clusters)
    panel = panel_result([scores[name] for name in count], ids, clusters, how) if len(count) > 1 else None
    plain = {name: found for name, (found, _) in judged.items()}
    results, panel = _at_equal_length(plain, panel, count, scores, length_differences(judgments), how)
    by_category = _by_category(by_judge, scores, prompts)
    deciding = panel or (results[count[0]] if count else None)
    decision, reason = decide(
        deciding, complete=complete, equivalence=equivalence, judges=[results[name] for name in count]
    )
    if stopped is not None:
        decision, reason = stopped.confirm(decision, reason)
    return Summary(
        n_prompts=len(ids),
        n_judgments=len(judgments),
        decision=decision,
        reason=nobody(judges, unusable) if not count else reason,
        complete=complete,
        equivalence=equivalence,
        judges=results,
        panel=panel,
        categories=_categories(count, scores, by_category, prompts, how),
        by_category=by_category,
        controls={name: controls.get(name) for name in judges},
        counting=count,
        unusable=unusable,
        statuses={name: dict(sorted(Counter(row.status for row in rows).items())) for name, rows in by_judge.items()},
        unfit={name: found for name, rows in by_judge.items() if (found := ends(rows))},
        lengths=_lengths(by_judge),
        identical=identical,
        notes=tuple(notes),
        leakage=_leaked(leakage, {name: by_judge[name] for name in count}, ids, complete, equivalence, how),
        clustered=_clustered(decision, deciding, equivalence),
        stopped=stopped,
        variance=_variance(judgments, count),
        rule=rule,
        gold=gold,
        criteria=graded(judgments, judges, criteria, clusters),
        standings=standings(by_judge, clusters),
        weighing=_weighing(how, {name: scores[name] for name in count}) if panel is not None else None,
        soft=tuple(name for name in count if _soft(by_judge[name])) if panel is not None else (),
    )


def _lengths(by_judge: Mapping[str, Sequence[JudgmentRecord]]) -> dict[str, Length]:
    """How often every judge named the longer response, where it had one to name."""
    counts = {name: longer_wins(rows) for name, rows in by_judge.items()}
    return {name: Length(longer=longer, decisive=of) for name, (longer, of) in counts.items() if of}


def _clustered(decision: Decision, deciding: Result | None, equivalence: float) -> Allowed | None:
    """What clusters would leave of the decision; None where no two prompts share one."""
    found = clustered_decision(decision, deciding, equivalence=equivalence)
    return Allowed(decision=found[0], reason=found[1]) if found is not None else None


def _weighing(how: Panel, scores: Mapping[str, Mapping[str, PromptScore]]) -> Weighing | None:
    """What a gold judge makes of the panel's judges; None where none weighs them."""
    opinions = {name: {p: (s.outcome, s.score) for p, s in own.items()} for name, own in scores.items()}
    return weighing(opinions, how) if how.truth is not None else None


def _soft(rows: Sequence[JudgmentRecord]) -> bool:
    """Whether a judge says how sure it is."""
    return any(row.preference is not None and row.preference not in (0.0, 0.5, 1.0) for row in rows)


def _at_equal_length(
    results: Mapping[str, Result],
    panel: Result | None,
    count: Sequence[str],
    scores: Mapping[str, Mapping[str, PromptScore]],
    differences: Mapping[str, float],
    how: Panel,
) -> tuple[dict[str, Result], Result | None]:
    """The results of the judges that count, and the panel's, with their rates at equal length.

    Over very many prompts a panel's judges are passed over: each takes seconds, and the decision does not rest on them.
    """
    found = dict(results)
    if panel is None or len(differences) <= MANY:
        for name in count:
            by_prompt = {prompt: score.score for prompt, score in scores[name].items()}
            found[name] = replace(results[name], equal_length=at_equal_length(by_prompt, differences))
    if panel is None:
        return found, None
    votes = panel_votes([scores[name] for name in count], list(differences), how)
    by_prompt = {prompt: vote.score for prompt, vote in votes.items()}
    return found, replace(panel, equal_length=at_equal_length(by_prompt, differences))


def _variance(judgments: Sequence[JudgmentRecord], count: Sequence[str]) -> VarianceSplit | None:
    """Where single verdicts differ, told only where several judges or repeats can tell more than the orders do."""
    several = len(count) > 1 or any(judgment.repeat for judgment in judgments)
    return split(judgments, count) if several else None


def _leaked(
    finding: Finding | None,
    by_judge: Mapping[str, Sequence[JudgmentRecord]],
    prompts: Sequence[str],
    complete: bool,
    equivalence: float,
    how: Panel,
) -> Leaked | None:
    """The figures of the judges that count, here all of `by_judge`, over what is not leaked."""
    if finding is None:
        return None
    gone = set(finding.ids)
    kept = [prompt for prompt in prompts if prompt not in gone]
    found = [judge_result(rows, kept) for rows in by_judge.values()]
    without = found[0][0] if len(found) == 1 else panel_result([scores for _, scores in found], kept, panel=how)
    decision, reason = decide(
        without if found else None,
        complete=complete,
        equivalence=equivalence,
        judges=[result for result, _ in found],
    )
    return Leaked(finding=finding, without=without, decision=decision, reason=reason)


def _by_category(
    by_judge: Mapping[str, Sequence[JudgmentRecord]],
    scores: Mapping[str, Mapping[str, PromptScore]],
    prompts: Mapping[str, str | None],
) -> dict[str, dict[str, Result]]:
    ids: dict[str, list[str]] = defaultdict(list)
    for prompt, category in prompts.items():
        if category is not None:
            ids[category].append(prompt)
    found: dict[str, dict[str, Result]] = {}
    for name, rows in by_judge.items():
        split: dict[str, list[JudgmentRecord]] = defaultdict(list)
        for row in rows:
            category = prompts.get(row.id)
            if category is not None:
                split[category].append(row)
        found[name] = {
            category: judge_result(split[category], members, known=scores[name])[0]
            for category, members in sorted(ids.items())
        }
    return found


def _categories(
    count: Sequence[str],
    scores: Mapping[str, Mapping[str, PromptScore]],
    by_category: Mapping[str, Mapping[str, Result]],
    prompts: Mapping[str, str | None],
    how: Panel,
) -> dict[str, Result]:
    if not count:
        return {}
    if len(count) == 1:
        return dict(by_category[count[0]])
    names = sorted({category for category in prompts.values() if category is not None})
    return {
        name: panel_result([scores[judge] for judge in count], [p for p, c in prompts.items() if c == name], panel=how)
        for name in names
    }
