"""confusion.png and reliability.png of a run; nothing is drawn where matplotlib is not installed."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.classify.calibrated import Believed
from harness.classify.collect import Classified
from harness.report.numerals import one_line

CONFUSION, RELIABILITY = "confusion.png", "reliability.png"
# More labels than this cannot be read on a picture.
MOST = 40
ROOM = 24


def draw(run: Path, made: Classified) -> tuple[str, ...]:
    """Draw what there is to draw into a run's folder; returns the names of the files."""
    if find_spec("matplotlib") is None or not made.summary.n:
        return ()
    names = []
    if made.summary.figures.counted.k <= MOST:
        confusion(made, run / CONFUSION)
        names.append(CONFUSION)
    if made.summary.calibration is not None:
        reliability(made, run / RELIABILITY)
        names.append(RELIABILITY)
    return tuple(names)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    # A figure of its own, not pyplot's: nothing global, and no display is looked for.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    return figure, figure.add_subplot()


def confusion(made: Classified, path: Path) -> None:
    """Labels in rows, predictions in columns: counts, shaded by their share of the row."""
    counted = made.summary.figures.counted
    counts = counted.counts
    labels = [plain(label) for label in counted.labels]
    columns = [*labels, "none"] if counts[:, -1].any() else labels
    shown = counts[:, : len(columns)]
    side = max(3.2, 0.5 * len(columns) + 1.8)
    figure, axes = _figure(side, max(2.6, 0.45 * len(labels) + 1.6))
    totals = shown.sum(axis=1, keepdims=True)
    shares = shown / totals.clip(min=1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row in range(shown.shape[0]):
        for column in range(shown.shape[1]):
            dark = shares[row, column] > 0.5
            axes.text(
                column, row, f"{shown[row, column]:,}", ha="center", va="center",
                color="white" if dark else "black", fontsize=8,
            )  # fmt: skip
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", fontsize=8, parse_math=False)
    axes.set_yticks(range(len(labels)), labels, fontsize=8, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("label")
    axes.set_title(f"n = {made.summary.n:,}", fontsize=9)
    saved(figure, path)


def reliability(made: Classified, path: Path) -> None:
    """Accuracy against confidence by bin, before and after temperature scaling, with intervals."""
    own = made.summary.calibration
    assert own is not None
    figure, axes = _figure(4.2, 3.8)
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle="--")
    _bins(axes, own.before, "as it is", "o", "C0")
    if own.after is not None and own.temperature is not None and own.temperature.value is not None:
        _bins(axes, own.after, f"temperature {own.temperature.value:.2f}", "s", "C1")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share right (95 %)")
    axes.set_title(f"n = {own.n:,}", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    saved(figure, path)


def _bins(axes: Any, own: Believed, name: str, marker: str, color: str) -> None:
    held = [(each.confidence, each.accuracy, each.ci) for each in own.table if each.accuracy is not None]
    x = [confidence for confidence, _, _ in held]
    y = [accuracy for _, accuracy, _ in held]
    ends = [ci or (accuracy, accuracy) for _, accuracy, ci in held]
    below = [max(0.0, accuracy - low) for accuracy, (low, _) in zip(y, ends, strict=True)]
    above = [max(0.0, high - accuracy) for accuracy, (_, high) in zip(y, ends, strict=True)]
    axes.errorbar(x, y, yerr=[below, above], fmt=marker, color=color, label=name, markersize=4, capsize=2, linewidth=1)


def saved(figure: Any, path: Path) -> None:
    """Write a figure. A letter that the font lacks is a box on it, and nothing to warn of in a terminal."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(path)


def plain(label: str) -> str:
    """A label on one line, short enough for an axis."""
    return one_line(label, ROOM)
