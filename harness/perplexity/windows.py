"""Which tokens of a long text are read together: strided windows in which every counted token is foretold once. Pure.

Window k begins at token k · stride and holds up to `max_length` tokens; of it count the tokens that no window before it
held. So every token but the first of a text is foretold exactly once, from all the tokens before it in its window: at
least max_length − stride of them, where so many are there, and at most max_length − 1. This is the sliding window that
the transformers documentation describes ("Perplexity of fixed-length models").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Tokens that are read together, and the places among them (1 or more) whose foretelling counts."""

    ids: Sequence[int]
    counted: Sequence[int]


def windows(ids: Sequence[int], counted: Sequence[int], *, max_length: int, stride: int) -> list[Window]:
    """The windows of a text's tokens that hold something to count.

    `counted` are the places in `ids` that count, rising; place 0 has nothing before it. Raises ValueError where the
    first token is to be counted, or the stride is not from 1 to max_length − 1 (else a window's first token would be
    foretold by none).
    """
    if not 1 <= stride < max_length:
        raise ValueError(f"the stride has to be from 1 to max_length - 1, found {stride} with max_length {max_length}")
    if counted and counted[0] < 1:
        raise ValueError("the first token of a text has nothing before it")
    found: list[Window] = []
    begin, place = 0, 0
    while place < len(counted):
        end = min(begin + max_length, len(ids))
        until = place
        while until < len(counted) and counted[until] < end:
            until += 1
        if until > place:
            kept = ids[begin : counted[until - 1] + 1]
            found.append(Window(ids=kept, counted=[one - begin for one in counted[place:until]]))
        place, begin = until, begin + stride
    return found
