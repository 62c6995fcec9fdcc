"""Matrices as they stand after a run: an encoder that is mostly right, language models that are less so, a failure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.matrix.questions import Result, questions
from harness.matrix.results import Matrix, Row
from harness.matrix.run import Standing
from harness.matrix.suite import Cell, MatrixKeys, MatrixSuite
from harness.stats.intervals import wilson

TASK = {"files": "items.jsonl", "text": "text", "label": "label"}
RIGHT = {"fine-tune": 0.9, "lora": 0.88, "few-shot": 0.7, "zero-shot": 0.6}


def suite_of(**changes: Any) -> MatrixSuite:
    """Two tasks, an encoder and two language models, four modes."""
    keys = {
        "name": "made",
        "kind": "matrix",
        "tasks": {"one": {"task": TASK}, "two": {"task": TASK}},
        "models": {
            "bert": {"encoder": "hf/bert", "parameters": 100},
            "small": {"language": "hf/small", "parameters": 100},
            "big": {"language": "hf/big", "parameters": 900},
        },
        "modes": {mode: {} for mode in RIGHT},
    }
    return MatrixSuite(keys=MatrixKeys.model_validate(keys | changes), folder=Path("/nowhere"))


def made(
    n: int = 200,
    *,
    suite: MatrixSuite | None = None,
    failed: Sequence[int] = (3,),
    waiting: Sequence[int] = (),
    reason: str = "out of memory on one item",
    slices: Sequence[str] = ("Negated",),
) -> Matrix:
    """A matrix of `n` items a cell; `failed` and `waiting` are places among its cells."""
    suite = suite or suite_of()
    rng = random.Random(5)
    standings: dict[Cell, Standing] = {}
    rows = []
    for place, cell in enumerate(suite.cells()):
        if place in failed or place in waiting:
            standings[cell] = Standing(state="failed", reason=reason) if place in failed else Standing()
            continue
        right = {f"i{item}": float(rng.random() < RIGHT[cell.mode]) for item in range(n)}
        rows.append(_row(suite, cell, right, slices))
        standings[cell] = Standing(state="done", seconds=2.0, accuracy=rows[-1].figures["accuracy"])
    answers = questions([row.result for row in rows], suite.keys.margin)
    return Matrix(suite=suite, standings=standings, rows=tuple(rows), questions=answers)


def _row(suite: MatrixSuite, cell: Cell, right: dict[str, float], slices: Sequence[str]) -> Row:
    n, hits = len(right), int(sum(right.values()))
    model = suite.keys.models[cell.model]
    trained = cell.mode in ("fine-tune", "lora")
    result = Result(
        model=cell.model,
        task=cell.task,
        mode=cell.mode,
        family=model.family,
        right=right,
        slices={item: frozenset(slices if place % 2 else ()) for place, item in enumerate(right)},
        parameters=int(model.parameters or 0),
        train_s=60.0 if trained else 0.0,
        latency_ms=12.5,
    )
    figures = {
        "n": n,
        "accuracy": hits / n,
        "ci": list(wilson(hits / n, n)),
        "majority_rate": 0.5,
        "macro_f1": hits / n,
        "latency_ms": {"p50": 12.5, "p95": 20.0},
        "doubts": [],
    }
    return Row(cell=cell, figures=figures, result=result)
