"""`harness curve PATH… [--suite S]…`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.commands.checkpoints import checkpoints_folder
from harness.commands.options import Concurrency, Json, MaxCost

if TYPE_CHECKING:
    from harness.models.spec import Spec

Resolve = Callable[["Spec", Callable[[str, int, int], None]], "Spec"]


def curve_with(resolve: Resolve) -> Callable[..., Any]:
    """The verb; `resolve` turns recipe/… specs into what they made, which nothing below the command line knows."""

    def curve(
        paths: Annotated[
            list[Path], typer.Argument(metavar="PATH…", help="Score runs of a training's steps, or its folder.")
        ],
        suite: Annotated[
            list[str] | None, typer.Option(help="Evaluate the folder's steps on this score suite first; repeatable.")
        ] = None,
        judge: Annotated[
            list[str] | None, typer.Option(help="Only this judge's curve; with --suite, who is asked. Repeatable.")
        ] = None,
        step: Annotated[
            str | None, typer.Option(metavar="N,N,…", help="The runs' steps, where their checkpoints do not say.")
        ] = None,
        out: Annotated[Path | None, typer.Option(help="Where runs go; the same command on it goes on.")] = None,
        base: Annotated[Path | None, typer.Option(help="An adapter's base (default: found by fingerprint).")] = None,
        limit: Annotated[int | None, typer.Option(min=1, help="Ask only N prompts, drawn by category.")] = None,
        seed: Annotated[int | None, typer.Option(help="The runs' seed (default: the suite's).")] = None,
        concurrency: Concurrency = 32,
        max_cost: MaxCost = None,
        as_json: Json = False,
        as_html: Annotated[bool, typer.Option("--html", help="Print one self-contained page on stdout.")] = False,
    ) -> None:
        """How does a score move over training, which saved step is worth keeping, and how sure is that?"""
        from harness.curve import verb
        from harness.errors import InputError
        from harness.launch import Options

        wanted = verb.Wanted(as_json=as_json, as_html=as_html)
        if not suite:
            given = {"--out": out, "--base": base, "--limit": limit, "--seed": seed, "--max-cost": max_cost}
            alone = [name for name, value in given.items() if value is not None]
            if alone:
                raise InputError(f"{' and '.join(alone)} belong to evaluating checkpoints; name the --suite")
            raise typer.Exit(verb.of_runs(paths, judges=judge or (), steps=step, wanted=wanted))
        if len(paths) > 1:
            raise InputError(f"--suite evaluates the steps of one training, found {len(paths)} paths; name its folder")
        if step is not None:
            raise InputError("--step names the steps of runs; saved checkpoints say their own, so leave it out")
        if out is None:
            raise InputError("evaluating needs a folder that it can go on in: add --out DIR")
        options = Options(judges=tuple(judge or ()), limit=limit, seed=seed, concurrency=concurrency, max_cost=max_cost)
        code = verb.of_checkpoints(
            paths[0],
            suite,
            options,
            out=out,
            base=base,
            shelf=checkpoints_folder(),
            resolve=resolve,
            wanted=wanted,
        )
        raise typer.Exit(code)

    return curve
