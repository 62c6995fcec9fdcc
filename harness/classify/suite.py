"""Classification suites (`kind: classify`): whose labels are held against which items' own.

    name: sst2
    kind: classify
    task: {glue: sst2, train: …, test: …}       # see `harness.tasks.keys`
    split: given                                # or {holdout: 0.1, seed: 7}, {folds: 5, fold: 0, seed: 7}
    candidate: hf/…                             # an encoder's checkpoint, a language model, recorded/predictions.jsonl
    method: {mode: likelihood, shots: 5}        # of language models
    goal: accuracy >= 0.75

Every problem of the file and of what it names is found before anything is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.classify.asking import Normalise
from harness.classify.template import load as load_template
from harness.errors import HarnessError, InputError, Problem
from harness.goal import Goal, goal_of
from harness.models.spec import parse
from harness.overrides import read
from harness.suite import SamplingKeys, override
from harness.tasks.keys import SplitKeys, TaskKeys, Where
from harness.tasks.keys import problems as task_problems
from harness.tasks.values import SPLITS, Split
from harness.yamlfile import problem, problems_of
from judges.types import Sampling

Mode = Literal["likelihood", "generation", "head"]
On = Literal["train", "validation", "test", "all"]
MOST_SHOTS = 64


class MethodKeys(BaseModel):
    """`method:` how a language model is asked. `mode` None: an encoder's head, likelihood (local) or generation (API).

    `chat` None: the model's chat template is used where it has one. `seed` draws the examples. `labels`: which of the
    task's labels a fine-tuned classifier's outputs are, by their names ({LABEL_0: negative, …}) or in their order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode | None = None
    shots: Annotated[int, Field(ge=0, le=MOST_SHOTS, strict=True)] = 0
    template: Annotated[str, Field(min_length=1)] | None = None
    normalise: Normalise | None = None
    chat: bool | None = None
    seed: Annotated[int, Field(strict=True, ge=0)] = 0
    labels: dict[str, str] | list[str] | None = None

    @model_validator(mode="after")
    def _fits(self) -> MethodKeys:
        if self.labels is not None and self.mode not in (None, "head"):
            raise ValueError("'labels' names the outputs of a classifier's head; remove it, or 'mode'")
        if self.mode == "head" and (self.shots or self.template or self.normalise or self.chat is not None):
            raise ValueError("mode head asks nothing in words; remove shots, template, normalise and chat")
        if self.mode == "generation" and self.normalise is not None:
            raise ValueError("'normalise' belongs to mode likelihood; remove it")
        return self


class ClassifyKeys(BaseModel):
    """The keys that a classify suite may have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    kind: Literal["classify"]
    task: TaskKeys
    split: SplitKeys = SplitKeys()
    on: On = "test"
    head: Annotated[str, Field(min_length=1)] | None = None
    candidate: str | None = None
    method: MethodKeys = MethodKeys()
    sampling: SamplingKeys = SamplingKeys()
    calibrate: bool = True
    thresholds: list[str] = Field(default_factory=list)
    goal: Goal | None = None
    seed: Annotated[int, Field(strict=True)] = 0

    @field_validator("goal", mode="before")
    @classmethod
    def _readable(cls, given: Any) -> Goal | None:
        if isinstance(given, Mapping) and "relation" in given:
            # As a manifest holds it.
            return Goal(**given)
        return given if given is None or isinstance(given, Goal) else goal_of(given, "classify")

    @field_validator("split", mode="before")
    @classmethod
    def _given(cls, given: Any) -> Any:
        return {} if given == "given" else given


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifySuite:
    """A classify suite: its keys, and the folder that relative paths in them begin at."""

    keys: ClassifyKeys
    folder: Path

    @property
    def name(self) -> str:
        """The suite's name."""
        return self.keys.name

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits whose items are asked."""
        return SPLITS if self.keys.on == "all" else (self.keys.on,)

    @property
    def sampling(self) -> Sampling:
        """How answers are written: short, and the likeliest unless the suite says otherwise."""
        return override(Sampling(temperature=0.0, max_tokens=32), self.keys.sampling.model_dump(exclude_none=True))

    def as_json(self) -> dict[str, Any]:
        """As a manifest holds it."""
        return {**self.keys.model_dump(mode="json"), "folder": str(self.folder)}


def from_json(raw: Mapping[str, Any]) -> ClassifySuite:
    """The suite that a manifest holds. Raises KeyError, TypeError or ValueError where it holds none."""
    values = dict(raw)
    folder = Path(values.pop("folder"))
    return ClassifySuite(keys=ClassifyKeys.model_validate(values), folder=folder)


def load(path: Path, changes: Sequence[str] = ()) -> ClassifySuite:
    """Read a classify suite, with `changes` ("key.key=value") on top. Raises InputError with every problem of it.

    The files of its task have to be there; they are read by the caller.
    """
    values, line_of = read(path, changes)
    problems: list[Problem] = []
    keys: ClassifyKeys | None = None
    try:
        keys = ClassifyKeys.model_validate(values)
    except ValidationError as error:
        problems += problems_of(error, str(path), line_of, tuple(ClassifyKeys.model_fields), changes)
    problems += [problem(what, where, path, line_of, changes) for where, what in _named(path.parent, values, keys)]
    if problems or keys is None:
        raise InputError(problems)
    return ClassifySuite(keys=keys, folder=path.resolve().parent)


def _named(folder: Path, values: Mapping[str, Any], keys: ClassifyKeys | None) -> Iterator[tuple[Where, str]]:
    """Problems of what the suite names, and where: its candidate's spec, its template, its task's files."""
    candidate, method = values.get("candidate"), values.get("method")
    if isinstance(candidate, str):
        try:
            parse(candidate, role="candidate", folder=folder)
        except HarnessError as error:
            yield ("candidate",), str(error)
    name = method.get("template") if isinstance(method, Mapping) else None
    if isinstance(name, str) and name:
        try:
            load_template(name, folder).named  # noqa: B018 (reading it takes the template apart)
        except ValueError as error:
            yield ("method", "template"), str(error)
    if keys is not None:
        yield from task_problems(keys.task, keys.split, folder)
