"""What a matrix comes to, from the folders of its cells: a row a cell, and the five questions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.classify.collect import find
from harness.classify.figures import clusters_of
from harness.classify.run import TIMING
from harness.classify.written import RESULTS
from harness.errors import InputError
from harness.matrix.alike import differences, manifests
from harness.matrix.estimate import parameters_of
from harness.matrix.questions import Question, Result, questions
from harness.matrix.run import FOLDERS, RUN, Standing, standings_of
from harness.matrix.suite import TRAINED, Cell, MatrixSuite
from harness.report.numerals import listed


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A cell that is done: its figures as results.json has them, and which items it got right.

    `doubts` say why the two may not belong together.
    """

    cell: Cell
    figures: Mapping[str, Any]
    result: Result
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """Everything a matrix's report says; `differences` are what cells do not have in common that they should."""

    suite: MatrixSuite
    standings: Mapping[Cell, Standing]
    rows: tuple[Row, ...]
    questions: tuple[Question, ...]
    differences: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every cell is done."""
        return all(own.state == "done" for own in self.standings.values())

    @property
    def failed(self) -> dict[Cell, str]:
        """Why cells failed."""
        return {cell: own.reason or "" for cell, own in self.standings.items() if own.state == "failed"}

    def as_json(self) -> dict[str, Any]:
        """`summary.json` of a matrix."""
        return {
            "kind": "matrix",
            "variant": self.suite.variant,
            "complete": self.complete,
            "cells": [self._cell(cell) for cell in self.standings],
            "margin": self.suite.keys.margin,
            "questions": [question.as_json() for question in self.questions],
        }

    def _cell(self, cell: Cell) -> dict[str, Any]:
        named = {"model": cell.model, "task": cell.task, "mode": cell.mode}
        own = self.standings[cell]
        row = next((row for row in self.rows if row.cell == cell), None)
        if row is None:
            return {**named, "state": own.state, "reason": own.reason}
        return {**named, "state": own.state, **figures_of(row)}


FIGURES = ("n", "accuracy", "ci", "macro_f1", "mcc", "majority_rate", "latency_ms", "throughput_items_per_s")


def figures_of(row: Row) -> dict[str, Any]:
    """The figures of a cell that stand in the table of all."""
    found = {name: row.figures.get(name) for name in FIGURES}
    training, memory = row.figures.get("training") or {}, row.figures.get("peak_memory_bytes") or {}
    return {
        **found,
        "train_s": row.result.train_s,
        # What is asked as it is owes nothing to a training here, whatever its base was trained for.
        "gain_per_s": training.get("gain_per_s") if row.cell.mode in TRAINED else None,
        "peak_memory_bytes": memory.get("cuda", memory.get("process")),
        "parameters": row.result.parameters,
    }


def matrix_of(run: Path, suite: MatrixSuite) -> Matrix:
    """A matrix as it stands on disk. Raises InputError where a cell that is done is not whole."""
    standings = standings_of(run, suite.cells())
    rows = tuple(
        _row(suite, cell, run / FOLDERS / cell.name / RUN) for cell, own in standings.items() if own.state == "done"
    )
    answers = questions([row.result for row in rows], suite.keys.margin)
    return Matrix(
        suite=suite,
        standings=standings,
        rows=rows,
        questions=answers,
        differences=tuple(differences(manifests(run, suite))),
    )


def _row(suite: MatrixSuite, cell: Cell, run: Path) -> Row:
    try:
        figures = json.loads((run / RESULTS).read_text(encoding="utf-8"))
        timing = json.loads((run / TIMING).read_text(encoding="utf-8")) if (run / TIMING).exists() else {}
    except (OSError, ValueError) as error:
        raise InputError(f"{run}: a cell that is done is not whole ({error}); delete its folder and resume") from None
    model = suite.keys.models[cell.model]
    found = find(run)
    predictions = found.predictions
    doubts = [f"{listed(found.changed)} changed after the cell was run" for _ in found.changed[:1]]
    if len(predictions) != figures.get("n"):
        doubts.append(f"{len(predictions):,} predictions stand where its figures are of {figures.get('n'):,}")
    training = figures.get("training") or {}
    latency = (figures.get("latency_ms") or {}).get("p50")
    seconds = training.get("seconds") if cell.mode in TRAINED else 0.0
    result = Result(
        model=cell.model,
        task=cell.task,
        mode=cell.mode,
        family=model.family,
        right={record.id: float(record.prediction == record.label) for record in predictions},
        slices={record.id: frozenset(record.slices or ()) for record in predictions},
        clusters=dict(zip((record.id for record in predictions), clusters_of(predictions) or (), strict=False)),
        parameters=parameters_of(suite, cell),
        train_s=seconds,
        latency_ms=latency,
        items_per_s=timing.get("items_per_s"),
    )
    return Row(cell=cell, figures=figures, result=result, doubts=tuple(doubts))
