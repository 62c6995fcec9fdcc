"""Does the anchor make a fine-tuned model forget less? The embedded adapter trained with and without it, seed by seed.

What the base can do besides (chores: counting, copying, ordering, …) is measured as the perplexity of right answers to
chores that no training saw. Each seed trains twice, with the same data in the same order; the difference of the two
log-perplexities is one observation.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy import stats

from harness import checkpoint
from tests.bench.measure import Row, Section
from train.build import Yard, built
from train.recipe import load

RECIPE = Path(__file__).resolve().parents[2] / "train/recipes/kitchen_lora.yaml"
SEEDS = (41, 42, 43, 44, 45, 46)
ANCHOR = "{type: kl, coef: 0.5}"
MEASURED = "{generator: kitchen_chores, examples: 300}"
EXAMPLES = 700


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Perplexity of chores before and after a fine-tuning, and its last training loss."""

    before: float
    after: float


def trained(seed: int, anchor: str | None, checkpoints: Path) -> Run:
    """Fine-tune with one seed and measure what is left of the base's chores."""
    changes = [
        f"seed={seed}",
        f"data.validation={MEASURED}",
        f"data.examples={EXAMPLES}",
        "save.every=1000",
        *([f"anchor={anchor}"] if anchor else []),
    ]
    yard = Yard(checkpoints=checkpoints, on_progress=lambda *_: None, say=lambda _: None)
    figures = checkpoint.read(built(load(RECIPE, changes), yard, resume=False).folder).metrics
    return Run(before=figures["perplexity_before"], after=figures["perplexity"])


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """Student's 95 % interval of the mean."""
    mean = sum(differences) / len(differences)
    half = stats.sem(differences) * stats.t.ppf(0.975, len(differences) - 1)
    return mean - half, mean + half


def forgetting(folder: Path) -> Section:
    """The table of BENCHMARKS.md."""
    pairs = []
    for seed in SEEDS:
        pairs.append((trained(seed, None, folder), trained(seed, ANCHOR, folder)))
        print(f"seed {seed}: {pairs[-1][0].after:.3f} without, {pairs[-1][1].after:.3f} with", file=sys.stderr)
    differences = [math.log(anchored.after) - math.log(free.after) for free, anchored in pairs]
    low, high = interval(differences)
    mean = sum(differences) / len(differences)

    def told(values: Sequence[float]) -> str:
        return f"{sum(values) / len(values):.2f} ({min(values):.2f}–{max(values):.2f})"

    rows = (
        Row(what="before fine-tuning", figure=told([free.before for free, _ in pairs]), bound="", kept=True),
        Row(what="after, no anchor", figure=told([free.after for free, _ in pairs]), bound="", kept=True),
        Row(what="after, anchored", figure=told([kept.after for _, kept in pairs]), bound="", kept=True),
        Row(
            what="ratio, anchored to not (95 % over seeds)",
            figure=f"{math.exp(mean):.3f} ({math.exp(low):.3f}–{math.exp(high):.3f})",
            bound="< 1",
            kept=high < 0,
        ),
    )
    return Section(
        title="Forgetting: perplexity of chores after fine-tuning on requests",
        how=f"The embedded adapter on {EXAMPLES} requests less the held-out ones, with and without `anchor: {ANCHOR}`, "
        f"{len(SEEDS)} seeds, each trained both ways; chores are what the base could do before.",
        rows=rows,
    )


ALL = (forgetting,)
