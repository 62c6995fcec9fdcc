"""What runs asked and held answers against, in a form that can be compared: checks, references, templates, samplings.

Reads runs' jobs; opens no file but a judge's template.
"""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.contrast.measured import Yardstick
from harness.errors import InputError, Problem
from harness.judging import template_of
from harness.models.spec import Spec
from harness.report.numerals import listed, one_line
from judges.types import Prompt, Sampling

# What the judges of a kind are shown beside the answers: models the references, the rubric the checks.
BOTH: frozenset[Yardstick] = frozenset({"checks", "references"})
MODELS: frozenset[Yardstick] = frozenset({"references"})
SHOWN: Mapping[str, frozenset[Yardstick]] = {
    "anthropic": MODELS,
    "control": frozenset(),
    "hf": MODELS,
    "openai": MODELS,
    "reward": frozenset(),
    "rubric": frozenset({"checks"}),
}


def chosen(path: Path, judges: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """The judges that a side is read from: those `wanted`, else all. Raises InputError where one is not there."""
    for name in wanted:
        if name not in judges:
            there = listed([one_line(judge) for judge in judges], 4) or "none"
            raise InputError([Problem(path=str(path), what=f"has no judge {name!r}; it has {there}")])
    return tuple(dict.fromkeys(wanted)) or tuple(judges)


def about_baseline(note: str) -> bool:
    """Whether a run's note says something of its baseline, which a comparison of candidates does not look at."""
    return note.startswith(("baseline", "candidate and baseline", "scores_baseline"))


def checks_of(prompt: Prompt) -> tuple[str, ...]:
    """A prompt's checks as canonical JSON; their order and their readable names count for nothing."""
    own = ({key: value for key, value in check.items() if key != "name"} for check in prompt.checks)
    return tuple(sorted(json.dumps(check, sort_keys=True, ensure_ascii=False) for check in own))


def references_of(prompts: Iterable[Prompt], judges: Iterable[Spec], *, kind: str) -> dict[str, tuple[str, ...]]:
    """Every prompt's references, and what else of it the judges' templates show, for suites of a kind."""
    named = _fields(judges, kind)
    return {prompt.id: (*prompt.reference, *_further(prompt, named)) for prompt in prompts}


def _fields(judges: Iterable[Spec], kind: str) -> frozenset[str]:
    """What the judges' templates name; a template that is gone shows in its hash."""
    found: set[str] = set()
    for spec in judges:
        with contextlib.suppress(InputError, ValueError):
            made = template_of(spec, kind=kind)
            found |= made.fields if made is not None else set()
    return frozenset(found)


def _further(prompt: Prompt, named: frozenset[str]) -> Iterator[str]:
    """The further keys of a prompt that a judge is shown, as canonical JSON."""
    for key in sorted(prompt.extra.keys() & named):
        yield json.dumps([key, prompt.extra[key]], sort_keys=True, ensure_ascii=False)


def read_by(judges: Iterable[Spec], counting: Iterable[str]) -> frozenset[Yardstick]:
    """What the judges that count hold answers against. What was judged elsewhere may have been shown everything."""
    kinds = {spec.text: spec.kind for spec in judges}
    return frozenset[Yardstick]().union(*(SHOWN.get(kinds.get(judge, ""), BOTH) for judge in counting))


def templates_of(judges: Iterable[Spec], fingerprints: Mapping[str, Any]) -> dict[str, str]:
    """The hashes of the template and of the weights behind every judge that was asked, those it has, joined by "+"."""
    found = {}
    for spec in judges:
        known = [str(fingerprints[key]) for key in (f"template of {spec.text}", spec.text) if key in fingerprints]
        if known and spec.kind != "recorded":
            found[spec.text] = "+".join(known)
    return found


def shown(sampling: Sampling) -> str:
    """A sampling in words."""
    return ", ".join(f"{name} {value:.12g}" for name, value in sampling.given().items())


def samples_shown(repeats: Mapping[str, int]) -> str:
    """How many samples a prompt has, or from how many to how many."""
    counts = sorted(set(repeats.values()))
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def slices_of(pairs: Iterable[tuple[str, Iterable[str | None]]]) -> dict[str, tuple[str, ...]]:
    """Slices by name with the prompts in them, from every prompt's slices."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, slices in pairs:
        for one in dict.fromkeys(slices):
            if one is not None:
                found[one].append(name)
    return {one: tuple(found[one]) for one in sorted(found)}
