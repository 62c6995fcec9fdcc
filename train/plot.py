"""The loss curve of a training as a PNG: training and validation loss over the steps, and the step that was kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from train.outcome import Row


def plot(rows: Sequence[Row], title: str, kept: int | None, file: Path) -> None:
    """Draw the losses in a history; nothing where there are none."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120)
    axes = figure.add_axes((0.1, 0.13, 0.87, 0.78))
    drawn = False
    trained = "training loss, anchor included" if any(row.get("anchor_coef") for row in rows) else "training loss"
    for name, label, style in (("loss", trained, "-"), ("validation_loss", "validation loss", "o-")):
        points = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), style, label=label, markersize=4, linewidth=1.4)
            drawn = True
    if not drawn:
        return
    if kept is not None:
        axes.axvline(kept, color="0.5", linewidth=1, linestyle="--", label=f"kept: step {kept}")
    axes.set(xlabel="step", ylabel="nats a token" if _tokens(rows) else "loss", title=title)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    # No clock and no version in the file: the same training gives the same picture.
    figure.savefig(file, metadata={"Software": None})


def _tokens(rows: Sequence[Row]) -> bool:
    return not any({"reward_accuracy", "train_accuracy", "validation_accuracy"} & row.keys() for row in rows)
