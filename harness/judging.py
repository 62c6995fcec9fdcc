"""How judges are asked: the keys a suite has for it, and what they come to for each judge.

Refuses a mode or a template for a judge that has none, a margin for one that gives no reward, criteria where nothing is
written, and a template that names a field which the prompts lack: all before the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from harness.errors import InputError
from harness.models.spec import Asking, Spec
from judges import reward, template
from judges.panel import Rule
from judges.template import Template
from judges.types import MODES, Criterion, Exhibit, Mode, Presentation, Prompt

MODELS = ("openai", "anthropic", "hf")
GRADES: dict[Mode, str] = {"generation": "grade", "verdict-token": "grade_token"}
# Messages API answers carry no probabilities of tokens.
WITHOUT_PROBABILITIES = ("anthropic",)

ModeKey = Annotated[Mode, BeforeValidator(lambda given: given.replace("_", "-") if isinstance(given, str) else given)]


class JudgeKeys(BaseModel):
    """A judge of `judges:` that is not asked like the others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spec: Annotated[str, Field(min_length=1)]
    mode: ModeKey | None = None
    template: str | None = None
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    center: Annotated[float, Field(allow_inf_nan=False)] | None = None
    spread: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    def asking(self) -> Asking:
        """As a value."""
        own = self.model_dump(exclude={"spec"})
        return Asking(**own)


def _judge(given: Any) -> Any:
    if isinstance(given, str):
        return {"spec": given}
    if not isinstance(given, Mapping | JudgeKeys):
        raise ValueError("give a judge's spec, or {spec, mode, template, margin}")
    return given


JudgeKey = Annotated[JudgeKeys, BeforeValidator(_judge)]


class CriterionKeys(BaseModel):
    """One of `criteria:`: its name, what it means, and its scale in whole numbers, 1 to 5 where it names none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_ -]{0,39}$")]
    about: str = ""
    scale: tuple[int, int] = (1, 5)

    @model_validator(mode="after")
    def _rising(self) -> CriterionKeys:
        if not self.scale[0] < self.scale[1] <= self.scale[0] + 100:
            raise ValueError(f"'scale' must be two whole numbers, low before high, found {list(self.scale)}")
        return self


class PanelKeys(BaseModel):
    """`panel:`, how several judges become one; `gold` names the judge that their weights come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Rule = "majority"
    gold: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _weighable(self) -> PanelKeys:
        if self.gold is not None and self.rule == "unanimous":
            raise ValueError("a unanimous panel has no weights; leave out 'gold', or take 'majority' or 'mean'")
        return self


def with_names(given: Any) -> Any:
    """`criteria:` as a list of objects: a bare name is one, and so is an entry of a mapping of names."""
    if isinstance(given, Mapping):
        return [{"name": name, **_about(value)} for name, value in given.items()]
    if isinstance(given, list):
        return [{"name": value} if isinstance(value, str) else value for value in given]
    return given


def _about(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list):
        return {"scale": value}
    return {} if value is None else {"about": value}


def each_once(keys: list[CriterionKeys]) -> list[CriterionKeys]:
    """The criteria themselves. Raises ValueError where a name stands twice."""
    names = [key.name for key in keys]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"the criterion {twice[0]!r} stands twice; name each once")
    return keys


CriteriaKey = Annotated[list[CriterionKeys], BeforeValidator(with_names), AfterValidator(each_once)]


def _panel(given: Any) -> Any:
    if isinstance(given, str):
        return {"rule": given}
    if not isinstance(given, Mapping | PanelKeys):
        raise ValueError("give majority, mean or unanimous, or {rule, gold}")
    return given


PanelKey = Annotated[PanelKeys, BeforeValidator(_panel)]


def criteria_of(keys: Sequence[CriterionKeys]) -> tuple[Criterion, ...]:
    """The suite's criteria as values."""
    return tuple(Criterion(name=key.name, about=key.about, low=key.scale[0], high=key.scale[1]) for key in keys)


def settled(
    spec: Spec, *, mode: Mode | None, template: str | None, folder: Path, criteria: bool, kind: str = "pairwise"
) -> Spec:
    """A judge's spec with everything that its kind is asked by.

    `mode` and `template` are for judges that say nothing themselves; a template's path is relative to `folder`; `kind`
    is the suite's. Raises InputError where what a judge says of itself does not apply to its kind.
    """
    own = spec.asking
    if spec.kind == "recipe":
        # What it makes is not known before it is resolved.
        return spec
    if spec.kind not in MODELS:
        for name, value in (("mode", own.mode), ("template", own.template)):
            if value is not None:
                raise InputError(f"{spec.text!r} is no language model, so it takes no {name!r}; leave it out")
    for name, number in (("margin", own.margin), ("center", own.center), ("spread", own.spread)):
        if number is not None and spec.kind != "reward":
            raise InputError(f"{spec.text!r} gives no reward, so it takes no {name!r}; leave it out")
    if spec.kind == "reward" and kind == "score":
        center, spread = (usual if given is None else given for given, usual in _map_of(own))
        return replace(spec, asking=replace(own, center=center, spread=spread))
    if spec.kind not in MODELS:
        return spec
    chosen = own.mode or mode or MODES[0]
    if chosen == "verdict-token" and spec.kind in WITHOUT_PROBABILITIES:
        raise InputError(
            f"{spec.text!r}: its API gives no probabilities of tokens, so that it cannot be asked in verdict-token "
            "mode; use mode: generation"
        )
    if chosen == "verdict-token" and criteria:
        raise InputError(
            f"{spec.text!r}: criteria are graded in writing, and verdict-token mode writes nothing; leave out "
            "'criteria', or use mode: generation"
        )
    usual = by_default(chosen, criteria, kind)
    return replace(spec, asking=Asking(mode=chosen, template=_place(own.template or template or usual, folder)))


def _map_of(own: Asking) -> tuple[tuple[float | None, float], ...]:
    """What a reward judge says of its map, each beside what holds where it says nothing."""
    return (own.center, reward.CENTER), (own.spread, reward.SPREAD)


def templates(values: Mapping[str, Any]) -> list[tuple[list[int | str], str]]:
    """Every judge template that a suite's keys name, and where."""
    found: list[tuple[list[int | str], Any]] = [(["judge_template"], values.get("judge_template"))]
    judges = values.get("judges")
    for place, judge in enumerate(judges if isinstance(judges, list) else []):
        if isinstance(judge, Mapping):
            found.append((["judges", place, "template"], judge.get("template")))
    return [(where, name) for where, name in found if isinstance(name, str)]


def by_default(mode: Mode, criteria: bool, kind: str = "pairwise") -> str:
    """The bundled template of a mode in a kind of suite, or the one for a suite's own criteria."""
    if kind == "score":
        return GRADES[mode]
    return template.WITH_CRITERIA if criteria else template.BY_MODE[mode]


def _place(name: str, folder: Path) -> str:
    """A template by name, or the absolute path of a file."""
    bundled = "/" not in name and not name.endswith(".md") and (template.PROMPTS / f"{name}.md").exists()
    return name if bundled else str((folder / name).resolve())


def template_of(spec: Spec, *, kind: str = "pairwise") -> Template | None:
    """The judge template of a settled spec; None for a judge that has none. Raises InputError."""
    if spec.kind not in MODELS:
        return None
    try:
        return template.load(spec.asking.template or by_default(spec.asking.mode or MODES[0], False, kind))
    except ValueError as error:
        raise InputError(f"{spec.text}: {error}") from None


def fits_grading(found: Template, prompts: Sequence[Prompt]) -> None:
    """As `fits`, for a template that grades one answer."""
    _fits(prompts, lambda prompt: found.grading(Exhibit(prompt=prompt, answers=("…",) * len(prompt.turns))))


def fits(found: Template, prompts: Sequence[Prompt], criteria: Sequence[Criterion]) -> None:
    """Raise InputError where a template cannot be filled with these prompts, naming how many lack a field.

    It must show both answers, and name the suite's criteria where it has its own.
    """
    unseen = [field for field in ("a", "b", *(["criteria"] if criteria else [])) if field not in found.fields]
    if unseen:
        other = " (it grades one answer)" if "answers" in found.fields else ""
        raise InputError(
            f"the template {found.name!r} never names {' and '.join(map(repr, unseen))}{other}, so that a judge would "
            "not see what it is asked about; give another template"
        )

    def fill(prompt: Prompt) -> object:
        empty = ("…",) * len(prompt.turns)
        return found.messages(Presentation(prompt=prompt, a=empty, b=empty), criteria)

    _fits(prompts, fill)


def _fits(prompts: Sequence[Prompt], fill: Callable[[Prompt], object]) -> None:
    failed: list[str] = []
    for prompt in prompts:
        try:
            fill(prompt)
        except ValueError as error:
            failed.append(str(error))
    if failed:
        more = f" ({len(failed)} of {len(prompts)} prompts)" if len(failed) > 1 else ""
        raise InputError(f"{failed[0]}{more}")
