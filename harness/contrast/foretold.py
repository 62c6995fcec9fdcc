"""Two perplexity runs held against each other: the difference of their losses per token, document by document.

A loss is a cost: a difference B − A below 0 says that B foresees the documents better. Models that cut texts into other
tokens are compared in bits per byte. The arithmetic is `harness.perplexity.figures`'s. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.contrast.sides import Pair, Side
from harness.perplexity.figures import Delta, Measured, Records, Shift, delta, measured
from harness.perplexity.ratio import Ratio
from harness.perplexity.words import decided
from harness.stats.multiple import benjamini_hochberg, holm


@dataclass(frozen=True, kw_only=True, slots=True)
class LossPart:
    """A slice: both sides on the documents that both measured, the difference, and the adjusted p-value."""

    a: Measured
    b: Measured
    shift: Shift
    p_adjusted: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LossContrast:
    """Side B against side A on the documents that both have a loss of; `delta` is B minus A."""

    pair: Pair
    a: Measured
    b: Measured
    delta: Delta
    slices: Mapping[str, LossPart]
    p_adjusted: float | None = None

    @property
    def shift(self) -> Shift:
        """The difference that counts, with the p-value that decides: adjusted where a family was declared."""
        main = self.delta.main
        return main if self.p_adjusted is None else replace(main, p_value=self.p_adjusted)

    @property
    def better(self) -> Literal["a", "b"] | None:
        """The side with the lower loss where interval and test agree that it is; None where they tell nothing."""
        if not decided(self.shift):
            return None
        return "b" if (self.shift.found.value or 0.0) < 0 else "a"

    def level(self, own: Measured) -> Ratio:
        """A side's loss in the unit of the difference."""
        return own.loss if self.delta.same_tokens else own.bits

    def as_json(self, doubts: Sequence[str] = ()) -> dict[str, Any]:
        """The contract's object of runs, with the keys this project adds."""
        shown = self.delta.as_json()
        known: dict[str, Any] = {
            "kind": "perplexity",
            "n": shown["n"],
            "difference": shown["difference"],
            "ci": shown["ci"],
            "p_value": shown["p_value"],
            "test": "permutation",
            "slices": {name: self._part(part) for name, part in self.slices.items()},
            "a": self._side(self.a, self.pair.side_a),
            "b": self._side(self.b, self.pair.side_b),
            **{key: shown[key] for key in ("unit", "perplexity_ratio", "perplexity_ratio_ci")},
            **{key: shown[key] for key in ("document_mean", "bits_per_byte")},
            "lower_is_better": True,
            "paired": True,
            "ci_reason": self.delta.main.found.reason,
            "clusters": self.delta.main.found.clusters,
            "better": self.better,
            "missing": {"a": self.pair.missing_a, "b": self.pair.missing_b, "one_side_only": self.pair.unmatched},
            "mixed": list(self.pair.mixed),
            "notes": list(self.pair.notes),
            "doubts": list(doubts),
        }
        return known if self.p_adjusted is None else known | {"p_adjusted": self.p_adjusted}

    def _part(self, part: LossPart) -> dict[str, Any]:
        return {
            "n": part.shift.found.n,
            "a": self.level(part.a).value,
            "b": self.level(part.b).value,
            "difference": part.shift.found.value,
            "p_value": part.shift.p_value,
            "p_adjusted": part.p_adjusted,
            "ci": list(part.shift.found.ci) if part.shift.found.ci else None,
        }

    def _side(self, own: Measured, side: Side) -> dict[str, Any]:
        candidate = side.facts.candidate
        level = self.level(own)
        return {
            "n": own.n,
            "mean": level.value,
            "ci": list(level.ci) if level.ci else None,
            "tokens": own.tokens,
            "bytes": own.bytes,
            "input": str(side.path),
            "candidate": candidate.spec if candidate is not None else None,
        }


def contrast_losses(pair: Pair) -> LossContrast:
    """All that one comparison of two perplexity runs says."""
    a, b = ({record.id: record for record in side.losses} for side in (pair.side_a, pair.side_b))
    whole = delta(b, a, pair.ids)
    return LossContrast(
        pair=pair, a=measured(a, pair.ids), b=measured(b, pair.ids), delta=whole, slices=_slices(pair, a, b, whole)
    )


def loss_family(pairs: Sequence[Pair]) -> tuple[LossContrast, ...]:
    """Several comparisons with one side, declared together: p-values adjusted after Holm."""
    found = [contrast_losses(pair) for pair in pairs]
    there = iter(holm([p for one in found if (p := one.delta.main.p_value) is not None]).tolist())
    return tuple(replace(one, p_adjusted=next(there)) if one.delta.main.p_value is not None else one for one in found)


def _slices(pair: Pair, a: Records, b: Records, whole: Delta) -> dict[str, LossPart]:
    found = {}
    for name in sorted(pair.slices):
        ids = [pair.ids[place] for place in pair.slices[name]]
        # One unit for all: a slice in which two tokenizers happen to agree has no other.
        shift = delta(b, a, ids, same=whole.same_tokens).main
        found[name] = LossPart(a=measured(a, ids), b=measured(b, ids), shift=shift)
    there = iter(benjamini_hochberg([p for one in found.values() if (p := one.shift.p_value) is not None]).tolist())
    return {
        name: replace(one, p_adjusted=next(there)) if one.shift.p_value is not None else one
        for name, one in found.items()
    }
