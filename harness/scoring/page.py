"""report.html of a score run."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import escape

from harness.scoring.report import ScoreReport
from harness.scoring.text import render


def pieces(report: ScoreReport) -> Iterator[str]:
    """The page piece by piece."""
    yield f"<!doctype html><meta charset=utf-8><title>{escape(report.title[0])}</title><pre>{escape(render(report))}</pre>"
