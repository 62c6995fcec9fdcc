"""`harness rerun`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands.options import Concurrency, Json, RunFolder


def rerun(
    run: RunFolder,
    times: Annotated[int | None, typer.Option(min=1, help="How many reruns there shall be (default: 3).")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder the reruns lie in, as RUN-rerun-1, … (default: beside RUN).")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Replay from records and cache alone; exit 1 where anything differs.")
    ] = False,
    rejudge: Annotated[
        int | None,
        typer.Option(metavar="K", min=1, help="Only ask the judges again, about K prompts, with the cache off."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The seed that draws the K prompts (default: the run's).")] = None,
    concurrency: Concurrency = 32,
    as_json: Json = False,
) -> None:
    """Ask a finished run's question again with new seeds: how far do win rates and outcomes lie apart by chance?"""
    from harness.errors import InputError
    from harness.rerun import verb

    if verify and (rejudge is not None or times is not None or out is not None or seed is not None):
        raise InputError("--verify replays what is there; it takes no --times, --out, --rejudge or --seed")
    if rejudge is not None and (times is not None or out is not None):
        raise InputError("--rejudge asks the judges of RUN alone; it takes no --times and no --out")
    if seed is not None and rejudge is None:
        raise InputError("--seed draws the prompts of --rejudge; a rerun's seeds follow from the run's")
    if verify:
        raise typer.Exit(verb.verify(run, concurrency=concurrency, as_json=as_json))
    if rejudge is not None:
        raise typer.Exit(verb.rejudge(run, wanted=rejudge, seed=seed, concurrency=concurrency, as_json=as_json))
    raise typer.Exit(verb.rerun(run, times=times or 3, out=out, concurrency=concurrency, as_json=as_json))
