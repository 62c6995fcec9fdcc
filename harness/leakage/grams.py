"""Character n-grams and their MinHash signatures, for many texts at once.

The signatures are datasketch's (its affine32 scheme, its permutations), worked out for a block of texts in numpy:
the library signs one text at a time, ten times slower. The tests hold both against each other. Of every
value one byte is kept: equal values stay equal, so no candidate is lost, and candidates are verified exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

N = 4
"""Characters in an n-gram."""
PERMUTATIONS = 128
SEED = 1
LONGEST = 32_768
"""Characters of a normal form that are compared for nearness; the rest of a longer one is left out."""

Hashes = NDArray[np.uint32]
Signatures = NDArray[np.uint8]

# A block's arrays fit the processor's second-level cache; larger blocks were slower.
_BLOCK = 80_000
_WEIGHTS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], dtype=np.uint64)
_HALF = np.uint64(32)


def padded(text: str) -> str:
    """A normal form as it is cut into n-grams: with a space before and after it, so that words have edges."""
    return f" {text[:LONGEST]} ".ljust(N)


def grams(text: str) -> frozenset[str]:
    """The n-grams of a normal form."""
    whole = padded(text)
    return frozenset(whole[start : start + N] for start in range(len(whole) - N + 1))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared n-grams of all n-grams; neither set may be empty."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)


def permutations() -> Hashes:
    """The permutations of a new index: multipliers and summands, two rows."""
    from datasketch import MinHash  # type: ignore[import-untyped]

    return np.asarray(MinHash(num_perm=PERMUTATIONS, seed=SEED, scheme="affine32").permutations, dtype=np.uint32)


def signatures(texts: Sequence[str], permuted: Hashes) -> Signatures:
    """One row of bytes a text, one column a permutation. Texts are normal forms."""
    blocks = [_fold(minima(*hashes(block), permuted)) for block in _blocks(texts)]
    return np.concatenate(blocks) if blocks else np.empty((0, permuted.shape[1]), np.uint8)


def _blocks(texts: Sequence[str]) -> Iterator[list[str]]:
    block: list[str] = []
    room = _BLOCK
    for text in map(padded, texts):
        if block and len(text) > room:
            yield block
            block, room = [], _BLOCK
        block.append(text)
        room -= len(text)
    if block:
        yield block


def hashes(whole: Sequence[str]) -> tuple[Hashes, NDArray[np.intp]]:
    """The distinct n-gram hashes of padded texts, text after text, and where each text's begin."""
    lengths = np.array([len(text) for text in whole])
    codes = np.frombuffer("".join(whole).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    last = len(codes) - N + 1
    hashed = sum((codes[at : last + at] * weight for at, weight in enumerate(_WEIGHTS)), np.zeros(last, np.uint64))
    hashed ^= hashed >> _HALF
    hashed *= _WEIGHTS[0]
    within = np.ones(len(codes), dtype=bool)
    for back in range(1, N):
        within[np.cumsum(lengths) - back] = False
    row = np.repeat(np.arange(len(whole), dtype=np.uint64) << _HALF, lengths)
    keys = np.sort((row[:last] | (hashed >> _HALF))[within[:last]])
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
    starts = np.searchsorted(keys, np.arange(len(whole), dtype=np.uint64) << _HALF)
    return keys.astype(np.uint32), starts


def minima(hashed: Hashes, starts: NDArray[np.intp], permuted: Hashes) -> Hashes:
    """datasketch's affine32 MinHash values of each text: one row a text, one column a permutation."""
    mixed = _mix(hashed)
    moved = np.empty_like(mixed)
    found = np.empty((permuted.shape[1], len(starts)), dtype=np.uint32)
    for place, (factor, summand) in enumerate(permuted.T):
        np.multiply(mixed, factor, out=moved)
        np.add(moved, summand, out=moved)
        np.minimum.reduceat(moved, starts, out=found[place])
    return found.T


def _mix(hashed: Hashes) -> Hashes:
    """MurmurHash3's 32-bit finalizer, which the scheme applies before it permutes."""
    mixed = hashed ^ (hashed >> np.uint32(16))
    mixed *= np.uint32(0x85EBCA6B)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(16)
    return mixed


def _fold(values: Hashes) -> Signatures:
    """One byte of every value that depends on all its bits."""
    return ((values * np.uint32(0x9E3779B1)) >> np.uint32(24)).astype(np.uint8)
