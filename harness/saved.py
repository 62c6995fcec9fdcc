"""Saved outputs as a suite: two response files, and the prompts they answer, without a suite file.

The prompts come from a file of their own, or from the keys that the response lines carry beside the contract's
(`prompt` or `turns`, `system`, `category`, `cluster`, `reference`, `checks`). Refuses lines that contradict each
other, and responses whose prompt nobody knows, where a judge reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness import suite as suites
from harness.errors import InputError, Problem
from harness.models.recorded import Role, of_role
from harness.models.spec import Spec, parse
from harness.records import PromptRecord, read_lines
from harness.suite import Suite, check_prompt, load_prompts, suite_of, to_prompt
from harness.yamlfile import describe
from judges.types import Prompt

OWN = ("prompt", "turns", "system", "category", "cluster", "reference", "checks")
# Judges that look at no prompt: for them it need not be known.
BLIND = ("control", "recorded")


def saved(candidate: str, baseline: str, judges: Sequence[str], *, prompts: Path | None) -> Suite:
    """The suite of two recorded files. `prompts` is a prompts file or a suite. Raises InputError with every problem."""
    sides: dict[Role, Spec] = {
        "candidate": _recorded(candidate, "candidate"),
        "baseline": _recorded(baseline, "baseline"),
    }
    needed = any(parse(text, role="judge").kind not in BLIND for text in judges)
    if prompts is not None:
        found = _from_file(prompts)
    else:
        found = _from_responses({role: spec.path for role, spec in sides.items()}, needed=needed)
    return suite_of({"name": "saved"}, found, folder=Path())


def _recorded(text: str, role: Role) -> Spec:
    spec = parse(text, role=role)
    if spec.kind != "recorded":
        raise InputError(f"{text!r} is no file of saved outputs; give recorded/FILE, or let `harness run` ask it")
    return spec


def _from_file(path: Path) -> Sequence[Prompt]:
    if path.suffix in (".yaml", ".yml") or not path.exists():
        return suites.load(suites.locate(str(path))).prompts
    found, problems = load_prompts(path)
    if problems:
        raise InputError(problems)
    return found


def _from_responses(paths: Mapping[Role, Path], *, needed: bool) -> list[Prompt]:
    """Every prompt that a line of either file answers, in the order of the candidate's lines."""
    told: dict[str, dict[str, Any]] = {}
    turns: dict[str, int] = {}
    problems: list[Problem] = []
    lines: dict[str, tuple[Path, int]] = {}
    for role, path in paths.items():
        at = _lines(path)
        for record in of_role(path, role):
            lines.setdefault(record.id, (path, at.get(record.id, 1)))
            own = {key: value for key, value in (record.model_extra or {}).items() if key in OWN}
            known = told.setdefault(record.id, {})
            turns[record.id] = max(turns.get(record.id, 1), len(record.texts() or ()))
            for key, value in own.items():
                if known.setdefault(key, value) != value:
                    what = f"prompt {record.id!r}: {key!r} is not what another line says of it; found {value!r:.60}"
                    problems.append(Problem(path=str(path), line=at.get(record.id), what=f"{what}; make them the same"))
    lacking = [prompt for prompt, known in told.items() if not {"prompt", "turns"} & known.keys()]
    if needed and lacking:
        what = (
            f"{len(lacking)} of {len(told)} responses do not say what they answer (first: {lacking[0]!r}), and a judge "
            "must know; add 'prompt' to the lines, or give --prompts FILE"
        )
        raise InputError([*problems, Problem(path=str(paths["candidate"]), what=what)])
    found = [_prompt(name, told[name], turns[name], lines[name], problems) for name in told]
    if problems:
        raise InputError(problems)
    return [prompt for prompt in found if prompt is not None]


def _lines(path: Path) -> dict[str, int]:
    """Where each id first stands in a file."""
    found: dict[str, int] = {}
    for line, value in read_lines(path):
        if isinstance(value, dict):
            found.setdefault(str(value.get("id")), line)
    return found


def _prompt(
    name: str, known: Mapping[str, Any], turns: int, place: tuple[Path, int], problems: list[Problem]
) -> Prompt | None:
    """One prompt; what is wrong with it is added to `problems`."""
    if not {"prompt", "turns"} & known.keys():
        # Nobody reads it (see `_from_responses`), but it must have as many turns as its answers.
        return Prompt(id=name, turns=("(not known)",) * turns, category=known.get("category"))
    try:
        record = PromptRecord.model_validate({"id": name, **known})
    except ValidationError as error:
        said = [describe(dict(item)) for item in error.errors()]
        problems += [Problem(path=str(place[0]), line=place[1], what=f"prompt {name!r}: {what}") for what in said]
        return None
    problems += [
        Problem(path=str(place[0]), line=place[1], what=f"prompt {name!r}: {what}") for what in check_prompt(record)
    ]
    return to_prompt(record)
