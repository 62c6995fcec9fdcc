"""One audit as a value: a judge's figures beside those of known-bias judges, and what they allow to be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.audit.measured import ByKind, Figures, Injection
from harness.audit.standing import first_json, lean_json, rate_json
from harness.audit.told import Said
from harness.figures import Result
from judges.attacks import ATTACKS

_TEXT = {attack.name: attack for attack in ATTACKS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """What an audit ends in. `times` is how often the same presentation was shown; `steady` says why only once.

    `left_out` counts what the responses did not allow, by reason; `notes` are what a reader must know beside.
    """

    judge: str
    suite: str
    n_prompts: int
    seed: int
    times: int
    steady: str | None
    figures: Figures
    known_bias: Mapping[str, Figures]
    said: tuple[Said, ...]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]
    complete: bool

    @property
    def findings(self) -> tuple[str, ...]:
        """Every finding, a sentence each."""
        return tuple(finding for part in self.said for finding in part.findings)

    @property
    def uses(self) -> tuple[str, ...]:
        """What the judge may be used for, a sentence a probe that allows one."""
        return tuple(part.use for part in self.said if part.use)

    @property
    def outcome(self) -> str:
        """ "finding", "unknown" where a probe had too few prompts to say anything, else "clean"."""
        outcomes = {part.outcome for part in self.said}
        return "finding" if "finding" in outcomes else "unknown" if "unknown" in outcomes else "clean"

    def as_json(self) -> dict[str, Any]:
        """`audit.json`."""
        found = self.figures
        return {
            "kind": "audit",
            "judge": self.judge,
            "suite": self.suite,
            "n_prompts": self.n_prompts,
            "seed": self.seed,
            "outcome": self.outcome if self.complete else "incomplete",
            "position": {
                "first_shown": first_json(found.position.first),
                "consistency": rate_json(found.position.agree),
                "lean": lean_json(found.position.lean),
            },
            "verbosity": _verbosity(found),
            "self_consistency": {
                "times": self.times,
                "deterministic": self.steady,
                "flips": rate_json(found.flips) if found.flips is not None else None,
            },
            "damage": {**found.damage.as_json(), "named": rate_json(found.named)},
            "injection": _injection(found.injection),
            "format": {"unread": rate_json(found.unread), "statuses": dict(found.statuses), "missing": found.missing},
            "known_bias": {name: _short(one) for name, one in self.known_bias.items()},
            "findings": list(self.findings),
            "uses": list(self.uses),
            "probes": {part.probe: part.outcome for part in self.said},
            "left_out": dict(self.left_out),
            "notes": list(self.notes),
            "complete": self.complete,
        }


def _score(result: Result) -> dict[str, Any]:
    estimate = result.estimate
    return {"n": estimate.n, "score": estimate.mean, "ci": list(estimate.ci) if estimate.ci else None}


def _verbosity(found: Figures) -> dict[str, Any]:
    slope = found.slope
    return {
        **_score(found.verbosity),
        "wins": found.verbosity.wins,
        "losses": found.verbosity.losses,
        "ties": found.verbosity.ties,
        "unscored": found.verbosity.unscored,
        "paddings": {kind: _score(result) for kind, result in found.paddings.items()},
        "longer": rate_json(found.position.longer),
        "length_slope": None
        if slope is None
        else {
            "n": slope.n,
            "slope": slope.slope,
            "ci": list(slope.slope_ci) if slope.slope_ci else None,
            "reason": slope.reason,
        },
    }


def _injection(found: Injection) -> dict[str, Any]:
    difference = found.difference
    return {
        "success": rate_json(found.success),
        "with_attack": found.with_attack,
        "without": found.without,
        "difference": difference.mean,
        "difference_ci": list(difference.ci) if difference.ci else None,
        "p_value": found.p_value,
        "n_prompts": difference.n,
        "kinds": {kind: _kind(one) for kind, one in found.kinds.items()},
        "worst": [
            {"attack": t.attack, "n": t.n, "successes": t.successes, "text": _TEXT[t.attack].text} for t in found.worst
        ],
    }


def _kind(one: ByKind) -> dict[str, Any]:
    return {**rate_json(one.success), "gained": one.gained, "lost": one.lost, "p_adjusted": one.p_value}


def _short(found: Figures) -> dict[str, Any]:
    """A known-bias judge's figures, in short."""
    return {
        "first_shown": first_json(found.position.first),
        "consistency": rate_json(found.position.agree),
        "padded": _score(found.verbosity),
        "flips": rate_json(found.flips) if found.flips is not None else None,
        "damaged_named": rate_json(found.named),
        "injection": rate_json(found.injection.success),
    }
