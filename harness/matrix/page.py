"""report.html of a matrix: one file without a script, which asks nothing of any network.

Look, policy and escaping are `harness.report.html`'s. Names of models and tasks, slices and the reasons of failed cells
come from files and libraries: Jinja2 escapes them. Where a cell is done, its name leads to its own report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from harness.matrix import text, words
from harness.matrix.questions import Contrast, Question
from harness.matrix.results import Matrix, Row
from harness.matrix.run import FOLDERS, RUN
from harness.report.chart import axis, share
from harness.report.html import environment, policy, source, writable
from harness.report.numerals import DASH, brief, p_value, percent, plural, span
from harness.report.shares import ShareRow

_HERE = Path(__file__).parent
HEADS = ("right", "majority", "n", "macro F1", "ms", "trained s")
CONTRASTS = ("difference", "95 %", "n", "against", "p, adjusted")


def render(made: Matrix) -> str:
    """The report as one self-contained page."""
    return "".join(pieces(made))


def pieces(made: Matrix) -> Iterator[str]:
    """The page piece by piece."""
    style = "\n".join([source("page.css"), source("shares.css"), source("page.css", _HERE)])
    suite = made.suite
    page = environment(_HERE).get_template("page.html.j2").generate(
        kind="matrix",
        # A sentence that begins with a model's name keeps it as it is.
        capitals=False,
        title=suite.name,
        variant=suite.variant,
        total=len(made.standings),
        counts=_counts(made),
        doubts=_doubts(made),
        policy=policy(style, ""),
        style=Markup(style),
        percent=axis(),
        heads=HEADS,
        contrast_heads=CONTRASTS,
        questions=[(each, text.asked(made, each), _contrasts(each)) for each in made.questions],
        tasks=_tasks(made),
        failed=[(str(cell), reason) for cell, reason in made.failed.items()],
        facts=_facts(made),
    )  # fmt: skip
    return writable(page)


def _counts(made: Matrix) -> str:
    done = sum(own.state == "done" for own in made.standings.values())
    waiting = len(made.standings) - done - len(made.failed)
    parts = [f"{done} of {plural(len(made.standings), 'cell')} done"]
    parts += [f"{len(made.failed)} failed"] if made.failed else []
    parts += [f"{waiting} still to come"] if waiting else []
    return ", ".join(parts) + "."


def _doubts(made: Matrix) -> list[str]:
    """What stands against the answers; why cells failed stands in a section of its own."""
    reasons = {f"{cell} failed: {reason}" for cell, reason in made.failed.items()}
    said = [sentence for sentence in words.doubts(made) if sentence not in reasons]
    failed = [f"{plural(len(reasons), 'cell')} failed: why stands below"] if reasons else []
    return [*failed, *said]


def _tasks(made: Matrix) -> Mapping[str, Sequence[ShareRow]]:
    """A row a cell that is done, by task."""
    found: dict[str, list[ShareRow]] = {}
    for row in made.rows:
        found.setdefault(row.cell.task, []).append(_row(row))
    return found


def _row(row: Row) -> ShareRow:
    own, n = row.figures, int(row.figures.get("n") or 0)
    _, _, items, macro, took, trained = text.cells(row)
    value, ci, rate = own.get("accuracy"), own.get("ci"), own.get("majority_rate")
    ends = (float(ci[0]), float(ci[1])) if ci else None
    latency = own.get("latency_ms") or {}
    slowest = f"95 % {brief(latency['p95'])}" if latency.get("p95") is not None else ""
    return ShareRow(
        label=f"{row.cell.model} {row.cell.mode}",
        href=f"{FOLDERS}/{row.cell.name}/{RUN}/report.html",
        strip=share(value, ends, rate),
        cells=(
            (percent(value, n) if value is not None else DASH, span(*ends, n) if ends else ""),
            (percent(rate, n) if rate is not None else DASH, ""),
            (items, ""),
            (macro, ""),
            (took, slowest),
            (trained, ""),
        ),
        kind=row.result.family,
    )


def _contrasts(question: Question) -> list[tuple[str, list[str]]]:
    return [(f"{each.a} − {each.b}", _cells(each)) for each in question.contrasts]


def _cells(each: Contrast) -> list[str]:
    own = each.found
    if own.mean is None:
        return [DASH, str(own.reason), words.count(each), words.points(each.null), DASH]
    ends = f"{words.points(own.ci[0])} to {words.points(own.ci[1])}" if own.ci else str(own.reason)
    p = p_value(each.p_adjusted).removeprefix("= ") if each.p_adjusted is not None else DASH
    return [words.points(own.mean), ends, words.count(each), words.points(each.null), p]


def _facts(made: Matrix) -> dict[str, str]:
    suite = made.suite
    models = [f"{name}: {own.spec}" for name, own in suite.keys.models.items()]
    return {
        "models": "; ".join(models),
        "tasks": ", ".join(suite.keys.tasks),
        "modes": ", ".join(suite.keys.modes),
        "variant": suite.variant or "",
        "seed": str(suite.keys.seed),
        "margin": f"{100 * suite.keys.margin:g} points",
    }
