"""Which prompts of a suite a model saw while it was trained: exactly, or nearly.

Exact: a turn of the prompt, or all its turns together, has the normal form of a training text. Near: the two share
enough n-grams (see `nearest`). A later turn that is too short to mean something by itself ("and why?") counts only
together with the turns before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.leakage.forms import normal
from harness.leakage.index import TrainingIndex, digest_of
from harness.leakage.nearest import nearest
from judges.types import Prompt

SHORTEST_LATER_TURN = 32
"""Characters (of the normal form) from which on a later turn of a prompt is compared for itself."""

Kind = Literal["exact", "near"]
Forms = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """A leaked prompt and the training text it is most like: where that stands, its normal form, and how similar."""

    id: str
    kind: Kind
    similarity: float
    file: str
    line: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Leakage:
    """The leaked prompts, each once, the exact ones first, otherwise in the order they were given in."""

    matches: tuple[Match, ...]

    @property
    def exact(self) -> tuple[str, ...]:
        """Ids of the prompts that stand in the training data."""
        return tuple(match.id for match in self.matches if match.kind == "exact")

    @property
    def near(self) -> tuple[str, ...]:
        """Ids of the prompts that nearly do."""
        return tuple(match.id for match in self.matches if match.kind == "near")

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all leaked prompts."""
        return tuple(match.id for match in self.matches)

    def as_json(self) -> dict[str, Any]:
        """`{"exact": count, "near": count, "ids": […]}`, without paths."""
        return {"exact": len(self.exact), "near": len(self.near), "ids": list(self.ids)}


def find(indexes: TrainingIndex | Iterable[TrainingIndex], prompts: Sequence[Prompt]) -> Leakage:
    """Compare every prompt with every index. Of several matches the most similar is named, of equals the first."""
    best: dict[str, Match] = {}
    forms = {prompt.id: tuple(_forms(prompt)) for prompt in prompts}
    for index in [indexes] if isinstance(indexes, TrainingIndex) else indexes:
        for match in (*_exact(index, forms), *_near(index, forms)):
            if match.id not in best or _rank(match) < _rank(best[match.id]):
                best[match.id] = match
    found = [best[prompt.id] for prompt in prompts if prompt.id in best]
    return Leakage(matches=tuple(sorted(found, key=lambda match: match.kind == "near")))


def _rank(match: Match) -> tuple[bool, float]:
    return match.kind == "near", -match.similarity


def _forms(prompt: Prompt) -> Iterator[str]:
    first, *later = [normal(turn) for turn in prompt.turns]
    yield first
    yield from (turn for turn in later if len(turn) >= SHORTEST_LATER_TURN)
    if later:
        yield " ".join([first, *later])


def _exact(index: TrainingIndex, forms: Forms) -> Iterator[Match]:
    digests = {form: digest_of(form) for held in forms.values() for form in held}
    heads = np.frombuffer(b"".join(digest[:8] for digest in digests.values()), np.uint64)
    likely = np.flatnonzero(np.isin(np.ascontiguousarray(index.digest[:, :8]).view(np.uint64).ravel(), heads))
    rows = {index.digest[row].tobytes(): int(row) for row in likely}
    for prompt, held in forms.items():
        equal = [rows[digests[form]] for form in held if digests[form] in rows]
        if equal:
            yield _match(index, equal[0], prompt, "exact", 1.0)


def _near(index: TrainingIndex, forms: Forms) -> Iterator[Match]:
    asked = list(dict.fromkeys(form for held in forms.values() for form in held))
    found = dict(zip(asked, nearest(index, asked), strict=True))
    for prompt, held in forms.items():
        pairs = [pair for form in held if (pair := found[form]) is not None]
        if pairs:
            best = max(pairs, key=lambda pair: pair.similarity)
            yield _match(index, best.row, prompt, "near", best.similarity)


def _match(index: TrainingIndex, row: int, prompt: str, kind: Kind, similarity: float) -> Match:
    file, line = index.place(row)
    return Match(id=prompt, kind=kind, similarity=similarity, file=file, line=line, text=index.normal_form(row))
