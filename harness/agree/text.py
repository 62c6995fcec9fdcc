"""Agreement for a terminal: judges, pairs, alpha, categories, the truth, what to know and doubt, and what to read.

Eighty columns, any name, any number of judges: many pairs become the extremes, with every judge's mean beside its name.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.agree import cells, words
from harness.agree.measured import Agreement, Contested, Pair
from harness.report.columns import WIDTH, listing, note, table, wrap

# More pairs than these are shown by their extremes, more judges in one cell, more disagreements in the JSON.
PAIRS, EXTREMES, COLUMNS, LISTED = 15, 5, 8, 10


def render(found: Agreement, *, width: int = WIDTH) -> str:
    """The whole of it as lines of at most `width` columns."""
    alpha, fleiss = words.alpha_line(found.whole.alpha), words.fleiss_line(found.whole)
    blocks = [
        "\n".join(wrap(line, width) for line in (found.inputs.title, words.headline(found))),
        _judges(found, width),
        _pairs(found, width),
        "\n".join(wrap(line, width, rest="  ") for line in (alpha, fleiss)),
        _categories(found, width),
        _gold(found, width),
        listing("what to know", words.notes(found), width),
        listing("what to doubt", words.doubts(found), width),
        _contested(found, width),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _judges(found: Agreement, width: int) -> str:
    rows = [
        (f"{place} {name}", cells.judge(name, one, found.whole))
        for place, (name, one) in enumerate(found.judges.items(), 1)
    ]
    return "\n".join([*table("name", cells.JUDGE, rows, width), note(cells.JUDGE_KEY, width)])


def _pairs(found: Agreement, width: int) -> str:
    pairs, said = list(found.whole.pairs), []
    if len(pairs) > PAIRS:
        ranked = sorted((pair for pair in pairs if pair.found.kappa is not None), key=_rank)
        pairs = [*ranked[:EXTREMES], *ranked[EXTREMES:][-EXTREMES:]]
        left = len(found.whole.pairs) - len(pairs)
        said = [
            f"the {EXTREMES} pairs with the lowest kappa and the {EXTREMES} with the highest; {left} more in --json"
        ]
    rows = [(f"{words.short(pair.a, 37)} · {words.short(pair.b, 37)}", cells.pair(pair)) for pair in pairs]
    return "\n".join([*table("pair", cells.PAIR, rows, width), *(note(line, width) for line in said)])


def _rank(pair: Pair) -> tuple[float, str, str]:
    return pair.found.kappa or 0.0, pair.a, pair.b


def _categories(found: Agreement, width: int) -> str:
    if not found.categories:
        return ""
    rows = [(name, cells.category(group)) for name, group in found.categories.items()]
    return "\n".join([*table("category", cells.CATEGORY, rows, width), note(cells.CATEGORY_KEY, width)])


def _gold(found: Agreement, width: int) -> str:
    if found.against is None:
        return ""
    rows = [(name, cells.against(one)) for name, one in found.against.items()]
    lines = table("name", cells.GOLD, rows, width)
    return "\n".join([wrap(f"against {found.gold}", width), *lines, note(cells.GOLD_KEY, width)])


def _contested(found: Agreement, width: int) -> str:
    total = len(found.contested)
    if not total:
        return wrap("No prompt on which two judges disagree.", width)
    shown = found.contested[:LISTED]
    count = f"{len(shown)} of {total:,}; all in --json" if total > LISTED else f"{total}"
    narrow = len(found.judges) <= COLUMNS
    places = [str(place) for place in range(1, len(found.judges) + 1)]
    heads = places if narrow else [f"judges 1 to {len(places)}"]
    rows = [(item.id, _letters(item) if narrow else [_grouped(_letters(item))]) for item in shown]
    said = "W won by the candidate, L lost, T tied, – no verdict; judges by their number above"
    lines = [f"disagreements, most contested first ({count})", *table("prompt", heads, rows, width), note(said, width)]
    return "\n".join(lines)


def _letters(item: Contested) -> list[str]:
    return [words.letter(code) for code in item.outcomes]


def _grouped(letters: Sequence[str], size: int = 5) -> str:
    return " ".join("".join(letters[start : start + size]) for start in range(0, len(letters), size))
