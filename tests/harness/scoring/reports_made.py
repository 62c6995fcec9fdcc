"""Score reports to render: real records through `summarize`, as a run would hand them over. Seeded."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from harness.records import ScoreRecord
from harness.scoring.figures import Scale
from harness.scoring.report import Answer, Item, ScoreReport
from harness.scoring.summary import summarize
from tests.harness.scoring.figures_made import ONE_TO_TEN, row, setting

EIGHT = ("coding", "extraction", "humanities", "math", "reasoning", "roleplay", "stem", "writing")


def made(
    n: int = 16,
    *,
    judges: Mapping[str, Scale | None] | None = None,
    categories: Sequence[str | None] = EIGHT,
    turns: int = 2,
    baseline: bool = True,
    lost: Mapping[tuple[str, str, int], str] | None = None,
    gone: Sequence[tuple[str, str]] = (),
    name: str = "p{}",
    text: str = "",
    seed: int = 5,
    **more: Any,
) -> ScoreReport:
    """A report of `n` prompts in these categories, graded by these judges.

    `lost` gives the status of gradings without a grade, by (prompt, role, turn); `gone` names answers that failed, by
    (prompt, role). `text` stands in every prompt, answer, reply and error.
    """
    judges = judges or {"openai/judge": ONE_TO_TEN}
    rng = random.Random(seed)
    roles = ("candidate", "baseline") if baseline else ("candidate",)
    items, rows = [], {role: [] for role in roles}
    for i in range(n):
        prompt, category, answers = name.format(i), categories[i % len(categories)], {}
        for role in roles:
            grades = []
            for judge, scale in judges.items():
                for turn in range(1, turns + 1):
                    status = "skipped" if (prompt, role) in gone else (lost or {}).get((prompt, role, turn), "ok")
                    grades.append(_grade(prompt, judge, turn, role, scale or (0.0, 1.0), status, text, category, rng))
            texts = None if (prompt, role) in gone else tuple(f"{role} says {i}.{t} {text}" for t in range(turns))
            answers[role] = Answer(texts=texts, grades=tuple(grades))
            rows[role] += grades
        asked = tuple(f"Question {i}, turn {t} {text}" for t in range(1, turns + 1))
        items.append(Item(id=prompt, sample=0, category=category, turns=asked, reference=(text,), answers=answers))
    found = summarize(
        rows["candidate"],
        rows.get("baseline", ()),
        setting({item.id: item.category for item in items}, dict(judges), turns=turns),
        judges=list(judges),
        **{"complete": True, **more},
    )
    title = (f"made {text}", *(f"{role}: openai/{role}{text}" for role in roles))
    return ScoreReport(title=title, summary=found, items=tuple(items), facts={"seed": "5", f"fact{text}": text or "1"})


def _grade(
    prompt: str, judge: str, turn: int, role: str, scale: Scale, status: str, text: str, category: str | None, rng: Any
) -> ScoreRecord:
    low, high = scale
    level = low + (high - low) * rng.choice((0.4, 0.5, 0.6, 0.7, 0.8)) if status == "ok" else None
    more = {"role": role, "category": category, "reply": f"The reply to {prompt}. {text}"}
    if status != "ok":
        more["error"] = f"what went wrong {text}"
    return row(prompt, level, judge=judge, turn=turn, status=status, **more)
