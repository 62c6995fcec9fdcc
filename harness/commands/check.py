"""`harness check NEW [--against OLD]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands.options import AllowMixed, CountingJudge, Json


def check(
    new: Annotated[Path, typer.Argument(metavar="NEW", help="A run, or a predictions, scores or judgments file.")],
    against: Annotated[
        Path | None,
        typer.Option(metavar="OLD", help="What was there before; without it NEW's own baseline is."),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(help="The loss that is still acceptable must be smaller (0.03: 3 points; of grades 0.03)."),
    ] = None,
    thresholds: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Margins, by category too, in a YAML file.")
    ] = None,
    categories: Annotated[bool, typer.Option("--categories", help="Fail where a category fails, too.")] = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result as JUnit XML.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the result as Markdown for a pull request.")
    ] = None,
    judge: CountingJudge = None,
    allow_mixed: AllowMixed = False,
    as_json: Json = False,
) -> None:
    """A regression gate: exit 0 where NEW lost less than the margin, 1 where it did not, 3 where nobody can tell."""
    from harness.gate import verb

    code = verb.check(
        new,
        against=against,
        margin=margin,
        file=thresholds,
        categories=categories,
        allow_mixed=allow_mixed,
        judges=judge or (),
        outputs=verb.Outputs(as_json=as_json, junit=junit, markdown=markdown),
    )
    raise typer.Exit(code)
