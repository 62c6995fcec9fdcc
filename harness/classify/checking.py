"""`harness validate` of classify suites: the task's files, and whether template, examples and candidate fit them.

Nothing is asked, no weights are opened and nothing is downloaded: of a dataset of the hub that is not on this machine
only the layout is known, and what would need its items is not checked, which is said.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from harness.classify import recorded
from harness.classify.heads import fitting
from harness.classify.job import asked
from harness.classify.launch import head_of, headed, mode_of, template_of, words_of
from harness.classify.suite import ClassifySuite, MethodKeys, load
from harness.errors import HarnessError, InputError, Problem
from harness.models.spec import Spec, parse
from harness.tasks.fewshot import shots
from harness.tasks.keys import SplitKeys, TaskKeys, Where
from harness.tasks.layout import layout
from harness.tasks.load import load as load_task
from harness.tasks.values import Split, Task
from harness.yamlfile import LineOf, load_yaml

Say = Callable[[str], None]
Found = Iterator[tuple[Where, Problem | str]]
UNSEEN = "the items of {} are on the hub and not on this machine; what depends on them was not checked"


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A task as far as it could be read: None where its files are wrong, `whole` where its items are there."""

    task: Task | None
    whole: bool = True
    problems: tuple[tuple[Where, Problem | str], ...] = ()


def problems_in(path: Path, say: Say) -> list[Problem]:
    """Every problem of a classify suite; `say` hears what was not checked. Raises InputError with the file's own."""
    suite = load(path)
    keys = suite.keys
    known = known_of(keys.task, keys.split, suite.folder, need=() if keys.on == "all" else suite.splits)
    if not known.whole:
        say(f"{path}: {UNSEEN.format(keys.task.title)}")
    found = [*known.problems, *(_misfits(suite, known.task, known.whole) if known.task is not None else ())]
    return placed(found, path, load_yaml(path)[1])


def placed(found: Collection[tuple[Where, Problem | str]], path: Path, line_of: LineOf) -> list[Problem]:
    """Problems with their own place, where they have one, else with the line of the suite's key."""
    return [
        each if isinstance(each, Problem) else Problem(path=str(path), line=line_of(where), what=each)
        for where, each in found
    ]


def told(check: Callable[[], object]) -> Sequence[Problem | str]:
    """What a check refuses, nothing where it passes."""
    try:
        check()
    except InputError as error:
        return error.problems
    except HarnessError as error:
        return [str(error)]
    return []


def known_of(task: TaskKeys, split: SplitKeys, folder: Path, *, need: Collection[Split]) -> Known:
    """A task's items, or its layout where they lie on the hub; every problem of its files, where they lie here."""
    try:
        return Known(task=load_task(task, split, folder, where="", need=need, near=True))
    except InputError as error:
        if not any(task.paths()) and not any(isinstance(each, Problem) for each in error.problems):
            return Known(task=_bare(task), whole=False)
        return Known(task=None, problems=tuple(_whose(each) for each in error.problems))


def _whose(each: Problem | str) -> tuple[Where, Problem | str]:
    """A problem of a task, at the key it belongs to where it is none of a file's."""
    if isinstance(each, Problem) and each.path:
        return ("task",), each
    what = each if isinstance(each, str) else each.what
    key = what.partition(":")[0]
    return (("split", key) if key in SplitKeys.model_fields else ("task",)), what


def _bare(keys: TaskKeys) -> Task:
    """A task without items: its fields and labels by the layout that is known beforehand."""
    known = layout(keys)
    heads = {head: known.labels.get(head, ()) for head in known.label}
    return Task(name=keys.title, heads=heads, items={}, text_fields=known.text[0], origins=(), rule=SplitKeys().rule())


def _misfits(suite: ClassifySuite, task: Task, whole: bool) -> Found:
    """What of the suite does not fit its task, and where it stands."""
    keys = suite.keys
    wrong = told(lambda: head_of(task, keys.head))
    yield from ((("head",), each) for each in wrong)
    if wrong:
        return
    head = head_of(task, keys.head)
    labels = task.heads[head]
    for label in keys.thresholds:
        if labels and label not in labels:
            yield ("thresholds",), f"{label!r} is no label; the labels are {', '.join(labels)}"
    if keys.candidate is None:
        yield from asking_misfits(task, head, keys.method, suite.folder, whole=whole)
    else:
        spec = parse(keys.candidate, role="candidate", folder=suite.folder)
        yield from _of_candidate(suite, spec, task, head, whole)


def _of_candidate(suite: ClassifySuite, spec: Spec, task: Task, head: str, whole: bool) -> Found:
    """Whether the candidate is there and fits; how a recipe's checkpoint is asked is known once there is one."""
    method = suite.keys.method
    if spec.kind in ("recorded", "recipe") and not spec.path.is_file():
        yield ("candidate",), f"there is no file {spec.rest!r}; check the path"
    if spec.kind == "recipe" or (spec.kind == "recorded" and not spec.path.is_file()):
        return
    wrong = told(lambda: mode_of(spec, method))
    yield from ((("method",), each) for each in wrong)
    mode = None if wrong else mode_of(spec, method)
    if mode == "head":
        folder, labels = headed(spec), task.heads[head]
        if folder is None:
            return
        choices, naming = task.multiple_choice, method.labels
        fits = partial(fitting, folder, head, labels, choices=choices, spec=spec.text, naming=naming)
        yield from ((("candidate",), each) for each in told(fits))
    elif mode is not None:
        yield from asking_misfits(task, head, method, suite.folder, whole=whole)
    elif not wrong and whole:
        read = partial(_recorded, spec, task, head, suite.splits)
        yield from ((("candidate",), each) for each in told(read))


def asking_misfits(task: Task, head: str, method: MethodKeys, folder: Path, *, whole: bool) -> Found:
    """Whether a language model can be asked: a template that fits, and enough training items for its examples."""
    if whole or (task.heads[head] and not task.multiple_choice):
        fits = partial(_template, task, head, method, folder)
        yield from ((("method", "template"), each) for each in told(fits))
    if method.shots and whole:
        draw = partial(shots, task, method.shots, np.random.default_rng(method.seed), head)
        yield from ((("method", "shots"), each) for each in told(draw))


def _template(task: Task, head: str, method: MethodKeys, folder: Path) -> None:
    words_of(template_of(task, method.template, folder), task, head)


def _recorded(spec: Spec, task: Task, head: str, splits: Sequence[Split]) -> None:
    recorded.load(spec.path, asked(task, splits), head, task.heads[head])
