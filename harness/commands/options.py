"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object on stdout.")]
AllowMixed = Annotated[
    bool,
    typer.Option(
        "--allow-mixed",
        help="Compare although suites, judges, templates, baselines, checks or references differ; said.",
    ),
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
Concurrency = Annotated[int, typer.Option(min=1, max=1000, help="Most calls in flight to one endpoint.")]
MaxCost = Annotated[
    float | None, typer.Option(metavar="USD", help="Stop before this command has paid more US dollars than this.")
]
