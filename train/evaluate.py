"""Puts the model being trained through a suite, in this process: a win rate, a score or a loss while training.

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

from harness import suite as suites
from harness.errors import InputError, RunStopped
from harness.folder import MANIFEST
from harness.launch import Options
from harness.models.huggingface import LocalContestant
from harness.models.spec import Spec, parse
from harness.suite import Suite
from harness.workshop import Given
from train import gauges
from train.gauges import Trained
from train.keys import SUITE_METRICS, EvaluateKeys
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
    keys = recipe.keys.evaluate
    assert keys is not None
    suite, resolve = _settled(recipe, base, build)
    metric = SUITE_METRICS[suite.kind]
    steered = recipe.keys.early_stopping is not None and recipe.keys.early_stopping.metric == metric

    def look(whole: bool, trainer: Any, step: int) -> Figures:
        import torch

        if whole and keys.limit is None:
            return {}
        out = place / "evaluations" / f"step-{step}{'-whole' if whole else ''}"
        # A training that went on from an earlier step looks again.
        shutil.rmtree(out, ignore_errors=True)
        options = Options(candidate=f"hf/{place}", limit=None if whole else keys.limit)
        with torch.random.fork_rng():
            seen = gauges.look(suite, options, resolve, _trained(trainer, suite, base, place, step), out)
        where = "what is kept" if whole else f"step {step}"
        if not seen.figures:
            lost = f"{where}: {_NOTHING[suite.kind]} ({out})"
            if steered:
                raise RunStopped(f"{lost}, and training is steered by it; look at the run's report")
            say(lost)
            return {}
        leaked = f"; {seen.leaked} of them stand in training data" if seen.leaked else ""
        say(gauges.told(where, suite.kind, seen.figures, len(suite.prompts)) + leaked)
        return seen.figures

    return look


_NOTHING = {
    "pairwise": "no judge of the suite counts, so there is no win rate",
    "score": "the suite's judge scored no prompt, so there is no score",
    "perplexity": "no document of the suite has a loss",
}


def _settled(recipe: Recipe, base: Base | None, build: Built) -> tuple[Suite, Callable[[Spec], Spec]]:
    """The suite as training asks it, with its judges and baseline, and what turns their recipes into checkpoints.

    These are built here: before the training begins, not in the middle of it.
    """
    keys, path = recipe.keys.evaluate, recipe.suite()
    assert keys is not None and path is not None
    suite = suites.load(path)
    here = recipe.path.resolve().parent
    judges = tuple(_absolute(text, here) for text in keys.judges) or suite.judges
    baseline = _absolute(keys.baseline, here) if keys.baseline else suite.baseline or (base.spec if base else None)
    if baseline is None and suite.kind == "pairwise":
        raise InputError("evaluate: neither the recipe nor its suite names a baseline; add 'evaluate.baseline'")
    suite = replace(_greedy(suite, keys), baseline=baseline, judges=judges)
    named = [parse(text, role="judge", folder=suite.folder) for text in judges]
    if baseline is not None and not (suite.folder / baseline / MANIFEST).is_file():
        named.append(parse(baseline, role="baseline", folder=suite.folder))
    made = {spec.path: build(spec.path) for spec in named if spec.kind == "recipe"}

    def resolve(spec: Spec) -> Spec:
        return replace(spec, **_of_text(made[spec.path])) if spec.kind == "recipe" else spec

    return suite, resolve


def _absolute(text: str, folder: Path) -> str:
    """A spec, or an earlier run's folder, whose local paths no longer depend on where it is written."""
    kind, slash, rest = text.partition("/")
    if kind in ("recipe", "recorded"):
        return f"{kind}/{(folder / rest).resolve()}"
    if (folder / text / MANIFEST).is_file():
        return str((folder / text).resolve())
    if kind not in ("hf", "reward") or not slash:
        return text
    parts = [str((folder / part).resolve()) if (folder / part).exists() else part for part in rest.split("+")]
    return f"{kind}/{'+'.join(parts)}"


def _greedy(suite: Suite, keys: EvaluateKeys) -> Suite:
    """The suite with the recipe's temperature and one generation a prompt, whatever its prompts say."""
    if suite.kind == "perplexity":
        return suite
    prompts = tuple(
        replace(prompt, repeats=1, sampling={**prompt.sampling, "temperature": keys.temperature})
        for prompt in suite.prompts
    )
    sampling = replace(suite.sampling, temperature=keys.temperature)
    return replace(suite, prompts=prompts, sampling=sampling, repeats=1)


def _of_text(text: str) -> Mapping[str, Any]:
    kind, _, rest = text.partition("/")
    return {"kind": kind, "rest": rest, "folder": Path()}


def _trained(trainer: Any, suite: Suite, base: Base | None, place: Path, step: int) -> Trained:
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
    given = Given(
        contestant=contestant,
        fingerprint=digest.hexdigest(),
        folders=(base.folder, place) if adapted and base else (place, None),
        standing=f"unfinished training: this is the model at step {step} of {trainer.state.max_steps}",
    )
    return Trained(model=model, tokenizer=tokenizer, given=given)


def built_by(build: Callable[[Recipe], str]) -> Built:
    """From a recipe's file to the spec of its checkpoint."""
    return lambda path: build(load(path))
