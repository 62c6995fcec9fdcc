"""Whether score runs measure the same, so that a score may move with the step alone: every reason why they do not.

Suites, prompts, judges, their templates and references are held against each other as `harness compare` does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.contrast.comparable import few, mixed, other_prompts
from harness.contrast.measured import Facts, Side
from harness.curve.stages import Stage
from harness.errors import InputError, Problem
from harness.report.numerals import listed, one_line
from judges.types import Prompt


def judges_of(stages: Sequence[Stage], wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """The judges to draw a curve of: those `wanted`, else all. Raises InputError where a run lacks a wanted one."""
    for name in wanted:
        for stage in stages:
            if name not in stage.found.judges:
                there = listed([one_line(judge) for judge in stage.found.judges], 4)
                raise InputError([Problem(path=str(stage.path), what=f"has no judge {name!r}; it has {there}")])
    return tuple(dict.fromkeys(wanted)) or stages[0].found.judges


def require_alike(stages: Sequence[Stage], wanted: Sequence[str] = ()) -> None:
    """Raise InputError with every reason why runs do not measure the same; only judges that are `wanted` count."""
    first, *others = stages
    one = _side(first, wanted)
    problems = [
        Problem(path=str(stage.path), what=f"{reason}; a curve needs the same at every step")
        for stage in others
        for reason in _reasons(one, _side(stage, wanted), first, stage)
    ]
    if problems:
        raise InputError(problems)


def _reasons(one: Side, other: Side, first: Stage, stage: Stage) -> Iterator[str]:
    yield from other_prompts(one, other)
    yield from mixed(one, other)
    for what, was in one.facts.settings.items():
        now = other.facts.settings.get(what)
        if now is not None and now != was:
            yield f"the {what} differs: {now} here, {was} in {first.path}"
    ids = [name for name, own in other.facts.samplings.items() if one.facts.samplings.get(name, own) != own]
    if ids and other.facts.settings["sampling"] == one.facts.settings["sampling"]:
        yield f"other sampling of the same prompts than in {first.path}: {few(ids)}"
    ids = [name for name, own in other.facts.repeats.items() if one.facts.repeats.get(name, own) != own]
    if ids:
        yield f"another number of answers a prompt than in {first.path}: {few(ids)}"
    for judge in one.facts.judges:
        if judge in other.facts.judges and first.found.scales.get(judge) != stage.found.scales.get(judge):
            yield f"another scale of {judge} than in {first.path}"


def _side(stage: Stage, wanted: Sequence[str]) -> Side:
    """What a run measures, as `harness compare` holds it."""
    found, prompts = stage.found, stage.found.job.suite.prompts
    judges = tuple(wanted) or found.judges
    known = found.manifest.get("fingerprints", {})
    templates = {name: "+".join(str(known[k]) for k in (f"template of {name}", name) if k in known) for name in judges}
    suite = found.job.suite
    return Side(
        path=stage.path,
        kind="scores",
        prompts=tuple(prompt.id for prompt in prompts),
        scores={},
        facts=Facts(
            suite=suite.name,
            texts={prompt.id: prompt.turns for prompt in prompts},
            systems={prompt.id: prompt.system or "" for prompt in prompts},
            checks={prompt.id: _checks(prompt) for prompt in prompts},
            references={prompt.id: prompt.reference for prompt in prompts},
            reads=frozenset({"references", *(("checks",) if "rubric" in judges else ())}),
            judges=judges,
            counting=judges,
            templates={name: value for name, value in templates.items() if value},
            settings={
                "sampling": _said(suite.sampling.given()),
                "judge sampling": _said(suite.judge_sampling.given()),
                "number of askings a judge": str(suite.judge_repeats),
                **{
                    f"way of asking {spec.text}": _said(
                        {k: v for k, v in asdict(spec.asking).items() if k != "template"}
                    )
                    for spec in found.job.judges
                    if spec.text in judges
                },
            },
            samplings={prompt.id: _said(found.job.sampling_of(prompt).given()) for prompt in prompts},
            repeats=found.job.repeats,
        ),
    )


def _checks(prompt: Prompt) -> tuple[str, ...]:
    return tuple(sorted(json.dumps(check, sort_keys=True, ensure_ascii=False) for check in prompt.checks))


def _said(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None) or "as the model has it"
