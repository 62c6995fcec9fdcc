"""Sides to compare, as real files: predictions, scores, judgments, and a run made by the real command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.command import environment, harness, world
from tests.harness.test_run import judge
from tests.loopback.server import Loopback
from tests.published import lines, write_lines


def predictions(path: Path, right: Iterable[bool], *, prefix: str = "p", **more: Any) -> Path:
    """A predictions file: every prompt's label is "yes", predicted so where it is right."""
    records = [
        {"id": f"{prefix}{place:04d}", "label": "yes", "prediction": "yes" if one else "no", **more}
        for place, one in enumerate(right)
    ]
    return write_lines(path, records)


def judgments(path: Path, winners: Iterable[str | None], *, judge: str = "recorded", **more: Any) -> Path:
    """A judgments file of one judge: a winner a prompt, or None where it gave no verdict."""
    records = [
        {"id": f"p{place:03d}", "judge": judge, "winner": winner, "status": "ok" if winner else "invalid_parse", **more}
        for place, winner in enumerate(winners)
    ]
    return write_lines(path, records)


def scores(path: Path, values: Iterable[float | None], *, judge: str = "grader", turn: int = 1, **more: Any) -> Path:
    """A scores file of one judge: a rating a prompt, or None where it gave none."""
    records = [
        {
            "id": f"p{place:03d}",
            "judge": judge,
            "turn": turn,
            "score": value,
            "status": "ok" if value is not None else "invalid_parse",
            **more,
        }
        for place, value in enumerate(values)
    ]
    return write_lines(path, records)


def joined(path: Path, *parts: Path) -> Path:
    """Several files as one."""
    return write_lines(path, [record for part in parts for record in lines(part)])


def run(folder: Path, *, n: int = 40, better: float = 0.75) -> Path:
    """A finished pairwise run, judged over the wire, whose baseline is the same for every `better`."""
    suite = world(folder, n, better=better)
    same_baseline(folder)
    with Loopback(policy=judge) as server:
        done = harness("run", suite, "--out", folder / "run", "--json", env=environment(folder, server.url))
    assert done.code == 0, done.err
    return folder / "run"


def same_baseline(folder: Path) -> None:
    """Let the baseline say the same everywhere, and only the candidate differ."""
    rows = lines(folder / "baseline.jsonl")
    middling = "Dish {} simmers slowly with onions until everything is tender."
    answers = [row | {"response": middling.format(int(row["id"][1:]))} for row in rows]
    write_lines(folder / "baseline.jsonl", answers)


def checked(folder: Path, checks: Callable[[int], list[dict[str, Any]]], *, n: int = 16) -> Path:
    """A finished run of the rubric, whose prompts declare these checks by their place."""
    suite = world(folder, n, judges="[rubric]")
    prompts = lines(folder / "prompts.jsonl")
    write_lines(folder / "prompts.jsonl", [prompt | {"checks": checks(place)} for place, prompt in enumerate(prompts)])
    done = harness("run", suite, "--out", folder / "run", "--json", env=environment(folder))
    assert done.code == 0, (done.code, done.json["decision"], done.err)
    return folder / "run"


def changed(run: Path, to: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A copy of a run whose manifest says something else."""
    shutil.copytree(run, to)
    manifest = json.loads((to / "manifest.json").read_text(encoding="utf-8"))
    change(manifest)
    (to / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return to
