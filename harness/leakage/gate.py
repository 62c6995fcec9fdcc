"""`harness leakage --train FILE… --suite S`: a gate that fails where a model was trained on what it is tested with."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from harness import suite as suites
from harness.errors import HarnessError, InputError, Problem
from harness.leakage.index import TrainingIndex, read
from harness.leakage.matches import Leakage, Match, find
from judges.types import Prompt


def verb(train: Sequence[Path], suite: str, as_json: bool) -> int:
    """Print what leaked. Exit code 1 where something did, 0 where nothing did; raises InputError (2) for bad input.

    `train` holds training files, saved indexes or checkpoint folders with one; `suite` is a suite or a prompts file.
    """
    prompts, indexes = _inputs(train, suite)
    found = find(indexes, prompts)
    if as_json:
        text = json.dumps(found.as_json(), ensure_ascii=False, indent=2) + "\n"
    else:
        text = report(found, len(prompts), sum(index.examples for index in indexes))
    sys.stdout.write(text)
    sys.stdout.flush()
    return 1 if found.ids else 0


def report(found: Leakage, prompts: int, examples: int) -> str:
    """The finding in words, then each leaked prompt with the training example it was found in."""
    against = f"{prompts} prompts against {examples} training examples"
    if not found.ids:
        return f"no leakage: {against}, none found\n"
    head = f"leakage: {against}, {len(found.ids)} found ({len(found.exact)} exact, {len(found.near)} near)"
    return "\n".join([head, *map(_line, found.matches)]) + "\n"


def _line(match: Match) -> str:
    how = "exact" if match.kind == "exact" else f"near {match.similarity:.2f}"
    return f"{match.id}: {how}, {match.file}:{match.line}: {_short(match.text)}"


def _short(text: str, room: int = 100) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def _inputs(train: Sequence[Path], suite: str) -> tuple[Sequence[Prompt], list[TrainingIndex]]:
    """The prompts and an index a file. Raises InputError with every problem of all of them."""
    problems: list[Problem | str] = []
    prompts: Sequence[Prompt] = ()
    indexes: list[TrainingIndex] = []
    try:
        prompts = _prompts(suite)
    except HarnessError as error:
        problems += error.problems if isinstance(error, InputError) else [str(error)]
    for path in train:
        try:
            indexes.append(read(path))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError([p if isinstance(p, Problem) else Problem(path=suite, what=p) for p in problems])
    return prompts, indexes


def _prompts(given: str) -> Sequence[Prompt]:
    path = Path(given)
    if path.suffix not in (".jsonl", ".json"):
        return suites.load(suites.locate(given)).prompts
    prompts, problems = suites.load_prompts(path)
    if problems:
        raise InputError(problems)
    return prompts
