"""report.md of a score run: what the terminal shows, as Markdown that any viewer keeps apart from its text."""

from __future__ import annotations

from harness.scoring.report import ScoreReport
from harness.scoring.text import render as lines


def render(report: ScoreReport) -> str:
    """The report as one fenced block under its title; nothing of a name or a file can steer the page."""
    text = lines(report).replace("```", "‵‵‵")
    return f"# {report.title[0]}\n\n```text\n{text}```\n"
