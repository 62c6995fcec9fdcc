"""`harness agree RUN|FILE…`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands.options import Json


def agree(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="RUN|FILE…", help="Runs and judgments files, taken together.")
    ],
    gold: Annotated[
        str | None, typer.Option(metavar="NAME", help="The judge that is taken for the truth (human/…, say).")
    ] = None,
    as_json: Json = False,
    as_html: Annotated[bool, typer.Option("--html", help="Print one self-contained page on stdout.")] = False,
) -> None:
    """How far do several judges agree: by pair, all together, by category, and with a known truth?"""
    from harness.agree import verb

    raise typer.Exit(verb.agree(inputs, gold=gold, as_json=as_json, as_html=as_html))
