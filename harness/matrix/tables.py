"""The files of a matrix: comparison_table.csv, summary.json, report.md, report.html and the two pictures."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.classify.pictures import plain, saved
from harness.classify.written import table
from harness.folder import as_json, write_whole
from harness.matrix import page, text, words
from harness.matrix.results import Matrix, Row, figures_of
from harness.report.markdown import escape, items, section
from harness.report.markdown import table as markdown_table

COLUMNS = (
    "model", "task", "mode", "state", "reason", "n", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "mcc",
    "majority_rate", "latency_ms_p50", "latency_ms_p95", "throughput_items_per_s", "train_s", "gain_per_s",
    "peak_memory_bytes", "parameters",
)  # fmt: skip


def write_results(run: Path, made: Matrix) -> None:
    """Write every file. Raises RunStopped where the disk refuses."""
    write_whole(run / "comparison_table.csv", comparison(made))
    write_whole(run / "summary.json", as_json(made.as_json()))
    write_whole(run / "report.md", markdown(made))
    write_whole(run / "report.html", page.pieces(made))
    if find_spec("matplotlib") is not None and made.rows:
        _bars(made, run / "accuracy_comparison.png", "accuracy (95 %)", _accuracy)
        if any(row.result.latency_ms is not None for row in made.rows):
            _bars(
                made,
                run / "latency_comparison.png",
                "milliseconds an item, one at a time (median, 95 % of items)",
                _latency,
            )


def comparison(made: Matrix) -> str:
    """A row a cell, also those that failed."""
    rows = []
    done = {row.cell: row for row in made.rows}
    for cell, own in made.standings.items():
        found: dict[str, Any] = {"model": cell.model, "task": cell.task, "mode": cell.mode, "state": own.state}
        found["reason"] = own.reason
        if cell in done:
            figures = figures_of(done[cell])
            low, high = figures.pop("ci") or (None, None)
            latency = figures.pop("latency_ms") or {}
            found |= figures | {"accuracy_low": low, "accuracy_high": high}
            found |= {"latency_ms_p50": latency.get("p50"), "latency_ms_p95": latency.get("p95")}
        rows.append(found)
    return table(COLUMNS, rows)


def markdown(made: Matrix) -> str:
    """The report as GitHub Markdown."""
    sections = [f"# {escape(made.suite.name)}"]
    for task, rows in text.tables(made).items():
        cells = [[escape(name), *map(escape, own)] for name, own in rows]
        sections.append(section(escape(task), markdown_table(["model and mode", *text.HEADS], cells)))
    sections += [section(escape(each.asked), items(text.asked(made, each))) for each in made.questions]
    sections.append(section("What to doubt", items(words.doubts(made))))
    sections.append("p-values are adjusted for all comparisons of all questions (Holm); intervals are not.")
    return "\n\n".join(part for part in sections if part) + "\n"


Bar = tuple[float, float, float]


def _accuracy(row: Row) -> Bar | None:
    value, ci = row.figures.get("accuracy"), row.figures.get("ci")
    return None if value is None else (value, *(ci or (value, value)))


def _latency(row: Row) -> Bar | None:
    own = row.figures.get("latency_ms") or {}
    return None if own.get("p50") is None else (own["p50"], own["p50"], own["p95"])


def _bars(made: Matrix, path: Path, label: str, value: Callable[[Row], Bar | None]) -> None:
    """One panel a task, one bar a cell."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    tasks = list(dict.fromkeys(row.cell.task for row in made.rows))
    most = max(sum(row.cell.task == task for row in made.rows) for task in tasks)
    figure = Figure(figsize=(7.2, (0.32 * most + 0.9) * len(tasks) + 0.4), dpi=150, layout="constrained")
    panels = figure.subplots(len(tasks), 1, squeeze=False, sharex=True)[:, 0]
    for panel, task in zip(panels, tasks, strict=True):
        found = [(row, bar) for row in made.rows if row.cell.task == task and (bar := value(row)) is not None]
        names = [plain(f"{row.cell.model} {row.cell.mode}") for row, _ in found]
        values = [bar[0] for _, bar in found]
        below = [max(0.0, bar[0] - bar[1]) for _, bar in found]
        above = [max(0.0, bar[2] - bar[0]) for _, bar in found]
        colors = ["C0" if row.result.family == "encoder" else "C1" for row, _ in found]
        places = range(len(found))
        panel.barh(places, values, xerr=[below, above], color=colors, error_kw={"linewidth": 1}, capsize=2)
        panel.set_yticks(places, names, fontsize=8, parse_math=False)
        panel.invert_yaxis()
        panel.set_title(plain(task), fontsize=9, loc="left", parse_math=False)
    panels[-1].set_xlabel(label, fontsize=9)
    kinds = {"encoder": "encoder", "language": "language model"}
    held = [kind for kind in kinds if any(row.result.family == kind for row in made.rows)]
    marks = [Patch(color="C0" if kind == "encoder" else "C1", label=kinds[kind]) for kind in held]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), fontsize=8, frameon=False)
    saved(figure, path)
