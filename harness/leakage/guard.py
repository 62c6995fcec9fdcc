"""What a run's prompts share with the training data of the checkpoints it compares, as far as these are known.

Every checkpoint made here carries an index of its training examples beside its weights. A checkpoint from elsewhere has
none, and that is said; of models behind an API and of recorded files nothing is claimed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import checkpoint
from harness.errors import InputError, Problem
from harness.leakage.index import FILE, TrainingIndex
from harness.leakage.matches import find
from judges.types import Prompt

ROLES = ("candidate", "baseline")
# A contestant's base, and the adapter on it where there is one.
Weights = tuple[Path, Path | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """The prompts that were found in training data, of how many, and what they were compared with.

    `checked` maps each contestant to the number of examples that are known of its training, None where none are, and
    `seen` to the prompts that stand among them; `examples` counts those of both, an index that they share once.
    `unknown` names what holds no index.
    """

    exact: tuple[str, ...]
    near: tuple[str, ...]
    prompts: int
    checked: Mapping[str, int | None]
    seen: Mapping[str, tuple[str, ...]]
    examples: int
    unknown: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """All leaked prompts, the exact ones first."""
        return (*self.exact, *self.near)

    def as_json(self) -> dict[str, Any]:
        """The finding as a run's manifest keeps it."""
        return {
            "exact": list(self.exact),
            "near": list(self.near),
            "prompts": self.prompts,
            "checked": dict(self.checked),
            "seen": {role: list(ids) for role, ids in self.seen.items()},
            "examples": self.examples,
            "unknown": list(self.unknown),
        }


def compare(weights: Mapping[str, Weights], prompts: Sequence[Prompt]) -> tuple[Finding | None, list[str]]:
    """What the contestants' indexes say of these prompts, None where there is no index; and what is to be noted.

    `weights` holds the folders of the local contestants by role. Raises InputError where an index is damaged, or is not
    the one that the checkpoint was written with.
    """
    indexes: dict[str, TrainingIndex] = {}
    held: dict[str, list[str]] = {role: [] for role in ROLES}
    unknown = []
    for role, name, folder in _parts(weights):
        sha256 = _index_sha256(folder)
        if sha256 is None:
            unknown.append(name)
            continue
        held[role].append(sha256)
        made = checkpoint.find(folder)
        if made is not None and made.data.unindexed:
            unknown.append(f"what {name} was made from")
        if sha256 not in indexes:
            indexes[sha256] = TrainingIndex.load(folder / FILE)
    notes = [_unknown(unknown)] if unknown else []
    return (_finding(indexes, held, prompts, unknown) if indexes else None), notes


def _finding(
    indexes: Mapping[str, TrainingIndex],
    held: Mapping[str, Sequence[str]],
    prompts: Sequence[Prompt],
    unknown: Sequence[str],
) -> Finding:
    """What leaked from which index, each compared once; `held` names those of each contestant."""
    found = {sha256: find(index, prompts) for sha256, index in indexes.items()}
    exact = {prompt for leakage in found.values() for prompt in leakage.exact}
    near = {prompt for leakage in found.values() for prompt in leakage.near} - exact
    ids = [prompt.id for prompt in prompts]
    seen = {role: {prompt for sha256 in own for prompt in found[sha256].ids} for role, own in held.items()}
    return Finding(
        exact=tuple(prompt for prompt in ids if prompt in exact),
        near=tuple(prompt for prompt in ids if prompt in near),
        prompts=len(prompts),
        checked={
            role: sum(indexes[sha256].examples for sha256 in set(own)) if own else None for role, own in held.items()
        },
        seen={role: tuple(prompt for prompt in ids if prompt in own) for role, own in seen.items()},
        examples=sum(index.examples for index in indexes.values()),
        unknown=tuple(unknown),
    )


def from_json(value: Any) -> Finding | None:
    """The finding that a manifest holds, None where it holds none. Raises InputError where it is not whole."""
    if value is None:
        return None
    try:
        return Finding(
            exact=tuple(map(str, value["exact"])),
            near=tuple(map(str, value["near"])),
            prompts=int(value["prompts"]),
            checked=dict(value["checked"]),
            seen={role: tuple(map(str, ids)) for role, ids in value["seen"].items()},
            examples=int(value["examples"]),
            unknown=tuple(map(str, value["unknown"])),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the run's manifest.json holds no whole 'leakage' ({error}); take the key out or run again"
        ) from None


def _parts(weights: Mapping[str, Weights]) -> Iterator[tuple[str, str, Path]]:
    """Role, name for a reader, and folder of everything that was trained."""
    for role, (base, adapter) in weights.items():
        if adapter is None:
            yield role, f"the {role}", base
        else:
            yield role, f"the {role}'s base", base
            yield role, f"the {role}'s adapter", adapter


def _index_sha256(folder: Path) -> str | None:
    """SHA-256 of the index in a checkpoint's folder; None where it has none and its manifest knows of none."""
    path, manifest = folder / FILE, checkpoint.find(folder)
    expected = manifest.data.index_sha256 if manifest is not None else None
    if not path.is_file():
        if expected is not None:
            what = "is missing, though the checkpoint's manifest names it; put it back, or train again"
            raise InputError([Problem(path=str(path), what=what)])
        return None
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if expected not in (None, found):
        what = (
            f"is not the index that training wrote (SHA-256 {found[:12]}, the manifest says {str(expected)[:12]}), so "
            "leakage cannot be told; put it back, or train again"
        )
        raise InputError([Problem(path=str(path), what=what)])
    return found


def _unknown(names: Sequence[str]) -> str:
    *most, last = names
    listed = f"{', '.join(most)} and {last}" if most else last
    return (
        f"the training data of {listed} are unknown (no {FILE}), so leakage from there cannot be ruled out; "
        "`harness leakage --train FILE` compares the files you have"
    )
