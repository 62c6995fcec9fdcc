"""Suites: what is asked of whom, read from YAML and checked before anything runs.

Every problem of a suite and of its prompts is found at once, each with its file, line and value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from harness import fastchat
from harness.errors import HarnessError, InputError, Problem
from harness.goal import Goal, goal_of
from harness.judging import CriteriaKey, JudgeKey, ModeKey, PanelKey, PanelKeys, criteria_of, templates
from harness.models.spec import Asking, Role, parse
from harness.perplexity import documents
from harness.perplexity.documents import LossOn
from harness.records import PromptRecord, gather
from harness.yamlfile import LineOf, describe, load_yaml, problems_of
from judges import rubric, template
from judges.panel import Rule
from judges.types import Criterion, Mode, Prompt, Sampling

Orders = Literal["both", "random"]
KINDS = ("pairwise", "score", "perplexity", "classify", "matrix")
BUNDLED = Path(__file__).resolve().parent.parent / "suites"


class SamplingKeys(BaseModel):
    """`sampling:` of a suite, of its judges or of one prompt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    seed: Annotated[int, Field(strict=True)] | None = None


class FastchatKeys(BaseModel):
    """`prompts: {fastchat: PATH}`: questions as FastChat publishes them, with their reference answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fastchat: Annotated[str, Field(min_length=1)]
    references: str | None = None


class SuiteKeys(BaseModel):
    """The keys that every kind of suite may have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    kind: Literal["pairwise", "score", "perplexity", "classify", "matrix"] = "pairwise"
    prompts: str | list[dict[str, Any]] | FastchatKeys
    candidate: str | None = None
    baseline: str | None = None
    judges: list[JudgeKey] = Field(default_factory=list)
    judge_mode: ModeKey | None = None
    judge_template: str | None = None
    repeats: Annotated[int, Field(ge=1, strict=True)] | None = None
    sampling: SamplingKeys = SamplingKeys()
    judge_sampling: SamplingKeys = SamplingKeys()
    seed: Annotated[int, Field(strict=True)] = 0
    goal: Goal | None = None

    @field_validator("goal", mode="before")
    @classmethod
    def _readable(cls, given: Any, info: ValidationInfo) -> Goal | None:
        return given if given is None or isinstance(given, Goal) else goal_of(given, info.data.get("kind", "pairwise"))


class PairwiseKeys(SuiteKeys):
    """The keys a pairwise suite may have."""

    kind: Literal["pairwise"] = "pairwise"
    criteria: CriteriaKey = Field(default_factory=list)
    panel: PanelKey = PanelKeys()
    orders: Orders = "both"
    equivalence: Annotated[float, Field(gt=0, lt=0.5)] = 0.05

    def own(self) -> dict[str, Any]:
        """What of it a `Suite` has for this kind alone."""
        return {
            "criteria": criteria_of(self.criteria),
            "panel": self.panel.rule,
            "panel_gold": self.panel.gold,
            "orders": self.orders,
            "equivalence": self.equivalence,
        }


class ScoreKeys(SuiteKeys):
    """The keys a score suite may have."""

    kind: Literal["score"]
    judge_repeats: Annotated[int, Field(ge=1, strict=True)] = 1

    def own(self) -> dict[str, Any]:
        """What of it a `Suite` has for this kind alone."""
        return {"judge_repeats": self.judge_repeats}


class PerplexityKeys(SuiteKeys):
    """The keys a perplexity suite may have. `prompts` are its documents (see `perplexity.documents`)."""

    kind: Literal["perplexity"]
    prompts: str | list[dict[str, Any]]
    loss_on: LossOn | None = None
    max_length: Annotated[int, Field(ge=2, strict=True)] | None = None
    stride: Annotated[int, Field(ge=1, strict=True)] | None = None

    @field_validator("judges", "judge_mode", "judge_template", "judge_sampling", "repeats", "sampling", mode="before")
    @classmethod
    def _nothing_is_generated(cls, given: Any) -> Any:
        raise ValueError("a perplexity suite generates and judges nothing; remove the key")

    @field_validator("candidate", "baseline")
    @classmethod
    def _shows_probabilities(cls, given: str | None) -> str | None:
        if given is not None and given.partition("/")[0].partition("@")[0] in ("openai", "anthropic", "recorded"):
            raise ValueError("it does not show how likely it finds a given text; give a local model: hf/… or recipe/…")
        return given

    @field_validator("stride")
    @classmethod
    def _windows_overlap(cls, given: int | None, info: ValidationInfo) -> int | None:
        longest = info.data.get("max_length")
        if given is not None and longest is not None and given >= longest:
            raise ValueError(f"it has to be below max_length ({longest}), or a window's first token counts nowhere")
        return given

    def own(self) -> dict[str, Any]:
        """What of it a `Suite` has for this kind alone."""
        return {"loss_on": self.loss_on, "max_length": self.max_length, "stride": self.stride}


KEYS: dict[str, type[PairwiseKeys] | type[ScoreKeys] | type[PerplexityKeys]] = {
    "pairwise": PairwiseKeys,
    "score": ScoreKeys,
    "perplexity": PerplexityKeys,
}
# Answers are compared as they are usually asked for, and graded at their most likely.
TEMPERATURE = {"pairwise": 0.75, "score": 0.0, "perplexity": 0.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """A suite whose prompts are loaded. Specs are still text; `folder` is what relative paths in them mean.

    `repeats` None means: as many samples as recorded responses hold, one where they are generated. `asking` holds what
    the suite says of single judges, by their specs; `judge_mode` and `judge_template` are for the others. `panel_gold`
    names the judge whose agreement with each of the others is that one's weight. What belongs to another kind of suite
    has its default.
    """

    name: str
    prompts: tuple[Prompt, ...]
    candidate: str | None
    baseline: str | None
    judges: tuple[str, ...]
    repeats: int | None
    sampling: Sampling
    judge_sampling: Sampling
    seed: int
    folder: Path
    kind: str = "pairwise"
    orders: Orders = "both"
    equivalence: float = 0.05
    judge_repeats: int = 1
    loss_on: LossOn | None = None
    max_length: int | None = None
    stride: int | None = None
    asking: Mapping[str, Asking] = field(default_factory=dict)
    judge_mode: Mode | None = None
    judge_template: str | None = None
    criteria: tuple[Criterion, ...] = ()
    panel: Rule = "majority"
    panel_gold: str | None = None
    goal: Goal | None = None


def locate(given: str) -> Path:
    """The suite file a user names: a path, or the name of a bundled suite ("in_domain")."""
    path = Path(given)
    bundled = BUNDLED / f"{given}.yaml"
    # A folder of that name (a run's, say) does not hide the bundled suite.
    if not path.is_file() and path.name == given and not path.suffix and bundled.exists():
        return bundled
    if not path.exists():
        names = ", ".join(sorted(file.stem for file in BUNDLED.glob("*.yaml")))
        raise InputError([Problem(path=given, what=f"there is no such suite; give a path, or one of: {names}")])
    return path


def kind_of(path: Path) -> str:
    """The kind that a suite's file names; pairwise where it names none. Raises InputError where it is no YAML."""
    return str(load_yaml(path)[0].get("kind", "pairwise"))


def load(path: Path, *, files: bool = False) -> Suite:
    """Read a suite and its prompts. Raises InputError with every problem of both.

    With `files` a missing file of its own candidate, baseline or judges is one too; a run may be given others instead.
    """
    values, line_of = load_yaml(path)
    problems: list[Problem] = []
    keys: PairwiseKeys | ScoreKeys | PerplexityKeys | None = None
    kind = values.get("kind", "pairwise")
    if kind in KINDS and kind not in KEYS:
        what = f"a suite of kind {kind!r} has no prompts to answer; use one of kind: {', '.join(KEYS)}"
        raise InputError([Problem(path=str(path), line=line_of(["kind"]), what=what)])
    model = KEYS[kind] if isinstance(kind, str) and kind in KEYS else PairwiseKeys
    try:
        if kind in KINDS:
            keys = model.model_validate(values)
        else:
            problems.append(_no_kind(kind, path, line_of))
            shared = {key: value for key, value in values.items() if key in SuiteKeys.model_fields}
            SuiteKeys.model_validate({"prompts": [], **shared, "kind": "pairwise", "goal": None})
    except ValidationError as error:
        problems += problems_of(error, str(path), line_of, known=tuple(model.model_fields))
    if kind == "perplexity":
        prompts, more = documents.load(values.get("prompts"), path.parent, str(path), line_of, values.get("loss_on"))
    else:
        prompts, more = _prompts(path, values.get("prompts"), line_of)
    problems += [*more, *_spec_problems(path, values, line_of, files=files), *_template_problems(path, values, line_of)]
    if problems or keys is None:
        raise InputError(problems)
    return _suite(keys, prompts, path.resolve().parent)


def _no_kind(given: Any, path: Path, line_of: LineOf) -> Problem:
    known = f"{', '.join(map(repr, KINDS[:-1]))} or {KINDS[-1]!r}"
    return Problem(path=str(path), line=line_of(["kind"]), what=f"kind: input should be {known}, found {given!r}")


def suite_of(values: Mapping[str, Any], prompts: Sequence[Prompt], *, folder: Path) -> Suite:
    """The pairwise suite of these keys but `prompts`, which are there already. Raises pydantic's ValidationError."""
    return _suite(PairwiseKeys.model_validate({**values, "prompts": []}), prompts, folder.resolve())


def _suite(keys: PairwiseKeys | ScoreKeys | PerplexityKeys, prompts: Sequence[Prompt], folder: Path) -> Suite:
    return Suite(
        name=keys.name,
        prompts=tuple(prompts),
        candidate=keys.candidate,
        baseline=keys.baseline,
        judges=tuple(judge.spec for judge in keys.judges),
        asking={judge.spec: own for judge in keys.judges if (own := judge.asking()) != Asking()},
        judge_mode=keys.judge_mode,
        judge_template=keys.judge_template,
        repeats=keys.repeats,
        sampling=override(Sampling(temperature=TEMPERATURE[keys.kind]), keys.sampling.model_dump(exclude_none=True)),
        judge_sampling=override(
            Sampling(temperature=0.0, max_tokens=1024), keys.judge_sampling.model_dump(exclude_none=True)
        ),
        seed=keys.seed,
        folder=folder,
        kind=keys.kind,
        goal=keys.goal,
        **keys.own(),
    )


def override(sampling: Sampling, changes: Mapping[str, Any]) -> Sampling:
    """`sampling` with the named parameters changed."""
    return replace(sampling, **changes)


def _spec_problems(path: Path, values: Mapping[str, Any], line_of: LineOf, *, files: bool) -> list[Problem]:
    found: list[Problem] = []
    judges = values.get("judges")
    named: list[tuple[Any, Role, list[int | str]]] = [
        (values.get("candidate"), "candidate", ["candidate"]),
        (values.get("baseline"), "baseline", ["baseline"]),
    ]
    for index, judge in enumerate(judges if isinstance(judges, list) else []):
        spec = judge.get("spec") if isinstance(judge, Mapping) else judge
        named.append((spec, "judge", ["judges", index]))
    for spec, role, where in named:
        if isinstance(spec, str):
            try:
                named_file = parse(spec, role=role, folder=path.parent)
            except HarnessError as error:
                found.append(Problem(path=str(path), line=line_of(where), what=str(error)))
                continue
            if files and named_file.kind in ("recorded", "recipe") and not named_file.path.is_file():
                what = f"{role}: there is no file {named_file.rest!r}; check the path (it is relative to the suite)"
                found.append(Problem(path=str(path), line=line_of(where), what=what))
    return found


def _template_problems(path: Path, values: Mapping[str, Any], line_of: LineOf) -> list[Problem]:
    found = []
    for where, name in templates(values):
        try:
            template.load(name, path.parent).lead  # noqa: B018 (reading it takes the template apart)
        except ValueError as error:
            found.append(Problem(path=str(path), line=line_of(where), what=str(error)))
    return found


def _prompts(path: Path, given: Any, line_of: LineOf) -> tuple[list[Prompt], list[Problem]]:
    if isinstance(given, str):
        return load_prompts(path.parent / given)
    if isinstance(given, Mapping) and isinstance(given.get("fastchat"), str):
        references = given.get("references")
        return fastchat.load(
            path.parent / given["fastchat"], path.parent / references if isinstance(references, str) else None
        )
    if not isinstance(given, list):
        return [], []
    prompts: dict[str, Prompt] = {}
    problems: list[Problem] = []
    for index, value in enumerate(given):
        line = line_of(["prompts", index])
        try:
            record = PromptRecord.model_validate(value)
        except ValidationError as error:
            problems += [
                Problem(path=str(path), line=line_of(["prompts", index, *e["loc"]]), what=describe(dict(e)))
                for e in error.errors()
            ]
            continue
        if record.id in prompts:
            problems.append(Problem(path=str(path), line=line, what=f"the prompt id {record.id!r} stands twice"))
        problems += [Problem(path=str(path), line=line, what=what) for what in check_prompt(record)]
        prompts[record.id] = to_prompt(record)
    if not given:
        problems.append(Problem(path=str(path), line=line_of(["prompts"]), what="there are no prompts; add one"))
    return list(prompts.values()), problems


def load_prompts(path: Path) -> tuple[list[Prompt], list[Problem]]:
    """The prompts of a JSONL file, and every problem with them."""
    try:
        records, problems = gather(path, PromptRecord, check=check_prompt)
    except InputError as error:
        return [], [p if isinstance(p, Problem) else Problem(path=str(path), what=p) for p in error.problems]
    if not records and not problems:
        problems = [Problem(path=str(path), what="holds no prompts; add at least one line")]
    return [to_prompt(record) for record in records], problems


def check_prompt(record: PromptRecord) -> list[str]:
    """Everything wrong with a prompt that its keys alone do not show, one sentence each."""
    found = list(rubric.problems(record.checks)) if record.checks is not None else []
    if record.sampling is not None:
        try:
            SamplingKeys.model_validate(record.sampling)
        except ValidationError as error:
            found += [f"sampling: {describe(dict(item))}" for item in error.errors()]
    if isinstance(record.reference, list) and len(record.reference) != len(record.turns or [""]):
        found.append(
            f"'reference' has {len(record.reference)} texts for {len(record.turns or [''])} turns; give one each"
        )
    return found


def to_prompt(record: PromptRecord) -> Prompt:
    """The frozen value of a checked prompt record."""
    reference = (record.reference,) if isinstance(record.reference, str) else tuple(record.reference or ())
    return Prompt(
        id=record.id,
        turns=(record.prompt,) if record.prompt is not None else tuple(record.turns or ()),
        system=record.system,
        category=record.category,
        cluster=record.cluster,
        reference=reference,
        checks=tuple(record.checks or ()),
        sampling=dict(record.sampling or {}),
        repeats=record.repeats,
        extra=dict(record.model_extra or {}),
    )
