"""Small files of tasks, and a task from keys as they stand in YAML."""

import json
from pathlib import Path

from harness.errors import InputError
from harness.tasks.keys import SplitKeys, TaskKeys
from harness.tasks.load import load

REVIEWS = [
    {"text": f"{word} dish, number {place}", "label": label}
    for place in range(10)
    for word, label in (("good", "positive"), ("bad", "negative"))
]


def written(folder: Path, name: str, rows: list) -> Path:
    """Rows as JSONL (dictionaries) or any other text file (lines)."""
    path = folder / name
    lines = [json.dumps(row) if isinstance(row, dict) else row for row in rows]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def task(folder: Path, keys: dict, split="given", **more):
    return load(TaskKeys.model_validate(keys), SplitKeys.model_validate(split), folder, **more)


def problems(folder: Path, keys: dict, split="given", **more) -> list[str]:
    """What is wrong, one sentence each, without the folder."""
    try:
        task(folder, keys, split, **more)
    except InputError as error:
        return [str(problem).removeprefix(f"{folder}/") for problem in error.problems]
    raise AssertionError("nothing is wrong")


def table(**more) -> dict:
    return {"files": "rows.jsonl", "text": "text", "label": "label", **more}
