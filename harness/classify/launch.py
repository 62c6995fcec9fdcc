"""From a classify suite and the command line to a job, its cast and its manifest; refusals before anything is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.checkpoints.files import fingerprint
from harness.classify import recorded
from harness.classify.asking import GenerationClassifier, LikelihoodClassifier, Putting
from harness.classify.guess import Classifier
from harness.classify.heads import HeadClassifier, fitting
from harness.classify.job import ClassifyJob, asked, to_manifest
from harness.classify.run import ClassifyCast
from harness.classify.suite import ClassifySuite, MethodKeys, Mode
from harness.classify.template import CHOICE, GENERIC, TaskTemplate
from harness.classify.template import load as load_template
from harness.errors import InputError
from harness.launch import Options, Resolve
from harness.leakage import guard
from harness.models.budget import budget
from harness.models.encoder import foreign
from harness.models.encoder.asking import answers, encoder_fingerprint
from harness.models.judgechat import chats
from harness.models.likelihood import LikelihoodModel
from harness.models.meter import Meter
from harness.models.recorded import file_sha256
from harness.models.spec import Spec, parse
from harness.models.weights import choose_device, locate, require_extra, stored
from harness.plan import limited
from harness.report.numerals import plural
from harness.tasks.fewshot import shots
from harness.tasks.load import load as load_task
from harness.tasks.values import Item, Task
from harness.workshop import Workshop
from judges.types import Prompt

API = ("openai", "anthropic")


def plan_job(
    suite: ClassifySuite, options: Options, resolve: Resolve, *, meter: Meter, say: Callable[[str], None]
) -> tuple[ClassifyJob, ClassifyCast, dict[str, Any], Workshop]:
    """The job of a classify suite, its cast, its manifest. Raises InputError on what can be known before a call."""
    _belongs(options)
    given = options.candidate or suite.keys.candidate
    if given is None:
        raise InputError(f"the suite {suite.name!r} names no candidate; add --candidate SPEC")
    folder = Path() if options.candidate else suite.folder
    spec = parse(given, role="candidate", folder=folder)
    seed = suite.keys.seed if options.seed is None else options.seed
    # What is wrong with the task is known before a recipe is trained.
    job = job_of(suite, spec, seed=seed, limit=options.limit)
    job = replace(job, candidate=resolve(spec))
    workshop = Workshop(concurrency=options.concurrency, meter=meter, say=say, budget=budget(options.max_cost))
    job, cast, more = cast_of(job, workshop)
    leaked, unknown = guard.compare(workshop.weights, _prompts(job.items))
    warnings = [f"candidate: {line}" for lines in workshop.warnings.values() for line in lines]
    extra = {
        **more,
        "fingerprints": workshop.fingerprints,
        "warnings": workshop.warnings,
        "notes": [*job.task.told, *warnings, *unknown],
        "leakage": leaked.as_json() if leaked is not None else None,
    }
    return job, cast, to_manifest(job, extra=extra), workshop


def _belongs(options: Options) -> None:
    """Raise InputError on what the command line gives that a classify suite has no use for."""
    strange = {
        "--baseline": options.baseline,
        "--judge": options.judges,
        "--judge-mode": options.judge_mode,
        "--judge-template": options.judge_template,
        "--panel": options.panel,
        "--repeats": options.repeats,
        "--stop-early": options.stop_early,
    }
    found = [name for name, value in strange.items() if value]
    if found:
        raise InputError(f"{found[0]} has no use in a classify suite; leave it out (`harness compare` holds two runs)")


def job_of(suite: ClassifySuite, candidate: Spec, *, seed: int, limit: int | None) -> ClassifyJob:
    """The job without how its candidate is asked. Raises InputError with every problem of the task's files."""
    keys = suite.keys
    task = load_task(
        keys.task, keys.split, suite.folder, where=suite.name, need=() if keys.on == "all" else suite.splits
    )
    head = head_of(task, keys.head)
    foreign = [label for label in keys.thresholds if label not in task.heads[head]]
    if foreign:
        raise InputError(f"thresholds: {foreign[0]!r} is no label; the labels are {', '.join(task.heads[head])}")
    items = asked(task, suite.splits)
    fit = keys.calibrate or keys.thresholds
    return ClassifyJob(
        suite=suite,
        candidate=candidate,
        task=task,
        head=head,
        items=_drawn(items, limit, seed),
        validation=task.validation if fit and "validation" not in suite.splits else (),
        mode=None,
        seed=seed,
        full=len(items),
        limit=limit,
    )


def head_of(task: Task, given: str | None) -> str:
    """The label that is meant: the one given, or the only one. Raises InputError where that is neither."""
    names = list(task.heads)
    if given is None and len(names) > 1:
        raise InputError(f"{task.name} has several labels: {', '.join(names)}; name one as 'head'")
    if given is not None and given not in names:
        raise InputError(f"head: {given!r} is no label of {task.name}; it has {', '.join(names)}")
    return given or names[0]


def _drawn(items: Sequence[Item], limit: int | None, seed: int) -> tuple[Item, ...]:
    """The draw of --limit, as in every kind of suite."""
    drawn = {prompt.id for prompt in limited(_prompts(items), limit, seed)}
    return tuple(item for item in items if item.id in drawn)


def _prompts(items: Sequence[Item]) -> list[Prompt]:
    """Items as prompts, for what goes by prompts: draws, and the search for leaks."""
    return [
        Prompt(id=item.id, turns=("\n".join((*item.texts, *item.options)),), category=item.category) for item in items
    ]


def cast_of(job: ClassifyJob, workshop: Workshop) -> tuple[ClassifyJob, ClassifyCast, dict[str, Any]]:
    """The job with how its candidate is asked, who answers, and what the manifest says of it. Raises InputError."""
    spec, method = job.candidate, job.suite.keys.method
    if spec.kind == "recorded":
        mode_of(spec, method)
        workshop.fingerprints["candidate"] = file_sha256(spec.path)
        job = replace(job, validation=())
        return job, ClassifyCast(classifier=recorded.load(spec.path, job.items, job.head, job.labels)), {}
    if spec.kind == "hf" and spec.parts[1] is None and not Path(spec.parts[0]).is_dir():
        # How a model of the hub is asked stands in its config.
        locate(spec.parts[0], spec.text)
    mode = mode_of(spec, method)
    if mode == "head":
        cast, outputs = _with_head(job, workshop)
        return replace(job, mode="head"), cast, {"outputs": outputs} if outputs else {}
    putting = putting_of(job)
    workshop.fingerprints["template"] = putting.template.sha256
    more: dict[str, Any] = {
        "template": putting.template.name,
        "words": dict(putting.words),
        "examples": [item.id for item in putting.shots.chosen] if putting.shots else [],
    }
    if mode == "likelihood":
        base = Path(spec.parts[0])
        more["chat"] = (chats(base) if base.is_dir() else None) if method.chat is None else method.chat
        return replace(job, mode=mode), _looked_at(job, putting, workshop), more
    return replace(job, mode=mode, validation=()), _writing(job, putting, workshop), more


def mode_of(spec: Spec, method: MethodKeys) -> Mode | None:
    """How a candidate is asked, None where its predictions are recorded. Raises InputError where it cannot be so."""
    if spec.kind == "recorded":
        _alone(method.model_dump(exclude_defaults=True), "recorded predictions are not asked")
        return None
    folder = headed(spec)
    if folder is not None:
        if method.mode not in (None, "head"):
            raise InputError(f"{spec.text!r} has a head; method.mode {method.mode!r} is for language models")
        said = {"mode"} if answers(folder) else {"mode", "labels"}
        _alone(method.model_dump(exclude_defaults=True, exclude=said), f"{spec.text!r} has a head")
        return "head"
    if _unseen(spec) and (method.mode == "head" or method.labels is not None):
        return "head"
    if method.labels is not None:
        raise InputError(f"method.labels: {spec.text!r} has no classification head whose outputs have names; remove it")
    mode: Mode = method.mode or ("generation" if spec.kind in API else "likelihood")
    if mode == "head":
        raise InputError(f"{spec.text!r} has no classification head; set method.mode to likelihood or generation")
    if mode == "likelihood" and spec.kind in API:
        raise InputError(f"{spec.text!r}: an API does not show how likely it finds a text; use method.mode: generation")
    return mode


def _alone(given: dict[str, Any], why: str) -> None:
    if given:
        raise InputError(f"{why}, so that method.{next(iter(given))} has no use; leave it out")


def headed(spec: Spec) -> Path | None:
    """The folder of a candidate that has a classification head, ours or another's, as far as it is on this machine."""
    if spec.kind != "hf":
        return None
    base, adapter = spec.parts
    folder = Path(base) if Path(base).is_dir() else stored(base)
    if adapter is not None or folder is None:
        return None
    return folder if answers(folder) or foreign.is_classifier(folder) else None


def _unseen(spec: Spec) -> bool:
    """Whether a candidate lies on the hub and was never fetched, so that it may have a head."""
    base, adapter = spec.parts
    return spec.kind == "hf" and adapter is None and not Path(base).is_dir() and stored(base) is None


def _with_head(job: ClassifyJob, workshop: Workshop) -> tuple[ClassifyCast, dict[str, str]]:
    """Who answers, and of a fine-tune from elsewhere which of the task's labels its outputs are."""
    spec, given = job.candidate, job.suite.keys.method.labels
    require_extra(repr(spec.text))
    folder = locate(spec.parts[0], spec.text)
    own = answers(folder)
    workshop.fingerprints["candidate"] = encoder_fingerprint(folder) if own else fingerprint(folder)
    workshop.weights["candidate"] = (folder, None)
    head = fitting(folder, job.head, job.labels, choices=job.task.multiple_choice, spec=spec.text, naming=given)
    classifier, alone = (HeadClassifier(folder=folder, head=head) for _ in range(2))
    cast = ClassifyCast(classifier=classifier, alone=alone, notes=lambda: _cut(classifier))
    return cast, {} if own else dict(zip(foreign.outputs_of(folder, spec.text), head.labels, strict=True))


def _cut(classifier: HeadClassifier) -> list[str]:
    cut, alike = classifier.truncated, classifier.alike
    said = [f"the text of {plural(cut, 'item')} was cut to the model's longest input"] if cut else []
    if alike:
        said.append(
            f"{plural(alike, 'question')} read the same with two of their options (cut, or alike to the tokenizer): "
            "nothing can tell these apart"
        )
    return said


def _looked_at(job: ClassifyJob, putting: Putting, workshop: Workshop) -> ClassifyCast:
    base, adapter = workshop.contestant_weights(job.candidate, "candidate")
    method = job.suite.keys.method
    model = LikelihoodModel(spec=job.candidate.text, base=base, adapter=adapter, device=choose_device())
    classifier = LikelihoodClassifier(
        model=model, putting=putting, normalise=method.normalise or "none", chat=method.chat
    )
    return ClassifyCast(classifier=classifier, alone=classifier)


def _writing(job: ClassifyJob, putting: Putting, workshop: Workshop) -> ClassifyCast:
    sampling = job.suite.sampling
    workshop.can_pay((job.candidate,))
    contestant = workshop.answering(job.candidate, "candidate", seed=job.seed, nonce=job.nonce)
    made: Classifier = GenerationClassifier(contestant=contestant, putting=putting, sampling=sampling)
    if job.candidate.kind in API:
        return ClassifyCast(classifier=made)
    uncached = workshop.answering(job.candidate, "candidate", seed=job.seed, nonce=job.nonce, cached=False)
    return ClassifyCast(
        classifier=made, alone=GenerationClassifier(contestant=uncached, putting=putting, sampling=sampling)
    )


def putting_of(job: ClassifyJob) -> Putting:
    """How the job's items are put to a language model. Raises InputError where the template does not fit the task."""
    method, task = job.suite.keys.method, job.task
    template = template_of(task, method.template, job.suite.folder)
    words = words_of(template, task, job.head)
    drawn = shots(task, method.shots, np.random.default_rng(method.seed), job.head) if method.shots else None
    return Putting(template=template, fields=task.text_fields, words=words, shots=drawn)


def words_of(template: TaskTemplate, task: Task, head: str) -> dict[str, str]:
    """The word of every label of a task. Raises InputError where the template does not fit the task."""
    try:
        words = template.words(task.heads[head])
        lacking = sorted(template.named - {*task.text_fields, "fields", "options"})
    except ValueError as error:
        raise InputError(f"method.template: {error}") from None
    if lacking:
        fields = ", ".join(task.text_fields)
        raise InputError(
            f"method.template: {template.name!r} names {lacking[0]!r}, which {task.name} does not have ({fields})"
        )
    if not template.named & {*task.text_fields, "fields"}:
        fields = ", ".join(task.text_fields)
        raise InputError(f"method.template: {template.name!r} shows nothing of an item; name {fields} or fields")
    if task.multiple_choice and not template.named & {"options"}:
        raise InputError(f"method.template: {template.name!r} does not show the options; use 'choice'")
    return words


def template_of(task: Task, given: str | None, folder: Path) -> TaskTemplate:
    """The template that is named, or the task's own, or the generic one. Raises InputError."""
    try:
        if given is not None:
            return load_template(given, folder)
        if task.multiple_choice:
            return load_template(CHOICE)
        own = task.name if task.name in ("sst2", "rte", "mnli") else GENERIC
        return load_template(own)
    except ValueError as error:
        raise InputError(f"method.template: {error}") from None
