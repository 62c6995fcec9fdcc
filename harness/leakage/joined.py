"""Several indexes of training examples as one: what a model saw over all the trainings that led to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError
from harness.leakage.index import TrainingIndex

_ROWS = ("digest", "signature", "text", "size", "source", "line")


def join(indexes: Iterable[TrainingIndex]) -> TrainingIndex:
    """The index of all their examples: the same as one built over them in this order, down to its SHA-256.

    Examples are counted wherever they stand; a text that stands in several indexes keeps its first place. Raises
    InputError where the indexes were made with different permutations.
    """
    parts = list(indexes) or [TrainingIndex.build(())]
    for part in parts[1:]:
        _same_permutations(parts[0], part)
    files = {name: place for place, name in enumerate(dict.fromkeys(name for part in parts for name in part.files))}
    held: set[bytes] = set()
    rows = [_rows(part, _fresh(part, held), files) for part in parts]
    joined = {name: np.concatenate([own[name] for own in rows]) for name in _ROWS}
    return TrainingIndex(
        files=tuple(files),
        examples=sum(part.examples for part in parts),
        permutations=parts[0].permutations,
        end=np.cumsum(joined.pop("size"), dtype=np.uint64),
        **joined,
    )


def _same_permutations(first: TrainingIndex, other: TrainingIndex) -> None:
    if not np.array_equal(first.permutations, other.permutations):
        named = [", ".join(index.files[:3]) or "no file" for index in (first, other)]
        raise InputError(
            f"the indexes of {named[0]} and of {named[1]} were made with different permutations and cannot be joined; "
            "build them again from the training files"
        )


def _fresh(index: TrainingIndex, held: set[bytes]) -> NDArray[np.bool_]:
    """Which rows hold a text that is not `held` yet; afterwards it is."""
    digests = [row.tobytes() for row in index.digest]
    fresh = np.array([digest not in held for digest in digests], dtype=bool)
    held.update(digests)
    return fresh


def _rows(index: TrainingIndex, kept: NDArray[np.bool_], files: Mapping[str, int]) -> dict[str, Any]:
    """The kept rows of an index, their files numbered as in `files`, with the sizes of their texts."""
    ends = np.concatenate([np.zeros(1, np.int64), index.end.astype(np.int64)])
    sizes = ends[1:] - ends[:-1]
    places = np.array([files[name] for name in index.files], dtype=np.uint32)
    return {
        "digest": index.digest[kept],
        "signature": index.signature[kept],
        "text": index.text[np.repeat(kept, sizes)],
        "size": sizes[kept],
        "source": places[index.source[kept]],
        "line": index.line[kept],
    }
