"""The one grammar for candidates, baselines and judges. Parses a spec; opens nothing.

openai/<model>  openai@NAME/<model>  anthropic/<model>  anthropic@NAME/<model>
hf/<path-or-hub-id>  hf/<base>+<adapter-dir>  reward/<path-or-hub-id>
recorded/<file.jsonl>  recipe/<file.yaml>  rubric  control/<bias>
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from harness.errors import InputError
from judges.build import BUILDERS
from judges.controls import BIASES
from judges.types import Mode

Kind = Literal["openai", "anthropic", "hf", "reward", "recorded", "recipe", "rubric", "control"]
Role = Literal["candidate", "baseline", "judge"]

_FORMS: dict[Kind, str] = {
    "openai": "openai/<model>",
    "anthropic": "anthropic/<model>",
    "hf": "hf/<path> or hf/<base>+<adapter>",
    "recorded": "recorded/<file.jsonl>",
    "recipe": "recipe/<file.yaml>",
    "reward": "reward/<path>",
    "rubric": "rubric",
    "control": "control/<bias>",
}
_ROLES: dict[Kind, tuple[Role, ...]] = {
    "openai": ("candidate", "baseline", "judge"),
    "anthropic": ("candidate", "baseline", "judge"),
    "hf": ("candidate", "baseline", "judge"),
    "reward": ("judge",),
    "recorded": ("candidate", "baseline", "judge"),
    "recipe": ("candidate", "baseline", "judge"),
    "rubric": ("judge",),
    "control": ("judge",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """How one judge is to be asked; None where that is left to the suite, or does not apply to its kind.

    `template` is the name of a bundled judge template or a file's path. Of a reward model, `margin` is the difference
    of rewards that is still a tie, `center` and `spread` map a reward to a grade (see `judges.reward`).
    """

    mode: Mode | None = None
    template: str | None = None
    margin: float | None = None
    center: float | None = None
    spread: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """A parsed spec. `text` is it as given (a judge's name); `rest` what follows the kind; `endpoint` the NAME."""

    text: str
    kind: Kind
    rest: str = ""
    endpoint: str | None = None
    folder: Path = Path()
    asking: Asking = Asking()

    @property
    def path(self) -> Path:
        """The file a recorded/ or recipe/ spec names, relative to where the spec was written."""
        return self.folder / self.rest

    @property
    def parts(self) -> tuple[str, str | None]:
        """Base and adapter of an hf/ spec; paths that exist beside the spec are made absolute."""
        whole = self.folder / self.rest
        if whole.exists():
            return str(whole.resolve()), None
        base, plus, adapter = self.rest.rpartition("+")
        if not plus:
            return self._local(self.rest), None
        return self._local(base), self._local(adapter)

    def _local(self, text: str) -> str:
        path = self.folder / text
        return str(path.resolve()) if path.exists() else text


def grammar(role: Role) -> str:
    """The specs that can play a role, for an error's way out."""
    return ", ".join(form for kind, form in _FORMS.items() if role in _ROLES[kind])


def parse(text: str, *, role: Role, folder: Path = Path()) -> Spec:
    """Parse a spec for a role; relative paths in it are relative to `folder`.

    Raises InputError where it is not in the grammar, or cannot play that role.
    """
    head, slash, rest = text.partition("/")
    name, at, endpoint = head.partition("@")
    known = get_args(Kind) if role != "judge" else (*get_args(Kind), *BUILDERS)
    if name not in known or (at and name not in ("openai", "anthropic")):
        raise InputError(f"{text!r} is no {role} that is known; use {grammar(role)}")
    kind: Kind = name  # type: ignore[assignment]
    if at and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", endpoint):
        raise InputError(f"{text!r}: the name after '@' must be letters, digits and '_', found {endpoint!r}")
    if kind == "rubric":
        if slash:
            raise InputError(f"{text!r}: the rubric takes nothing after its name; use 'rubric'")
    elif not rest and kind in _FORMS:
        raise InputError(f"{text!r}: nothing follows {kind + '/'!r}; use {_FORMS[kind]}")
    if kind == "control" and rest not in BIASES:
        raise InputError(f"{text!r}: there is no such known-bias judge; use control/ with {', '.join(BIASES)}")
    if role not in _ROLES.get(kind, ("judge",)):
        able = ", ".join(_ROLES[kind])
        raise InputError(f"{text!r} cannot be a {role} in this version (a {kind} spec can be: {able})")
    return Spec(text=text, kind=kind, rest=rest, endpoint=endpoint or None, folder=folder)
