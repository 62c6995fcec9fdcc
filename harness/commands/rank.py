"""`harness rank`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.commands.options import AllowMixed, Concurrency, Json

if TYPE_CHECKING:
    from harness.models.spec import Spec

Resolve = Callable[["Spec", Callable[[str, int, int], None]], "Spec"]


def rank_with(resolve: Resolve) -> Callable[..., Any]:
    """The verb; `resolve` turns recipe/… specs into what they made, which nothing below the command line knows."""

    def rank(
        runs: Annotated[
            list[Path] | None, typer.Argument(metavar="[RUN …]", help="Runs of pairs, on one suite by the same judges.")
        ] = None,
        suite: Annotated[
            str | None, typer.Option(help="Play a round robin on this suite, in the folder --out.")
        ] = None,
        contestant: Annotated[
            list[str] | None, typer.Option(help="Who takes part in it: hf/…, recipe/…, openai/…; three or more.")
        ] = None,
        judge: Annotated[list[str] | None, typer.Option(help="A judge of it; may be given several times.")] = None,
        out: Annotated[Path | None, typer.Option(help="Its folder; the same command on it goes on.")] = None,
        limit: Annotated[int | None, typer.Option(min=1, help="Ask only N prompts, drawn by category.")] = None,
        seed: Annotated[int | None, typer.Option(help="Its seed (default: the suite's).")] = None,
        concurrency: Concurrency = 32,
        allow_mixed: AllowMixed = False,
        as_json: Json = False,
    ) -> None:
        """Put three or more contestants in order: from runs of pairs, or by a round robin (each answers once)."""
        from harness.errors import InputError
        from harness.rank import verb

        robin = {"--contestant": contestant, "--judge": judge, "--out": out, "--limit": limit, "--seed": seed}
        if suite is None:
            alone = [name for name, value in robin.items() if value is not None]
            if alone or not runs:
                raise InputError(
                    f"{' and '.join(alone)} belong to a round robin; name its --suite"
                    if alone
                    else "nothing to rank: give runs, or --suite, --contestant (three or more) and --out"
                )
            raise typer.Exit(verb.rank_runs(runs, allow_mixed=allow_mixed, as_json=as_json))
        if runs or allow_mixed:
            raise InputError("a round robin makes its own runs; give RUN … (and --allow-mixed) without --suite")
        if out is None:
            raise InputError("a round robin needs a folder that it can go on in: add --out DIR")
        code = verb.round_robin(
            suite,
            contestant or (),
            judge or (),
            out=out,
            limit=limit,
            seed=seed,
            concurrency=concurrency,
            resolve=resolve,
            as_json=as_json,
        )
        raise typer.Exit(code)

    return rank
