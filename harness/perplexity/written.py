"""report.md and report.html of a perplexity run: what the terminal shows, kept apart from its page by escaping."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import escape

from harness.perplexity.report import LossReport
from harness.perplexity.text import render
from harness.report.numerals import one_line


def markdown(report: LossReport) -> str:
    """The report as one fenced block under its title; nothing of a name or a file can steer the page."""
    text = render(report).replace("```", "‵‵‵")
    return f"# {one_line(report.title[0])}\n\n```text\n{text}```\n"


def page(report: LossReport) -> Iterator[str]:
    """The page piece by piece."""
    yield "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
    yield "<meta name=viewport content='width=device-width, initial-scale=1'>\n"
    yield f"<title>{escape(one_line(report.title[0]))}</title>\n"
    yield "<style>:root{color-scheme:light dark}body{margin:2rem}pre{overflow-x:auto}</style>\n"
    yield f"<main><pre>{escape(render(report))}</pre></main>\n</html>\n"
