"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object on stdout.")]
AllowMixed = Annotated[
    bool,
    typer.Option(
        "--allow-mixed",
        help="Compare although suites, judges, templates, baselines, checks or references differ; said.",
    ),
]
CountingJudge = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this judge counts; repeatable.")]
JudgeMode = Annotated[
    str | None,
    typer.Option(metavar="MODE", help="How language models judge: generation, or verdict-token (no text is written)."),
]
JudgeTemplate = Annotated[
    str | None, typer.Option(metavar="NAME|FILE", help="The judge template: a bundled one's name, or a file.")
]
PanelRule = Annotated[
    str | None, typer.Option(metavar="RULE", help="How several judges become one: majority, mean or unanimous.")
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
Concurrency = Annotated[int, typer.Option(min=1, max=1000, help="Most calls in flight to one endpoint.")]
MaxCost = Annotated[
    float | None, typer.Option(metavar="USD", help="Stop before this command has paid more US dollars than this.")
]


def judge_mode(given: str | None) -> Any:
    """The mode that a command line names; None where it names none. Raises InputError."""
    from judges.types import MODES

    return _one_of("--judge-mode", given.replace("_", "-") if given else None, MODES)


def panel_rule(given: str | None) -> Any:
    """The panel's rule that a command line names; None where it names none. Raises InputError."""
    from judges.panel import RULES

    return _one_of("--panel", given, RULES)


def _one_of(option: str, given: str | None, known: Sequence[str]) -> str | None:
    from harness.errors import InputError

    if given is not None and given not in known:
        raise InputError(f"{option} {given!r} is not known; use {' or '.join([', '.join(known[:-1]), known[-1]])}")
    return given
