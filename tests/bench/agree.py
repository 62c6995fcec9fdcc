"""How long `harness agree` takes on many judgments: the whole command, its start and its bootstrap included."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from tests.bench.measure import Row, Section, peak_mib, seconds, spread
from tests.command import command

JUDGES, PROMPTS, TIMES, BOUND = 5, 20_000, 3, 10.0
WINNERS = ("candidate", "baseline", "tie")


def agree(folder: Path) -> Section:
    """5 judges, 20,000 prompts, both orders, six categories, with 2,000 resamples."""
    path = folder / "judgments.jsonl"
    write(path, np.random.default_rng(20261121))
    env = dict(os.environ) | {"COLUMNS": "80"}
    rows = []
    for what, options in (("", ()), (" with --gold", ("--gold", "judge-0")), (" with --json", ("--json",))):
        took = [seconds(command("agree", path, *options), env) for _ in range(TIMES)]
        name = f"seconds, `harness agree`{what}"
        rows.append(Row(what=name, figure=spread(took), bound=f"≤ {BOUND:g}", kept=min(took) <= BOUND))
    peak = peak_mib(command("agree", path), env)
    rows.append(Row(what="peak memory, MiB", figure=f"{peak:.0f}", bound="", kept=True))
    return Section(
        title=f"Agreement: {JUDGES} judges × {PROMPTS:,} prompts × 2 orders",
        how=f"The whole command on one file of {2 * JUDGES * PROMPTS:,} judgments, bootstrap included: median (lowest–"
        f"highest) of {TIMES}; the bound is held against the lowest. `python -m tests.bench agree`.",
        rows=tuple(rows),
    )


def write(path: Path, rng: np.random.Generator) -> None:
    """Judges that agree with a common outcome on three verdicts of four."""
    truth = rng.integers(0, 3, PROMPTS)
    with path.open("w", encoding="utf-8") as file:
        for judge in range(JUDGES):
            drawn = np.where(rng.random((PROMPTS, 2)) < 0.75, truth[:, None], rng.integers(0, 3, (PROMPTS, 2)))
            for place, codes in enumerate(drawn.tolist()):
                for order, code in zip(("candidate_first", "baseline_first"), codes, strict=True):
                    record = {
                        "id": f"prompt-{place:05d}",
                        "judge": f"judge-{judge}",
                        "order": order,
                        "winner": WINNERS[code],
                        "status": "ok",
                        "category": f"category-{place % 6}",
                        "reply": "The first answer is fuller and keeps to what was asked.\nWinner: A",
                    }
                    file.write(json.dumps(record) + "\n")


ALL = (agree,)
