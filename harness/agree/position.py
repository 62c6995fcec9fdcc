"""What a judge's verdicts owe to the place a response was shown in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.agree.rulings import MISSING, Ruling, cluster_codes
from harness.stats.position import FirstShown, Lean, first_shown, lean


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """How often whichever was shown first was named, and which place the repeats lean to whose orders differ."""

    first: FirstShown
    lean: Lean


def position(found: Mapping[str, Ruling], clusters: Mapping[str, str] | None) -> Position:
    """The position figures of one judge over these prompts."""
    prompts = [prompt for prompt in sorted(found) if found[prompt].decisive]
    first = np.array([found[prompt].first for prompt in prompts], dtype=np.int64)
    decisive = np.array([found[prompt].decisive for prompt in prompts], dtype=np.int64)
    return Position(
        first=first_shown(first, decisive, cluster_codes(prompts, clusters)),
        lean=lean(
            np.array([found[prompt].toward_first for prompt in prompts], dtype=np.int64),
            np.array([found[prompt].toward_second for prompt in prompts], dtype=np.int64),
            cluster_codes(prompts, clusters),
        ),
    )


def order_counts(found: Mapping[str, Ruling], order: str) -> dict[str, int]:
    """How the presentations of one order ended, in candidate terms; `unread` were answered without a usable verdict."""
    ended = [outcome for ruling in found.values() for where, outcome in ruling.shown if where == order]
    names = {"wins": 0, "losses": 1, "ties": 2, "unread": MISSING}
    return {name: ended.count(code) for name, code in names.items()}
