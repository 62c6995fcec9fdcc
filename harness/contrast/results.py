"""What a comparison of two sides found, as one value, and as the contract's object.

Nothing here computes: `contrasting` makes it, `words` and `text` read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.contrast.sides import Pair
from harness.stats.classpair import ClassDifference
from harness.stats.clusters import Clustered
from harness.stats.intervals import Mean
from harness.stats.paired import Difference, McNemar
from harness.stats.signflip import SignFlip, Wilcoxon

Test = Literal["mcnemar", "permutation", "fisher", "welch"]
KINDS = {"pairwise": "pairwise", "scores": "score", "predictions": "classify", "losses": "perplexity"}
SEED = 0
# The few means that fewer prompts can resample to look more certain than they are.
FEWEST_FOR_BOOTSTRAP = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """One side's own mean over the prompts that are compared; `macro_f1` and `mcc` of predictions alone."""

    n: int
    mean: float | None
    ci: tuple[float, float] | None
    macro_f1: float | None = None
    mcc: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A slice, or one judge: means, difference b − a and p-value over its `n` prompts, and the adjusted p-value."""

    n: int
    a: float | None
    b: float | None
    difference: Difference
    p_value: float | None
    p_adjusted: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """Two sides held against each other.

    `effect` is Cohen's h of predictions, else d (d_z where paired); `visible` the smallest difference that this n shows
    with 80 % power, None where none that can be would show; `bca` is None below 10 prompts; `better` the side that the
    interval and the test agree on, None where they tell nothing. What does not apply is None.
    """

    pair: Pair
    a: Level
    b: Level
    difference: Difference
    test: Test
    p_value: float | None
    better: Literal["a", "b"] | None
    effect: float | None
    visible: float | None
    slices: Mapping[str, Part]
    judges: Mapping[str, Part]
    mcnemar: McNemar | None = None
    permutation: SignFlip | None = None
    wilcoxon: Wilcoxon | None = None
    bca: tuple[float, float] | None = None
    clusters: Clustered | None = None
    p_adjusted: float | None = None
    macro_f1: ClassDifference | None = None

    @property
    def shows_nothing(self) -> bool:
        """Whether even the largest difference that can be would not show on so few prompts."""
        return self.visible is None and bool(self.difference.se) and self.difference.n >= 2

    @property
    def p_final(self) -> float | None:
        """The p-value that decides: adjusted where a family was declared."""
        return self.p_value if self.p_adjusted is None else self.p_adjusted

    def as_json(self, doubts: Sequence[str] = ()) -> dict[str, Any]:
        """The contract's object of predictions, or of runs and scores, with the keys this project adds."""
        known = self._of_predictions() if self.pair.kind == "predictions" else self._of_scores()
        known |= {
            "paired": self.pair.paired,
            "ci_method": self.difference.method,
            "ci_reason": self.difference.reason,
            "better": self.better,
            "visible_difference": self.visible,
            "bca_ci": _ends(self.bca),
            "missing": {"a": self.pair.missing_a, "b": self.pair.missing_b, "one_side_only": self.pair.unmatched},
            "mixed": list(self.pair.mixed),
            "notes": list(self.pair.notes),
            "doubts": list(doubts),
        }
        if self.clusters is not None:
            known["clusters"] = _clusters(self.clusters)
        if self.p_adjusted is not None:
            known["p_adjusted"] = self.p_adjusted
        return known

    def _of_predictions(self) -> dict[str, Any]:
        counts = self.mcnemar
        return {
            "a": self._side("a"),
            "b": self._side("b"),
            "difference": self.difference.mean,
            "ci": _ends(self.difference.ci),
            "cohens_h": self.effect,
            "mcnemar": {
                "only_a": counts.only_a,
                "only_b": counts.only_b,
                "p_value": counts.p_value,
                "p_value_mid": counts.p_value_mid,
            }
            if counts is not None
            else None,
            "slices": {name: _part(part) for name, part in self.slices.items()},
            "kind": KINDS[self.pair.kind],
            "n": self.difference.n,
            "p_value": self.p_value,
            "test": self.test,
            "macro_f1": self.macro_f1.as_json() if self.macro_f1 is not None else None,
        }

    def _of_scores(self) -> dict[str, Any]:
        tested, ranks = self.permutation, self.wilcoxon
        return {
            "kind": KINDS[self.pair.kind],
            "n": self.difference.n,
            "difference": self.difference.mean,
            "ci": _ends(self.difference.ci),
            "p_value": self.p_value,
            "test": self.test,
            "slices": {name: _part(part) for name, part in self.slices.items()},
            "a": self._side("a"),
            "b": self._side("b"),
            "test_detail": {
                "method": tested.method,
                "resamples": tested.resamples,
                "seed": SEED if tested.resamples is not None else None,
            }
            if tested is not None
            else None,
            "cohens_d": self.effect,
            "wilcoxon": {"n": ranks.n, "p_value": ranks.p_value, "method": ranks.method, "reason": ranks.reason}
            if ranks is not None
            else None,
            "judges": {name: _part(part) | {"ci": _ends(part.difference.ci)} for name, part in self.judges.items()},
            "scale": _ends(self.pair.scale),
            "counting": list(self.pair.side_b.facts.counting),
        }

    def _side(self, name: Literal["a", "b"]) -> dict[str, Any]:
        level, side = (self.a, self.pair.side_a) if name == "a" else (self.b, self.pair.side_b)
        if self.pair.kind == "predictions":
            compared = {*(self.pair.ids if name == "a" else self.pair.ids_b)}
            none = sum(record.prediction is None for record in side.predictions if record.id in compared)
            found: dict[str, Any] = {"n": level.n, "accuracy": level.mean, "ci": _ends(level.ci)}
            found |= {"macro_f1": level.macro_f1, "mcc": level.mcc, "no_prediction": none}
        else:
            found = {"n": level.n, "mean": level.mean, "ci": _ends(level.ci)}
        candidate = side.facts.candidate
        return {**found, "input": str(side.path), "candidate": candidate.spec if candidate is not None else None}


def level_of(mean: Mean) -> Level:
    """A mean of scores in [0, 1] as a side's level."""
    return Level(n=mean.n, mean=mean.mean, ci=mean.ci)


def _part(part: Part) -> dict[str, Any]:
    return {
        "n": part.n,
        "a": part.a,
        "b": part.b,
        "difference": part.difference.mean,
        "p_value": part.p_value,
        "p_adjusted": part.p_adjusted,
    }


def _ends(ci: tuple[float, float] | None) -> list[float] | None:
    return list(ci) if ci is not None else None


def _clusters(found: Clustered) -> dict[str, Any]:
    return {
        "n": found.clusters,
        "se": found.se,
        "ci": _ends(found.ci),
        "p_value": found.p_value,
        "design_effect": found.design_effect,
    }
