"""`harness cache …`."""

from __future__ import annotations

import typer

from harness.commands.options import Json

app = typer.Typer(no_args_is_help=True, help="The cache of paid answers.")


@app.command("stats")
def cache_stats(as_json: Json = False) -> None:
    """How many answers are cached, how large they are, and where."""
    from harness import verbs

    raise typer.Exit(verbs.cache_stats(as_json=as_json))


@app.command("clear")
def cache_clear() -> None:
    """Remove every cached answer."""
    from harness import verbs

    raise typer.Exit(verbs.cache_clear())


@app.command("verify")
def cache_verify() -> None:
    """Check that every cached answer can be read and is what its key says; exit 1 where one is not."""
    from harness import verbs

    raise typer.Exit(verbs.cache_verify())
