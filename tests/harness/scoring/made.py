"""A score suite of two-turn prompts, and a server whose models answer and grade: the same question, the same reply."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.command import Done, environment, harness
from tests.loopback import Loopback
from tests.loopback.policy import texts
from tests.published import write_lines

SIDES = ("--candidate", "openai/new", "--baseline", "openai/old")
MIX = "[openai/judge, anthropic/claude-x]"
Rate = Callable[[dict[str, Any], str], str | Mapping[str, Any]]


def suite(folder: Path, n: int = 8, *, judges: str = "[openai/judge]", more: str = "", **changed: Any) -> Path:
    """Prompts of two turns, in two categories, every other one with references; `changed` is of every prompt."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "id": f"p{place:02d}",
            "turns": [f"How is dish {place} made?", "And what goes with it?"],
            "category": "odd" if place % 2 else "even",
            **({"reference": [f"Dish {place} is baked.", ""]} if place % 2 else {}),
            "checks": [{"kind": "length", "min": 12}],
            **changed,
        }
        for place in range(n)
    ]
    write_lines(folder / "prompts.jsonl", rows)
    path = folder / "suite.yaml"
    path.write_text(f"name: dishes\nkind: score\nprompts: prompts.jsonl\njudges: {judges}\nseed: 3\n{more}")
    return path


def grading(request: dict[str, Any]) -> bool:
    """Whether a request asks a judge for a grade."""
    return "<<<ANSWER TO GRADE>>>" in "\n".join(texts(request))


def number(request: dict[str, Any], below: int) -> int:
    """A number that belongs to a question and its model."""
    text = request["model"] + "\n".join(texts(request))
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % below


def usual(request: dict[str, Any], text: str = "") -> Mapping[str, Any]:
    """A rating from 1 to 10 that belongs to the question."""
    return {"rating": 1 + number(request, 10), "reasoning": "As it is."}


def policy(rate: Rate = usual) -> Callable[[dict[str, Any]], str | Mapping[str, Any]]:
    """Contestants say some words; judges rate as `rate` has it, which is given the request and its text."""

    def answer(request: dict[str, Any]) -> str | Mapping[str, Any]:
        if grading(request):
            return rate(request, "\n".join(texts(request)))
        return f"{request['model']} says " + "stir and wait " * (1 + number(request, 6))

    return answer


class Kitchen:
    """A suite, a server and an environment: `run`, `resume` and any other verb, each by the real command."""

    def __init__(self, folder: Path, server: Loopback, **more: str) -> None:
        self.folder, self.server = folder, server
        self.env = environment(folder, server.url, **more)

    def __call__(self, *arguments: str | Path) -> Done:
        return harness(*arguments, env=self.env, cwd=self.folder)

    def run(self, out: str | Path, *more: str | Path, suite: Path | None = None) -> Done:
        return self("run", suite or "suite.yaml", "--out", self.folder / out, *more)

    @property
    def asked(self) -> tuple[int, int]:
        """Requests so far: to contestants, and to judges."""
        judged = sum(grading(body) for body in self.server.bodies)
        return len(self.server.bodies) - judged, judged

    def read(self, *parts: str) -> Any:
        return json.loads(self.folder.joinpath(*parts).read_text(encoding="utf-8"))


def flat(text: str) -> str:
    """A terminal's lines as one."""
    return " ".join(text.split())
