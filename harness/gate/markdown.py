"""A gate's result for a pull request or a step summary: GitHub Markdown in which no name can become markup."""

from __future__ import annotations

from collections.abc import Sequence

from harness.gate import text, words
from harness.gate.result import GateResult
from harness.report.markdown import escape
from harness.report.numerals import DASH

MARK = {"pass": "✅", "fail": "❌", "inconclusive": "⚠️"}


def render(result: GateResult) -> str:
    """The outcome in a sentence, a table of all prompts and every category, and what to know."""
    found, measured = result.found, result.measured
    whole = (
        result.overall,
        words.difference(result, found.difference) if found.difference is not None else DASH,
        words.interval(result, found),
        words.lower(result, found),
        words.margin(result, found),
        DASH,
        f"{found.n:,}",
    )
    lines = [
        f"### {MARK[result.outcome]} Regression gate: {result.outcome}",
        "",
        escape(words.headline(result)),
        "",
        _row(("", *text.HEADS)),
        _row(("---", *("---:" for _ in text.HEADS))),
        _row(("all prompts", *whole)),
        *(_row((escape(name), *cells)) for name, cells in text.rows(result)),
        "",
        escape(f"NEW is {measured.new}, OLD {measured.old or 'the baseline of that run'}; {text.caption(result)}."),
    ]
    said = words.notes(result)
    if said:
        lines += ["", *(f"- {escape(note)}" for note in said)]
    return "\n".join(lines) + "\n"


def refusal(problems: Sequence[str]) -> str:
    """What is written where the input could not be used."""
    lines = [f"### {MARK['fail']} Regression gate: input that cannot be used", ""]
    return "\n".join([*lines, *(f"- {escape(problem)}" for problem in problems)]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
