"""`harness plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands.options import Json


def plan(
    suite: Annotated[str, typer.Argument(help="A suite file, or the name of a bundled suite (in_domain).")],
    effect: Annotated[
        float | None, typer.Option(help="The win rate's distance from 1/2 to be seen (0.1: a win rate of 60 %).")
    ] = None,
    power: Annotated[float, typer.Option(help="The chance to see it.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="The chance to see what is not there.")] = 0.05,
    pilot: Annotated[
        Path | None, typer.Option(metavar="RUN", help="A run whose spread and tokens are planned with.")
    ] = None,
    judge: Annotated[list[str] | None, typer.Option(help="A judge; may be given several times.")] = None,
    candidate: Annotated[str | None, typer.Option(help="What is to be tested.")] = None,
    baseline: Annotated[str | None, typer.Option(help="What it is to be tested against.")] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Generations a prompt.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only N of the suite's prompts.")] = None,
    as_json: Json = False,
) -> None:
    """How many prompts a question takes, what they cost, and what a suite can show; asks nobody."""
    from harness.planning.question import Question
    from harness.planning.verb import verb

    asked = Question(
        suite=suite,
        effect=effect,
        power=power,
        alpha=alpha,
        pilot=pilot,
        candidate=candidate,
        baseline=baseline,
        judges=tuple(judge or ()),
        repeats=repeats,
        limit=limit,
    )
    raise typer.Exit(verb(asked, as_json=as_json))
