"""`harness compare A B [C …]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands.options import AllowMixed, CountingJudge, Json


def compare(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="A B", help="Runs, or predictions, scores or judgments files; two or more.")
    ],
    allow_mixed: AllowMixed = False,
    unpaired: Annotated[
        bool, typer.Option("--unpaired", help="Compare although the prompts differ: weaker, and said so.")
    ] = False,
    judge: CountingJudge = None,
    as_json: Json = False,
) -> None:
    """Is B better than A on the same prompts? Several inputs are a family: each later one against the first."""
    from harness.contrast import verb

    code = verb.compare(inputs, allow_mixed=allow_mixed, unpaired=unpaired, as_json=as_json, judges=judge or ())
    raise typer.Exit(code)
