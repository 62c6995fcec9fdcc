"""A matrix for a terminal: the table of all cells, the five questions, what to doubt. 80 columns."""

from __future__ import annotations

from harness.matrix import words
from harness.matrix.questions import Question
from harness.matrix.results import Matrix, Row
from harness.report.columns import WIDTH, listing, table, wrap
from harness.report.numerals import DASH, brief, decimals, percent, span

HEADS = ("right", "95 %", "n", "macro F1", "ms", "trained s")


def render(made: Matrix, *, width: int = WIDTH) -> str:
    """The report as lines of at most `width` columns."""
    done = sum(own.state == "done" for own in made.standings.values())
    variant = f", variant {made.suite.variant}" if made.suite.variant else ""
    blocks = [
        wrap(f"{made.suite.name}{variant}: {done} of {len(made.standings)} cells done", width, rest="  "),
        *("\n".join(table(task, HEADS, cells, width)) for task, cells in tables(made).items()),
        *(listing(question.asked, asked(made, question), width) for question in made.questions),
        listing("what to doubt", words.doubts(made), width),
        wrap("p-values are adjusted for all comparisons of all questions (Holm); intervals are not", width),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def asked(made: Matrix, question: Question) -> list[str]:
    """What is said of a question."""
    if question.name == "efficiency":
        return list(words.efficiency(made))
    return list(words.answer(question, made.suite.keys.margin))


def tables(made: Matrix) -> dict[str, list[tuple[str, list[str]]]]:
    """A row a cell, by task."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for row in made.rows:
        found.setdefault(row.cell.task, []).append((f"{row.cell.model} {row.cell.mode}", cells(row)))
    return found


def cells(row: Row) -> list[str]:
    """The figures of a cell as text."""
    own, n = row.figures, int(row.figures.get("n") or 0)
    accuracy, ci, macro = own.get("accuracy"), own.get("ci"), own.get("macro_f1")
    return [
        percent(accuracy, n) if accuracy is not None else DASH,
        span(ci[0], ci[1], n) if ci else DASH,
        f"{n:,}",
        decimals(macro, 3) if macro is not None else DASH,
        brief(row.result.latency_ms) if row.result.latency_ms is not None else DASH,
        f"{row.result.train_s:,.0f}" if row.result.train_s is not None else DASH,
    ]
