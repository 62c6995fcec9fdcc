"""From judgments to win rates at equal length: which lengths stood against each other, and what they explain.

Prompts whose lengths are not known are left out and counted; a judge without any length has no such rate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean

import numpy as np

from harness.records import JudgmentRecord
from harness.stats.length import LengthControlled, length_controlled

# The refits are drawn with it, so that the same judgments always give the same interval.
SEED = 0
# Refits times prompts: beyond this many, fewer refits are drawn, but never fewer than 200.
CELLS = 2_000_000
MOST, FEWEST = 1000, 200


def length_differences(judgments: Iterable[JudgmentRecord]) -> dict[str, float]:
    """The candidate's characters minus the baseline's by prompt, the mean over repeats, where both are known."""
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for judgment in judgments:
        if judgment.candidate_length is not None and judgment.baseline_length is not None:
            found[judgment.id][judgment.repeat] = judgment.candidate_length - judgment.baseline_length
    return {prompt: fmean(by_repeat.values()) for prompt, by_repeat in found.items()}


def at_equal_length(scores: Mapping[str, float], differences: Mapping[str, float]) -> LengthControlled | None:
    """The length-controlled rate of prompt scores; None where no length is known. The order of prompts says nothing."""
    known = sorted(prompt for prompt in scores if prompt in differences)
    if not known:
        return None
    return length_controlled(
        np.asarray([scores[prompt] for prompt in known], dtype=np.float64),
        np.asarray([differences[prompt] for prompt in known], dtype=np.float64),
        np.random.default_rng(SEED),
        resamples=max(FEWEST, min(MOST, CELLS // len(known))),
    )
