"""`harness compare A B [C …]`: every later input against the first, as text or as the contract's object."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from harness.contrast import losswords, words
from harness.contrast.contrasting import contrast, family
from harness.contrast.foretold import LossContrast, contrast_losses, loss_family
from harness.contrast.results import Contrast
from harness.contrast.sides import Pair, load_side, matched
from harness.errors import InputError, Problem
from harness.report.numerals import listed

T = TypeVar("T")


def compare(
    paths: Sequence[Path], *, allow_mixed: bool, unpaired: bool, as_json: bool, judges: Sequence[str] = ()
) -> int:
    """Print what differs, by these judges alone where some are named.

    Exit code 0; raises InputError with every problem of every input.
    """
    if len(paths) < 2:
        raise InputError(f"a comparison needs two inputs, found {len(paths)}; give the second: harness compare A B")
    first, *others = _all(paths, [partial(load_side, path, judges) for path in paths])
    pairs = _all(
        paths[1:], [partial(matched, first, side, allow_mixed=allow_mixed, unpaired=unpaired) for side in others]
    )
    found = _contrasts(pairs)
    if as_json:
        text = json.dumps(_as_json(found), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    else:
        from harness.contrast.text import render

        text = render(found)
    sys.stdout.write(text)
    sys.stdout.flush()
    _warn(found)
    return 0


def _contrasts(pairs: Sequence[Pair]) -> Sequence[Contrast | LossContrast]:
    alone = len(pairs) == 1
    if pairs[0].kind == "losses":
        return (contrast_losses(pairs[0]),) if alone else loss_family(pairs)
    return (contrast(pairs[0]),) if alone else family(pairs)


def _all(paths: Sequence[Path], steps: Sequence[Callable[[], T]]) -> list[T]:
    """The value of every step, each about one of the paths. Raises one InputError with the problems of all."""
    found: list[T] = []
    problems: list[Problem] = []
    for path, step in zip(paths, steps, strict=True):
        try:
            found.append(step())
        except InputError as error:
            problems += [p if isinstance(p, Problem) else Problem(path=str(path), what=p) for p in error.problems]
    if problems:
        raise InputError(list(dict.fromkeys(problems)))
    return found


def _as_json(found: Sequence[Contrast | LossContrast]) -> dict[str, Any]:
    objects = [
        one.as_json(losswords.doubts(one) if isinstance(one, LossContrast) else words.doubts(one)) for one in found
    ]
    return objects[0] if len(objects) == 1 else {"family": objects}


def _warn(found: Sequence[Contrast | LossContrast]) -> None:
    """Say on stderr, too, what was let pass or is not whole: figures are often piped away."""
    mixed = [str(one.pair.side_b.path) for one in found if one.pair.mixed]
    if mixed:
        print(f"mixed (--allow-mixed): {listed(mixed)} was measured in another way; see the notes", file=sys.stderr)
    open_ends = dict.fromkeys(
        str(side.path) for one in found for side in (one.pair.side_a, one.pair.side_b) if not side.facts.complete
    )
    if open_ends:
        print(f"incomplete: {listed([*open_ends])}; figures rest on what is there", file=sys.stderr)
