"""A comparison of two sides for a terminal: the finding, the figures, slices and judges, notes and doubts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.contrast import losswords, words
from harness.contrast.foretold import LossContrast
from harness.contrast.grades import by_whom
from harness.contrast.results import Contrast, Level, Part
from harness.contrast.sides import Side
from harness.report.columns import WIDTH, listing, note, table, wrap
from harness.report.numerals import DASH, decimals, p_value


def render(found: Sequence[Contrast | LossContrast], *, width: int = WIDTH) -> str:
    """One comparison, or a family of them with one side, as lines of at most `width` columns."""
    if len(found) == 1:
        return _one(found[0], width)
    each = [f"— {place} of {len(found)} —\n\n{_one(one, width)}" for place, one in enumerate(found, 1)]
    clusters = any(isinstance(one, Contrast) and one.clusters is not None for one in found)
    counted = ", clusters counted," if clusters else ""
    first = f"{len(found)} comparisons with A, declared together; p-values after Holm{counted} decide"
    return "\n".join([wrap(first, width), "", *each])


def _one(found: Contrast | LossContrast, width: int) -> str:
    names = [_name(name, side, width) for name, side in (("A", found.pair.side_a), ("B", found.pair.side_b))]
    if isinstance(found, LossContrast):
        return losswords.render(found, names, width)
    blocks = [
        "\n".join(names),
        wrap(words.headline(found), width),
        _levels(found, width),
        _parts("by slice", found, found.slices, "adjusted after Benjamini and Hochberg over the slices", width),
        _parts("by judge", found, found.judges, _judges(found), width),
        listing("what else was measured", words.details(found), width),
        listing("what to know", found.pair.notes, width),
        listing("what to doubt", words.doubts(found), width),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _name(name: str, side: Side, width: int) -> str:
    candidate = side.facts.candidate
    who = f" ({candidate.spec})" if candidate is not None else ""
    return wrap(f"{name}: {side.path}{who}", width, rest="   ")


def _levels(found: Contrast, width: int) -> str:
    rows = [(name, _level(found, level)) for name, level in (("A", found.a), ("B", found.b))]
    heads = ["accuracy", "95 %", "macro F1", "MCC", "n"] if found.pair.kind == "predictions" else ["mean", "95 %", "n"]
    return "\n".join(table("", heads, rows, width))


def _level(found: Contrast, level: Level) -> list[str]:
    more = [decimals(value, 3) if value is not None else DASH for value in (level.macro_f1, level.mcc)]
    own = more if found.pair.kind == "predictions" else []
    ends = words.ends(found, level.ci, level.n)
    return [words.level(found, level.mean, level.n), ends, *own, f"{level.n:,}"]


def _parts(title: str, found: Contrast, parts: Mapping[str, Part], said: str, width: int) -> str:
    if not parts:
        return ""
    rows = [
        (
            name,
            [
                words.level(found, part.a, part.n),
                words.level(found, part.b, part.n),
                words.signed(found, part.difference.mean),
                words.interval(found, part.difference.ci),
                _p(part.p_value),
                _p(part.p_adjusted),
                f"{part.n:,}",
            ],
        )
        for name, part in parts.items()
    ]
    lines = table(title, ["A", "B", "B − A", "95 %", "p", "adjusted", "n"], rows, width)
    if found.clusters is not None:
        said = f"{said}; interval and p count clusters"
    return "\n".join([*lines, note(said, width)])


def _judges(found: Contrast) -> str:
    whose = by_whom(found.pair.side_b)
    above = f"; the figures above are {whose}" if whose is not None else ""
    return f"adjusted after Holm over the judges{above}"


def _p(p: float | None) -> str:
    return DASH if p is None else p_value(p).removeprefix("= ")
