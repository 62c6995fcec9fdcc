"""Checks files without running anything: suites, and JSONL of every kind. Finds every problem at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from harness import suite as suites
from harness.errors import InputError, Problem
from harness.leakage.examples import turns_of
from harness.perplexity import documents
from harness.records import JudgmentRecord, PredictionRecord, PromptRecord, gather, kind_of, read_lines
from harness.yamlfile import load_yaml

TABLES = (".csv", ".parquet")
RECIPE_KINDS = ("pretrain", "sft", "dpo", "reward", "encoder")


def problems_in(
    path: Path, check_recipe: Callable[..., Any], say: Callable[[str], None] = lambda text: None
) -> list[Problem]:
    """Every problem of a suite, a recipe (by `check_recipe`) or a JSONL file; `say` hears what is not checked."""
    try:
        if path.suffix in (".yaml", ".yml"):
            kind = load_yaml(path)[0].get("kind")
            if kind in RECIPE_KINDS:
                check_recipe(path)
                return []
            if kind == "classify":
                from harness.classify import checking as of_classify

                return of_classify.problems_in(path, say)
            if kind == "matrix":
                from harness.matrix import checking as of_matrix

                # The data of its cells are read once, with their task.
                return of_matrix.problems_in(path, partial(check_recipe, data=False), say)
            return _suite(path)
        if path.suffix in TABLES and path.is_file():
            what = "is a table, which is checked by the suite that reads it; give that suite"
            return [Problem(path=str(path), what=what)]
        return _jsonl(path)
    except InputError as error:
        return [p if isinstance(p, Problem) else Problem(path=str(path), what=p) for p in error.problems]


def _suite(path: Path) -> list[Problem]:
    """What of a suite only its judges show: modes, templates and options that do not fit them, or the prompts."""
    suite = suites.load(path, files=True)
    if not suite.judges:
        return []
    from harness.launch import fitting

    return [Problem(path=str(path), line=load_yaml(path)[1](["judges"]), what=what) for what in fitting(suite)]


def _jsonl(path: Path) -> list[Problem]:
    first = next((value for _, value in read_lines(path) if isinstance(value, dict)), None)
    if first is None:
        found = gather(path, JudgmentRecord)[1]
        return found or [Problem(path=str(path), what="is empty; it needs at least one JSON object a line")]
    if "id" not in first and _trains(first):
        return _training(path)
    if {"text", "messages"} & first.keys():
        return documents.read(path)[1]
    model = kind_of(first)
    if model is PromptRecord:
        return suites.load_prompts(path)[1]
    if model is PredictionRecord:
        from harness.classify import files

        return gather(path, PredictionRecord, check=files.check)[1]
    return gather(path, model)[1]


def _trains(value: dict[str, Any]) -> bool:
    """Whether a line is a training example: a conversation, or a prompt with its answer."""
    return "messages" in value or {"prompt", "response"} <= value.keys()


def _training(path: Path) -> list[Problem]:
    """The problems of a training file, as far as they do not depend on the recipe that reads it."""
    problems = []
    for line, value in read_lines(path):
        found = value if isinstance(value, Problem) else turns_of(value)
        if isinstance(found, Problem):
            problems.append(found)
        elif isinstance(found, str):
            problems.append(Problem(path=str(path), line=line, what=found))
    return problems
