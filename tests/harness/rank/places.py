"""Runs of pairs whose verdicts are written down beforehand, in folders that `harness run` made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import verbs
from harness.launch import Options
from tests.published import write_lines

WINNER = {"W": "candidate", "L": "baseline", "T": "tie", ".": None}


class Place:
    """A suite of n prompts and the responses of contestants a, b, c, … in one folder."""

    def __init__(self, folder: Path, n: int, *, suite: str = "dishes", clusters: int | None = None) -> None:
        self.folder, self.n = folder, n
        folder.mkdir(parents=True, exist_ok=True)
        prompts: list[dict[str, Any]] = [{"id": f"p{i:03d}", "prompt": f"How is dish {i} made?"} for i in range(n)]
        if clusters is not None:
            prompts = [prompt | {"cluster": f"c{i % clusters}"} for i, prompt in enumerate(prompts)]
        write_lines(folder / "prompts.jsonl", prompts)
        self.suite = folder / "suite.yaml"
        self.suite.write_text(f"name: {suite}\nprompts: prompts.jsonl\nseed: 5\n")

    def answers(self, name: str) -> str:
        """The spec of a contestant, whose file is written where it is not there yet."""
        path = self.folder / f"{name}.jsonl"
        if not path.exists():
            write_lines(path, [{"id": f"p{i:03d}", "response": f"{name} on dish {i}"} for i in range(self.n)])
        return f"recorded/{path}"

    def run(
        self,
        a: str,
        b: str,
        outcomes: str,
        *,
        judge: str = "gpt",
        name: str | None = None,
        by_position: bool = False,
        **options: Any,
    ) -> Path:
        """The run of a against b, in which a wins, loses or ties ("W", "L", "T"), or no verdict is usable (".").

        With `by_position` whoever wins is shown first; else no order is known.
        """
        verdicts = self.folder / f"verdicts-{name or a + b}.jsonl"
        rows = [verdict(i, judge, outcome) for i, outcome in enumerate(outcomes)]
        if by_position:
            rows = [row | {"order": f"{row['winner']}_first"} for row in rows]
        write_lines(verdicts, rows)
        out = self.folder / (name or f"{a}-{b}")
        given = Options(
            candidate=self.answers(a), baseline=self.answers(b), judges=(f"recorded/{verdicts}",), **options
        )
        verbs.run(str(self.suite), given, out=out, as_json=True, resolve=lambda spec, _: spec)
        return out


def verdict(place: int, judge: str, outcome: str) -> dict[str, Any]:
    status = "refused" if outcome == "." else "ok"
    return {"id": f"p{place:03d}", "judge": judge, "winner": WINNER[outcome], "status": status}


def mixed(wins: int, losses: int, ties: int = 0) -> str:
    """Outcomes spread evenly, so that prompts of one kind do not all come first."""
    left = {"W": wins, "L": losses, "T": ties}
    total, said = wins + losses + ties, ""
    for done in range(1, total + 1):
        at = {k: total * (said.count(k) + 1) / n for k, n in {"W": wins, "L": losses, "T": ties}.items() if left[k]}
        chosen = min(at, key=lambda k: (at[k] - done, k))
        left[chosen] -= 1
        said += chosen
    return said


def by_name(value: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The contestants of a ranking's object by the end of their spec: "a" of recorded/…/a.jsonl."""
    return {Path(one["spec"]).stem: one for one in value["contestants"]}


def edit_manifest(run: Path, **keys: Any) -> None:
    path = run / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def names(value: Mapping[str, Any]) -> Sequence[str]:
    return [Path(one["spec"]).stem for one in value["contestants"]]
