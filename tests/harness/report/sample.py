"""Reports to render: real records through `summarize`, as a run would hand them over. Seeded.

`python -m tests.harness.report.sample DIR` writes them as pages to look at.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.leakage.guard import Finding
from harness.outcome import ORDERS, Order, slots, verdict_of
from harness.records import JudgmentRecord
from harness.report.data import Comparison, Control, Report, Side
from harness.summary import summarize

CATEGORIES = ("specific", "commonsense", "negated", "analogical", "temporal")
DISHES = ("a lentil stew", "a bread soup", "a plum cake", "a rice salad", "a barley broth", "a leek tart")
TWISTS = ("with no cream", "like the one from the market", "ready before noon", "for someone who dislikes garlic")
HOSTILE = (
    "</script><script>window.hacked = 1; document.title = 'hacked'</script>",
    '<img src="http://127.0.0.1:9/leak.png" onerror="window.hacked = 2">',
    "<!--<script>\u2028 ]]> {{ 7 * 7 }} {% raw %} | pipe ` tick \x1b[31mred\x1b[0m \u202eturned",
    "lone surrogate \ud800, NUL \x00, and **bold** [link](javascript:alert(1))",
)
# Names come from checked records, which hold no lone surrogates; responses may.
HOSTILE_NAMES = tuple(text.replace("\ud800", "") for text in HOSTILE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Habit:
    """How a sample judge rules: the chance that it sees the better side, and what it leans on where it does not."""

    skill: float = 0.7
    first: float = 0.5
    fails: float = 0.0
    ties: float = 0.1
    controls: float | None = 1.0


Votes = Sequence[str]


def record(
    id: str, winner: str | None, *, judge: str = "rubric", order: Order = "candidate_first", **more: object
) -> JudgmentRecord:
    """One judgment as a journal holds it; no winner means a reply that could not be read."""
    line: dict[str, object] = {"id": id, "judge": judge, "order": order, "winner": winner, **more}
    if winner is None:
        line.setdefault("status", "invalid_parse")
    else:
        line["verdict"] = verdict_of(winner, order)  # type: ignore[arg-type]
    return JudgmentRecord.model_validate(line)


def simple(votes: Mapping[str, Votes], *, both: bool = True, **more: object) -> Report:
    """A report of judges whose verdicts on prompts p0, p1, … are spelled out.

    "w" won, "l" lost, "t" tied, "u" unscored, "s" split by order, "-" no judgment at all.
    """
    meaning = {"w": ("candidate", "candidate"), "l": ("baseline", "baseline"), "t": ("tie", "tie"), "u": (None, None)}
    meaning["s"] = ("candidate", "baseline")
    rows = [
        record(f"p{i}", winner, judge=judge, order=order)
        for judge, line in votes.items()
        for i, vote in enumerate(line)
        if vote != "-"
        for order, winner in list(zip(ORDERS, meaning[vote], strict=True))[: 2 if both else 1]
    ]
    size = max((len(line) for line in votes.values()), default=0)
    given = {
        "prompts": {f"p{i}": None for i in range(size)},
        "judges": list(votes),
        "control_rights": {name: [True] * 8 for name in votes if not name.startswith(("control/", "human/", "gpt"))},
        "complete": True,
        "equivalence": 0.05,
    }
    return report_of(rows, title="simple", **{**given, **more})  # type: ignore[arg-type]


def leaked(exact: Sequence[str] = (), near: Sequence[str] = (), *, of: int = 60, **more: object) -> Finding:
    """What the leakage guard found: the candidate was trained on all of it, the baseline on what is exact."""
    given = {"checked": {"candidate": 30400, "baseline": 28000}, "examples": 30400, **more}
    seen = {"candidate": (*exact, *near), "baseline": tuple(exact)}
    return Finding(exact=tuple(exact), near=tuple(near), prompts=of, seen=seen, **given)  # type: ignore[arg-type]


def report_of(rows: Sequence[JudgmentRecord], *, title: str, **more: object) -> Report:
    """A report of these judgments, each prompt with short texts."""
    summary = summarize(rows, **more)  # type: ignore[arg-type]
    comparisons = tuple(
        Comparison(
            id=id,
            repeat=0,
            turns=(f"question {id}",),
            category=category,
            candidate=(f"yes {id}",),
            baseline=(f"no {id}",),
            judgments=tuple(row for row in rows if row.id == id),
        )
        for id, category in more["prompts"].items()  # type: ignore[attr-defined]
    )
    return Report(title=title, summary=summary, comparisons=comparisons)


HABITS = {
    "openai/gpt-4o-mini": Habit(skill=0.86, first=0.55, fails=0.02),
    "anthropic/claude-haiku": Habit(skill=0.8, first=0.52),
    "openai@LOCAL/meta-llama/Llama-3.3-70B-Instruct-AWQ-INT4": Habit(skill=0.55, first=0.93, ties=0.02, controls=0.35),
    "mistral-large": Habit(skill=0.75, controls=None),
    "control/longest": Habit(controls=None),
    "control/first": Habit(controls=None),
}


def kitchen(n: int = 60, *, habits: Mapping[str, Habit] = HABITS, seed: int = 7, **more: object) -> Report:
    """A run as a reader would meet it: n prompts in five categories, several judges, control pairs, hostile texts."""
    rng = random.Random(seed)
    comparisons, rows = [], []
    for i in range(n):
        prompt, item = _comparison(i, rng)
        judgments = [row for name, habit in habits.items() for row in _judge(name, habit, item, rng, prompt)]
        rows += judgments
        comparisons.append(_with(item, judgments))
    controls = [
        c
        for name, habit in habits.items()
        if habit.controls is not None
        for c in _controls(name, habit, comparisons, rng)
    ]
    rights: dict[str, list[bool | None]] = {}
    for control in controls:
        rights.setdefault(control.judge, []).append(control.right)
    given = {
        "prompts": {item.id: item.category for item in comparisons},
        "judges": list(habits),
        "control_rights": rights,
        "complete": True,
        "equivalence": 0.05,
        "identical": 2,
        "notes": ["temperature was dropped for anthropic/claude-haiku: the model refuses it"],
    }
    return Report(
        title="in_domain",
        summary=summarize(rows, **{**given, **more}),  # type: ignore[arg-type]
        candidate=Side(spec="hf/checkpoints/kitchen-base+checkpoints/kitchen-sft", fingerprint="9f2c41d07ab3" * 4),
        baseline=Side(
            spec="hf/checkpoints/kitchen-base",
            fingerprint="51d07ab39f2c" * 4,
            warnings=("40 of 200 planned steps done",),
        ),
        comparisons=tuple(comparisons),
        controls=tuple(controls),
        facts={
            "suite": "suites/in_domain.yaml",
            "seed": "7",
            "orders": "both",
            "sampling": "temperature 0.75, at most 512 tokens",
        },
        manifest={"suite": {"name": "in_domain", "seed": 7}, "versions": {"python": "3.11.7"}, "hostile": HOSTILE[0]},
    )


def _comparison(i: int, rng: random.Random) -> tuple[float, Comparison]:
    dish, twist = rng.choice(DISHES), rng.choice(TWISTS)
    steps = ("Warm the pot.", "Cut the onions small.", "Add the stock and wait.", "Salt it last.", "Serve with bread.")
    good = f"For {dish} {twist}: " + " ".join(steps[: rng.randint(2, 5)])
    plain = f"{dish.capitalize()}. " + " ".join(rng.choices(steps, k=rng.randint(1, 5)))
    if i % 17 == 3:
        good += " " + HOSTILE[i % len(HOSTILE)]
    edge = rng.gauss(0.8, 0.9)
    item = Comparison(
        id=f"kitchen-{i + 1:03d}",
        repeat=0,
        turns=(f"What do I cook for {i + 2} people who want {dish} {twist}?",),
        category=CATEGORIES[i % len(CATEGORIES)],
        candidate=(good,),
        baseline=(plain,),
    )
    return edge, item


def _with(item: Comparison, judgments: Sequence[JudgmentRecord]) -> Comparison:
    return Comparison(**{**{name: getattr(item, name) for name in item.__slots__}, "judgments": tuple(judgments)})


def _judge(name: str, habit: Habit, item: Comparison, rng: random.Random, edge: float) -> list[JudgmentRecord]:
    long, short = len(item.candidate[0]), len(item.baseline[0])  # type: ignore[index]
    tie = rng.random() < habit.ties
    better = (
        ("candidate" if edge > 0 else "baseline")
        if rng.random() < habit.skill
        else ("baseline" if edge > 0 else "candidate")
    )
    rows = []
    for order in ORDERS:
        leaning = (
            order.removesuffix("_first") if rng.random() < habit.first else slots("candidate", "baseline", order)[1]
        )
        winner = "tie" if tie else better if rng.random() < habit.skill + 0.2 else leaning
        if name == "control/first":
            winner = order.removesuffix("_first")
        if name == "control/longest":
            winner = "tie" if long == short else "candidate" if long > short else "baseline"
        shared = {"category": item.category, "candidate_length": long, "baseline_length": short}
        if rng.random() < habit.fails:
            rows.append(record(item.id, None, judge=name, order=order, reply="I would rather not say.", **shared))
        elif name.startswith("control/"):
            rows.append(record(item.id, winner, judge=name, order=order, **shared))
        else:
            rows.append(record(item.id, winner, judge=name, order=order, **shared, **_reasons(winner, order, rng)))
    return rows


def _reasons(winner: str, order: Order, rng: random.Random) -> dict[str, object]:
    names = ("relevance", "accuracy", "clarity", "completeness", "style")
    side = {slot: {name: rng.randint(2, 5) for name in names} for slot in "AB"}
    verdict = verdict_of(winner, order)  # type: ignore[arg-type]
    text = f"Response A keeps to the wish, while B drifts. {HOSTILE[1] if rng.random() < 0.05 else 'Both read well.'}"
    return {"scores": side, "reply": json.dumps({"A": side["A"], "B": side["B"], "reasoning": text, "winner": verdict})}


def _controls(name: str, habit: Habit, items: Sequence[Comparison], rng: random.Random) -> list[Control]:
    found = []
    for i, item in enumerate(items[:: max(1, len(items) // 4)][:4]):
        whole = item.candidate or ("",)
        words = whole[0].split()
        rng_words = words[:]
        random.Random(i).shuffle(rng_words)
        damage, damaged = ("cut", words[: len(words) // 2]) if i % 2 else ("shuffled", rng_words)
        for order in ORDERS:
            right = rng.random() < (habit.controls or 0)
            reply = "The other one is garbled." if right else "Both are the same to me."
            found.append(
                Control(
                    id=item.id, judge=name, order=order, damage=damage, whole=whole, damaged=(" ".join(damaged),),
                    right=right if right or rng.random() < 0.5 else None, status="ok", reply=reply,
                )
            )  # fmt: skip
    return found


def main(folder: Path) -> None:
    """Write the sample pages to `folder`."""
    from harness.report import html, markdown, text

    folder.mkdir(parents=True, exist_ok=True)
    names = [f"kitchen-{i:03}" for i in range(1, 61)]
    pages = {
        "kitchen": kitchen(leakage=leaked()),
        "leaked": kitchen(leakage=leaked(names[:3], names[20:22])),
        "turned": simple({"rubric": "w" * 20 + "wl" * 8}, leakage=leaked([f"p{i}" for i in range(20)], of=36)),
        "one": simple({"rubric": "wwlwtswwlw" * 4}),
        "none": simple({}),
    }
    for name, report in pages.items():
        (folder / f"{name}.html").write_text(html.render(report), encoding="utf-8")
        (folder / f"{name}.md").write_text(markdown.render(report), encoding="utf-8")
        (folder / f"{name}.txt").write_text(text.render(report), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
