"""`harness checkpoints …`, and where checkpoints lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from harness.commands.options import Json

app = typer.Typer(no_args_is_help=True, help="The checkpoints that recipes made.")

CheckpointFolder = Annotated[Path, typer.Argument(metavar="PATH", help="The folder of a checkpoint or a saved step.")]
CheckpointsFolder = Annotated[
    Path | None,
    typer.Argument(metavar="DIR", help="The folder of checkpoints ($HARNESS_CHECKPOINTS, else ./checkpoints)."),
]


def checkpoints_folder() -> Path:
    """Where recipes put their checkpoints: $HARNESS_CHECKPOINTS, else ./checkpoints."""
    return Path(os.environ.get("HARNESS_CHECKPOINTS") or "checkpoints")


@app.command("list")
def checkpoints_list(folder: CheckpointsFolder = None, as_json: Json = False) -> None:
    """Every training, its finished weights and its saved steps; exit 2 where a manifest is broken."""
    from harness.checkpoints import listing

    raise typer.Exit(listing.verb(folder or checkpoints_folder(), required=folder is not None, as_json=as_json))


@app.command("show")
def checkpoints_show(path: CheckpointFolder, as_json: Json = False) -> None:
    """What a checkpoint is: base, steps, data, figures, versions, hashes."""
    from harness.checkpoints import showing

    raise typer.Exit(showing.verb(path, as_json=as_json))


@app.command("verify")
def checkpoints_verify(
    paths: Annotated[list[Path], typer.Argument(help="Folders of checkpoints, or of their saved steps.")],
) -> None:
    """Check that files and base are what training wrote; exit 1 where one is not."""
    from harness.checkpoints import verifying

    raise typer.Exit(verifying.verb(paths, shelf=checkpoints_folder()))


@app.command("prune")
def checkpoints_prune(
    keep: Annotated[
        str, typer.Option(help="What stays of each training: best:N, last:N or step:N,N,… of its saved steps.")
    ],
    folder: CheckpointsFolder = None,
    by: Annotated[
        str | None, typer.Option(help="The figure that says what is best (default: validation_loss).")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
) -> None:
    """Remove saved steps that are not worth their room; finished checkpoints always stay."""
    from harness.checkpoints import prune

    raise typer.Exit(prune.verb(folder or checkpoints_folder(), keep=keep, by=by, yes=yes))


@app.command("merge")
def checkpoints_merge(
    adapter: Annotated[Path, typer.Argument(help="The folder of an adapter.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the merged model; must not exist.")],
    base: Annotated[Path | None, typer.Option(help="The base's folder (default: found by its fingerprint).")] = None,
) -> None:
    """Make a base and its adapter one model, which answers as the two together do."""
    from harness.checkpoints import merge

    raise typer.Exit(merge.verb(adapter, out=out, base=base, shelf=checkpoints_folder()))


@app.command("export")
def checkpoints_export(
    path: CheckpointFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the copy; must not exist.")],
) -> None:
    """Copy a checkpoint for others: no resume state, no training index, no paths of this machine."""
    from harness.checkpoints import export

    raise typer.Exit(export.verb(path, out=out))
