"""What a suite says of a model that is being trained: one run, its figures for the history, and a sentence for the log.

A pairwise suite gives a win rate, a score suite a score and a perplexity suite a loss, each with its 95 % interval; the
last two also what they are beside the baseline, where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import folder
from harness.launch import Options, Resolve
from harness.models.meter import Meter
from harness.progress import Silent
from harness.suite import Suite
from harness.workshop import Given
from train.keys import SUITE_METRICS
from train.watched import Figures

Ends = tuple[float, float] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """The model in a trainer's hands and its tokenizer, and what it is known by."""

    model: Any
    tokenizer: Any
    given: Given


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a look saw: figures by name, none where nothing could be told, and how many prompts leaked."""

    figures: Figures
    leaked: int = 0


def look(suite: Suite, options: Options, resolve: Resolve, trained: Trained, out: Path) -> Seen:
    """Put a model through a suite, in a run's folder of its own. Raises what stopped the run."""
    return _GAUGES[suite.kind](suite, options, resolve, trained, out)


def told(what: str, kind: str, figures: Figures, of: int) -> str:
    """A look in words, with how much of the suite it saw and how wide its interval is."""
    metric = SUITE_METRICS[kind]
    n, unit = figures[f"{metric}_n"], "documents" if kind == "perplexity" else "prompts"
    seen = f"all {of} {unit}" if n == of else f"{n:.0f} of {of} {unit}"
    value, ends = figures[metric], _ends(figures, metric)
    if kind == "pairwise":
        low, high = ends or (0.0, 1.0)
        sure = f"95 % {low:.0%} to {high:.0%}: {(high - low) * 50:.0f} points either way"
        return f"{what}: win rate {value:.0%} over {seen} ({sure})"
    said = f"{value:.2f}" if kind == "score" else f"{value:.3f} nats a token"
    return f"{what}: {metric.replace('_', ' ')} {said} over {seen} ({_sure(ends)}){_beside(figures, metric)}"


def _beside(figures: Figures, metric: str) -> str:
    change = figures.get(f"{metric}_change")
    if change is None:
        return ""
    return f", {change:+.3g} beside the baseline ({_sure(_ends(figures, f'{metric}_change'))})"


def _sure(ends: Ends) -> str:
    return f"95 % {ends[0]:.3g} to {ends[1]:.3g}" if ends else "no interval"


def _ends(figures: Figures, name: str) -> Ends:
    return (figures[f"{name}_low"], figures[f"{name}_high"]) if f"{name}_low" in figures else None


def _named(name: str, value: float | None, ci: Ends) -> dict[str, float]:
    if value is None:
        return {}
    return {name: value} | ({f"{name}_low": ci[0], f"{name}_high": ci[1]} if ci is not None else {})


def _compared(suite: Suite, options: Options, resolve: Resolve, trained: Trained, out: Path) -> Seen:
    """A win rate, of the panel or the one judge that counts; nothing where none does."""
    from harness.launch import carry_out, conclude, plan_job

    job, cast, manifest, workshop = plan_job(
        suite, options, resolve, meter=Meter(), say=_quiet, given={"candidate": trained.given}
    )
    with folder.create(out, manifest) as path:
        report, stopped = conclude(path, manifest, carry_out(job, cast, workshop, path, Silent()))
    if stopped is not None:
        raise stopped
    summary = report.summary.as_json()
    counting = report.summary.counting
    result = summary.get("panel") or (summary["judges"][counting[0]] if counting else None)
    if result is None or result["win_rate"] is None:
        return Seen(figures={})
    low, high = result["ci"] or (0.0, 1.0)
    found = _named("win_rate", result["win_rate"], (low, high)) | {"win_rate_n": result["n"]}
    return Seen(figures=found, leaked=len((summary.get("leakage") or {}).get("ids", ())))


def _graded(suite: Suite, options: Options, resolve: Resolve, trained: Trained, out: Path) -> Seen:
    """The one judge's mean score; nothing where it scored no prompt."""
    from harness.scoring.launch import carry_out, plan_job
    from harness.scoring.verb import conclude

    job, cast, manifest, workshop = plan_job(
        suite, options, resolve, meter=Meter(), say=_quiet, given={"candidate": trained.given}
    )
    with folder.create(out, manifest) as path:
        report, stopped = conclude(path, manifest, carry_out(job, cast, workshop, path, Silent()))
    if stopped is not None:
        raise stopped
    summary = report.summary
    ((judge, own),) = summary.judges.items()
    if own.mean is None:
        return Seen(figures={})
    moved = summary.deltas.get(judge)
    change = _named("score_change", moved.difference.mean, moved.difference.ci) if moved is not None else {}
    found = _named("score", own.mean, own.ci) | {"score_n": own.n} | change
    return Seen(figures=found, leaked=len(summary.leakage.ids) if summary.leakage is not None else 0)


def _foretold(suite: Suite, options: Options, resolve: Resolve, trained: Trained, out: Path) -> Seen:
    """The mean loss over all counted tokens; its change where the baseline was asked for the same ones."""
    from harness.models.losses import LossModel
    from harness.perplexity.launch import carry_out, plan_job
    from harness.perplexity.verb import conclude

    model = LossModel.of(trained.model, trained.tokenizer, spec=options.candidate or "the model")
    job, who, manifest, workshop = plan_job(
        suite, options, resolve, meter=Meter(), say=_quiet, given={"candidate": (trained.given, model)}
    )
    with folder.create(out, manifest) as path:
        report, stopped = conclude(path, manifest, carry_out(job, who, workshop, path, Silent()))
    if stopped is not None:
        raise stopped
    summary = report.summary
    own, moved = summary.whole.candidate, summary.whole.delta
    if own.loss.value is None:
        return Seen(figures={})
    perplexity = own.as_json()["perplexity"]
    found = _named("suite_loss", own.loss.value, own.loss.ci) | {"suite_loss_n": own.n}
    found |= {"suite_perplexity": perplexity} if perplexity is not None else {}
    if moved is not None and moved.same_tokens:
        found |= _named("suite_loss_change", moved.main.found.value, moved.main.found.ci)
    return Seen(figures=found, leaked=len(summary.leakage.ids) if summary.leakage is not None else 0)


def _quiet(_: str) -> None:
    return


_GAUGES: Mapping[str, Callable[[Suite, Options, Resolve, Trained, Path], Seen]] = {
    "pairwise": _compared,
    "score": _graded,
    "perplexity": _foretold,
}
