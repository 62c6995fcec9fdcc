"""What a gate found, as one value: the overall outcome, the categories, and the contract's object.

Pure. The overall outcome is read from all prompts; a category can fail on its own, with Holm's correction for having
looked at several, and turns the outcome only where the gate was told to heed categories.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.gate.measured import Measured
from harness.gate.thresholds import Thresholds
from harness.report.numerals import percent, plural
from harness.stats.multiple import holm
from harness.stats.noninferiority import ALPHA, NonInferiority, Outcome, noninferiority

EXIT: Mapping[Outcome, int] = {"pass": 0, "fail": 1, "inconclusive": 3}


@dataclass(frozen=True, kw_only=True, slots=True)
class Category:
    """One category: its figures, the p-value of a real loss after Holm over all categories, and its own outcome."""

    found: NonInferiority
    p_adjusted: float | None
    outcome: Outcome

    def as_json(self) -> dict[str, Any]:
        found = self.found
        return {
            "n": found.n,
            "difference": found.difference,
            "ci": _ends(found.ci),
            "lower_bound": found.lower,
            "outcome": self.outcome,
            "p_value": found.p_loss,
            "p_adjusted": self.p_adjusted,
            "upper_bound": found.upper,
            "margin": found.margin,
            "reason": found.reason,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class GateResult:
    """The gate's result. `reasons` are why the figures did not decide; `overall` is the outcome without categories."""

    measured: Measured
    found: NonInferiority
    outcome: Outcome
    overall: Outcome
    reasons: tuple[str, ...]
    categories: Mapping[str, Category]
    gate_categories: bool
    thresholds: Path | None

    @property
    def failed(self) -> tuple[str, ...]:
        """The categories that fail."""
        return tuple(name for name, category in self.categories.items() if category.outcome == "fail")

    @property
    def code(self) -> int:
        """The exit code."""
        return EXIT[self.outcome]

    def as_json(self, notes: tuple[str, ...] = ()) -> dict[str, Any]:
        """The contract's object, with the keys this project adds."""
        found, measured = self.found, self.measured
        return {
            "outcome": self.outcome,
            "difference": found.difference,
            "ci": _ends(found.ci),
            "margin": found.margin,
            "p_value": found.p_value,
            "n": found.n,
            "n_needed": found.n_needed,
            "n_needed_for": found.needed_for,
            "n_needed_reason": found.needed_reason,
            "lower_bound": found.lower,
            "upper_bound": found.upper,
            "p_loss": found.p_loss,
            "alpha": ALPHA,
            "sd": found.sd,
            "se": found.se,
            "method": found.method,
            "clusters": found.clusters,
            "rare_losses": found.rare,
            "rare_gains": found.rare_gains,
            "scale": _ends(measured.scale),
            "grade_scale": _ends(measured.ends),
            "old_mean": measured.levels[0] if measured.levels is not None else None,
            "new_mean": measured.levels[1] if measured.levels is not None else None,
            "reason": "; ".join(self.reasons) or None,
            "overall_outcome": self.overall,
            "gate_categories": self.gate_categories,
            "failed_categories": list(self.failed),
            "categories": {name: category.as_json() for name, category in self.categories.items()},
            "missing": {"n": len(measured.missing), "of": measured.total, "ids": list(measured.missing)},
            "leaked": list(measured.leaked),
            "mixed": list(measured.mixed),
            "kind": measured.kind,
            "new": str(measured.new),
            "old": str(measured.old) if measured.old is not None else None,
            "thresholds": str(self.thresholds) if self.thresholds is not None else None,
            "notes": list(notes),
        }


def _ends(ends: tuple[float, float] | None) -> list[float] | None:
    return list(ends) if ends is not None else None


def gate(measured: Measured, demanded: Thresholds) -> GateResult:
    """Hold what was measured against what is demanded."""
    found = noninferiority(
        measured.difference, margin=demanded.margin, scale=measured.scale, clusters=measured.clusters
    )
    reasons = _reasons(measured, found, demanded)
    overall: Outcome = "inconclusive" if reasons else found.outcome
    categories = _categories(measured, demanded, undecided=bool(reasons))
    failed = any(category.outcome == "fail" for category in categories.values())
    return GateResult(
        measured=measured,
        found=replace(found, outcome=overall),
        outcome="fail" if failed and demanded.gate_categories else overall,
        overall=overall,
        reasons=reasons,
        categories=categories,
        gate_categories=demanded.gate_categories,
        thresholds=demanded.path,
    )


def _reasons(measured: Measured, found: NonInferiority, demanded: Thresholds) -> tuple[str, ...]:
    """Why the figures must not decide: the run's reasons, too much missing, or figures that cannot be had."""
    reasons = list(measured.reasons)
    lost = len(measured.missing)
    if demanded.missing is not None and lost > demanded.missing * measured.total:
        share = percent(lost / measured.total, measured.total)
        most = percent(demanded.missing, measured.total)
        reasons.append(
            f"{lost} of {plural(measured.total, 'prompt')} ({share}) have no score on every side; at most {most} may"
        )
    width = measured.scale[1] if measured.scale is not None and measured.seen_scale else 0.0
    if 0 < width <= max(demanded.margins):
        reasons.append(
            f"a margin of {max(demanded.margins):g} is not below {width:.3g}, by which the highest and the lowest "
            "score differ, so that nothing could fail"
        )
    if found.reason is not None and not (reasons and not found.n):
        reasons.append(found.reason)
    return tuple(reasons)


def _categories(measured: Measured, demanded: Thresholds, *, undecided: bool) -> dict[str, Category]:
    each = {
        name: noninferiority(
            measured.difference[places],
            margin=demanded.margin_of(name),
            scale=measured.scale,
            clusters=_clusters(measured, places.tolist()),
        )
        for name, places in measured.slices.items()
    }
    adjusted = iter(holm([one.p_loss for one in each.values() if one.p_loss is not None]).tolist())
    found = {}
    for name, one in each.items():
        p_adjusted = next(adjusted) if one.p_loss is not None else None
        outcome = "inconclusive" if undecided else _outcome(one, p_adjusted)
        found[name] = Category(found=one, p_adjusted=p_adjusted, outcome=outcome)
    return found


def _clusters(measured: Measured, places: list[int]) -> tuple[str, ...] | None:
    if measured.clusters is None:
        return None
    own = tuple(measured.clusters[place] for place in places)
    return own if len(set(own)) < len(own) else None


def _outcome(found: NonInferiority, p_adjusted: float | None) -> Outcome:
    """A category fails where a loss is real after Holm's correction; it passes by its own bound."""
    if found.outcome == "pass":
        return "pass"
    return "fail" if p_adjusted is not None and p_adjusted < ALPHA else "inconclusive"
