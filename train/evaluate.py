"""Puts the model being trained through a suite, in this process, against the suite's baseline: win rate while training.

Each look is a whole run in the checkpoint's folder (evaluations/step-N), with judgments and reports like any other. It
draws from no generator of the training's, so looking changes no weight.
"""

from __future__ import annotations

import copy
import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import folder
from harness import suite as suites
from harness.errors import InputError, RunStopped
from harness.launch import Options, carry_out, conclude, plan_job
from harness.models.huggingface import LocalContestant
from harness.models.meter import Meter
from harness.models.spec import Spec, parse
from harness.progress import Silent
from harness.suite import Suite
from harness.workshop import Given
from train.keys import EvaluateKeys
from train.notary import Built as Base
from train.recipe import Recipe, load
from train.watched import Figures

Built = Callable[[Path], str]
"""The spec of a recipe's checkpoint, built first where it is not there."""
Look = Callable[[bool, Any, int], Figures]
"""Whether the whole suite is asked, the trainer, and the step that its weights are of."""


def looks(recipe: Recipe, base: Base | None, place: Path, build: Built, say: Callable[[str], None]) -> Look:
    """A function that looks at a trainer's model: with the recipe's limit, or (True) with the whole suite.

    The recipe's base is the baseline where neither recipe nor suite names one. Raises InputError where the suite cannot
    be used.
    """
    keys, path = recipe.keys.evaluate, recipe.suite()
    assert keys is not None and path is not None
    suite = _greedy(suites.load(path), keys)
    here = recipe.path.resolve().parent
    judges = tuple(_absolute(text, here) for text in keys.judges) or suite.judges
    baseline = _absolute(keys.baseline, here) if keys.baseline else suite.baseline or (base.spec if base else None)
    if baseline is None:
        raise InputError("evaluate: neither the recipe nor its suite names a baseline; add 'evaluate.baseline'")
    suite = replace(suite, baseline=baseline, judges=judges)
    steered = recipe.keys.early_stopping is not None and recipe.keys.early_stopping.metric == "win_rate"
    named = [parse(baseline, role="baseline", folder=suite.folder)]
    named += [parse(text, role="judge", folder=suite.folder) for text in judges]
    # Built before the training begins, not in the middle of it.
    made = {spec.path: build(spec.path) for spec in named if spec.kind == "recipe"}

    def resolve(spec: Spec) -> Spec:
        return replace(spec, **_of_text(made[spec.path])) if spec.kind == "recipe" else spec

    def look(whole: bool, trainer: Any, step: int) -> Figures:
        import torch

        if whole and keys.limit is None:
            return {}
        out = place / "evaluations" / f"step-{step}{'-whole' if whole else ''}"
        # A training that went on from an earlier step looks again.
        shutil.rmtree(out, ignore_errors=True)
        options = Options(candidate=f"hf/{place}", limit=None if whole else keys.limit)
        with torch.random.fork_rng():
            trained = _contestant(trainer, suite, base, place, step)
            figures, leaked = _run(suite, options, resolve, trained, out)
        where = "what is kept" if whole else f"step {step}"
        if not figures:
            lost = f"{where}: no judge of the suite counts, so there is no win rate ({out})"
            if steered:
                raise RunStopped(f"{lost}, and training is steered by it; look at the run's report")
            say(lost)
            return {}
        say(_told(where, figures, len(suite.prompts)) + leaked)
        return figures

    return look


def _absolute(text: str, folder: Path) -> str:
    """A spec whose local paths no longer depend on where it is written."""
    kind, slash, rest = text.partition("/")
    if kind in ("recipe", "recorded"):
        return f"{kind}/{(folder / rest).resolve()}"
    if kind not in ("hf", "reward") or not slash:
        return text
    parts = [str((folder / part).resolve()) if (folder / part).exists() else part for part in rest.split("+")]
    return f"{kind}/{'+'.join(parts)}"


def _greedy(suite: Suite, keys: EvaluateKeys) -> Suite:
    """The suite with the recipe's temperature and one generation a prompt, whatever its prompts say."""
    prompts = tuple(
        replace(prompt, repeats=1, sampling={**prompt.sampling, "temperature": keys.temperature})
        for prompt in suite.prompts
    )
    sampling = replace(suite.sampling, temperature=keys.temperature)
    return replace(suite, prompts=prompts, sampling=sampling, repeats=1)


def _of_text(text: str) -> Mapping[str, Any]:
    kind, _, rest = text.partition("/")
    return {"kind": kind, "rest": rest, "folder": Path()}


def _contestant(trainer: Any, suite: Suite, base: Base | None, place: Path, step: int) -> Given:
    """The model in the trainer's hands, adapter on, known by the bytes of its weights and its base."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    tokenizer = copy.copy(trainer.processing_class)
    tokenizer.padding_side = "left"
    digest = hashlib.sha256((base.sha256 if base else "").encode())
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            digest.update(name.encode())
            digest.update(weight.detach().float().cpu().contiguous().numpy().tobytes())
    contestant = LocalContestant.of(model, tokenizer, fingerprint=digest.hexdigest(), seed=suite.seed)
    adapted = hasattr(model, "peft_config") and base is not None
    return Given(
        contestant=contestant,
        fingerprint=digest.hexdigest(),
        folders=(base.folder, place) if adapted and base else (place, None),
        standing=f"unfinished training: this is the model at step {step} of {trainer.state.max_steps}",
    )


def _run(
    suite: Suite, options: Options, resolve: Callable[[Spec], Spec], trained: Given, out: Path
) -> tuple[Figures, str]:
    """Run the suite into a folder of its own: its win rate with its interval, and what leaked, in words.

    No figures where no judge counts.
    """
    meter = Meter()
    job, cast, manifest, workshop = plan_job(
        suite, options, resolve, meter=meter, say=lambda _: None, given={"candidate": trained}
    )
    with folder.create(out, manifest) as path:
        report, stopped = conclude(path, manifest, carry_out(job, cast, workshop, path, Silent()))
    if stopped is not None:
        raise stopped
    summary = report.summary.as_json()
    counting = report.summary.counting
    result = summary.get("panel") or (summary["judges"][counting[0]] if counting else None)
    if result is None or result["win_rate"] is None:
        return {}, ""
    low, high = result["ci"] or (0.0, 1.0)
    ids = (summary.get("leakage") or {}).get("ids", ())
    leaked = f"; {len(ids)} of them stand in training data" if ids else ""
    figures = {"win_rate": result["win_rate"], "win_rate_low": low, "win_rate_high": high, "win_rate_n": result["n"]}
    return figures, leaked


def _told(what: str, figures: Figures, of: int) -> str:
    """A look in words, with how much of the suite it saw and how wide its interval is."""
    low, high, n = (figures[f"win_rate_{name}"] for name in ("low", "high", "n"))
    seen = f"all {of} prompts" if n == of else f"{n:.0f} of {of} prompts"
    return (
        f"{what}: win rate {figures['win_rate']:.0%} over {seen} "
        f"(95 % {low:.0%} to {high:.0%}: {(high - low) * 50:.0f} points either way)"
    )


def built_by(build: Callable[[Recipe], str]) -> Built:
    """From a recipe's file to the spec of its checkpoint."""
    return lambda path: build(load(path))
