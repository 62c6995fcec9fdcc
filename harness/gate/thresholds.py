"""What a gate demands: the margins and what else a thresholds file may say. Every problem of the file is found at once.

The command line overrides the file. Refuses a gate without a margin, and a margin that is none, or that is no smaller
than the largest difference there can be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError, field_validator

from harness.errors import InputError, Problem
from harness.stats.noninferiority import ALPHA
from harness.yamlfile import LineOf, load_yaml, problems_of

Margin = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
NO_MARGIN = (
    "no margin is given; add --margin 0.03 (lose less than 3 points; of grades, less than 0.03), or the key `margin` "
    "to a --thresholds file"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """How large a difference can be (None where nothing says it), and in words what a margin means there."""

    most: float | None
    means: str


class ThresholdKeys(BaseModel):
    """The keys that a thresholds file may have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    margin: Margin | None = None
    alpha: Annotated[float, Field(strict=True)] = ALPHA
    categories: dict[str, Margin] = Field(default_factory=dict)
    gate_categories: StrictBool = False
    missing: Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)] | None = None

    @field_validator("alpha")
    @classmethod
    def _the_one_alpha(cls, value: float) -> float:
        if value != ALPHA:
            raise ValueError(f"the gate decides at {ALPHA:g}, one-sided; leave the key out or write {ALPHA:g}")
        return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """What is demanded. `categories` are margins of their own, `missing` the largest share of prompts without a score.

    `gate_categories` makes a failing category a failing gate. `path` and `line_of` lead back into the file, if any;
    `from_file` says that the margin stands there.
    """

    margin: float
    categories: Mapping[str, float]
    gate_categories: bool
    missing: float | None
    path: Path | None
    line_of: LineOf | None
    from_file: bool = False

    def margin_of(self, category: str) -> float:
        """A category's own margin, or the gate's."""
        return self.categories.get(category, self.margin)

    @property
    def margins(self) -> tuple[float, ...]:
        """Every margin that is demanded."""
        return (self.margin, *self.categories.values())

    def check(self, categories: Iterable[str], reach: Reach) -> None:
        """Raise InputError with every margin that is as large as a difference can be, for it would pass everything,
        and every category of the file that is none of the prompts', for it would silently gate nothing.
        """
        problems = [*self._too_large(reach), *self._unknown(list(categories))]
        if problems and not any(isinstance(problem, Problem) for problem in problems):
            raise InputError(str(problems[0]))
        if problems:
            raise InputError([p if isinstance(p, Problem) else Problem(path="harness check", what=p) for p in problems])

    def _too_large(self, reach: Reach) -> Iterator[Problem | str]:
        given = {("margin",): self.margin} | {("categories", name): own for name, own in self.categories.items()}
        for keys, value in given.items():
            if reach.most is None or value < reach.most:
                continue
            what = f"has to lie between 0 and {reach.most:g}, found {value:g}; {reach.means}"
            if keys == ("margin",) and not self.from_file:
                yield f"--margin {what}"
            elif self.path is not None and self.line_of is not None:
                yield Problem(path=str(self.path), line=self.line_of(keys), what=f"{'.'.join(keys)}: {what}")

    def _unknown(self, known: list[str]) -> Iterator[Problem]:
        if self.path is None or self.line_of is None:
            return
        there = f"known: {', '.join(known)}" if known else "the prompts have no categories"
        for name in self.categories:
            if name not in known:
                what = f"no prompt is in the category {name!r}; {there}; correct or remove it"
                yield Problem(path=str(self.path), line=self.line_of(("categories", name)), what=what)


def thresholds(path: Path | None, *, margin: float | None, gate_categories: bool) -> Thresholds:
    """The demands of a file (None: none) and of the command line, which wins.

    Raises InputError with every problem of the file, on a margin that is not above 0, and where there is none at all.
    """
    if margin is not None and not 0 < margin < math.inf:
        raise InputError(f"--margin has to lie above 0, found {margin:g}; it is the loss that must not be reached")
    keys, line_of = _read(path) if path is not None else (ThresholdKeys(), None)
    demanded = margin if margin is not None else keys.margin
    if demanded is None:
        raise InputError([Problem(path=str(path), what=NO_MARGIN)] if path is not None else NO_MARGIN)
    return Thresholds(
        margin=demanded,
        categories=keys.categories,
        gate_categories=gate_categories or keys.gate_categories,
        missing=keys.missing,
        path=path,
        line_of=line_of,
        from_file=margin is None,
    )


def _read(path: Path) -> tuple[ThresholdKeys, LineOf]:
    values, line_of = load_yaml(path)
    try:
        return ThresholdKeys.model_validate(values), line_of
    except ValidationError as error:
        raise InputError(problems_of(error, str(path), line_of, tuple(ThresholdKeys.model_fields))) from None
