"""Standings for a terminal: who is best and how sure that is, the table, who cannot be told apart, what to doubt.

Eighty columns, any name. It refuses a bare figure: n, interval and counts stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, chop_cells, set_cell_size

from harness.rank.standings import Standings
from harness.report.columns import WIDTH, listing, wrap
from harness.report.numerals import DASH, in_percent, listed, one_line, percent, plural

_HEADS = ("strength", "95 %", "win rate", "W–L–T", "leads")


def render(found: Standings, *, width: int = WIDTH) -> str:
    """The standings as lines of at most `width` columns (a word longer than that is broken)."""
    blocks = [
        wrap(_title(found), width),
        wrap(headline(found), width),
        _table(found, width),
        listing("neighbours", neighbours(found), width),
        listing("how to read it", _reading(found), width),
        listing("what to know", found.notes, width),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _title(found: Standings) -> str:
    field = found.field
    judges = listed(field.counting, 3) or "no judge that counts"
    by = f"the majority of {len(field.counting)} judges: {judges}" if len(field.counting) > 1 else judges
    return f"{field.suite}: {len(field.contestants)} contestants on {plural(len(field.prompts), 'prompt')}, by {by}"


def headline(found: Standings) -> str:
    """Who is best, or who cannot be told from the one that leads; with n, interval and counts."""
    if not found.ranking.places:
        return f"No ranking: {found.ranking.reason}."
    first, *others = found.order
    name = found.field.contestants[first].name
    if found.ranking.apart is None:
        return f"{name} leads over {plural(found.ranking.n, 'prompt')}; one prompt gives no interval."
    close = [found.field.contestants[i].name for i in others if not found.apart(first, i)]
    tally = found.tallies[first]
    rate = tally.rate if tally.rate is not None else 0.5
    figures = (
        f"{percent(rate, tally.n)} against the field over {plural(len(found.field.prompts), 'prompt')}, "
        f"{tally.wins} won, {tally.losses} lost, {tally.ties} tied"
    )
    if not close:
        return f"{name} is the best of {len(found.order)}: {figures}."
    return f"No best of {len(found.order)}: {name} leads ({figures}), but cannot be told from {listed(close, 4)}."


def _table(found: Standings, width: int) -> str:
    names = [one_line(found.field.contestants[i].name) for i in found.order]
    rows = [_row(found, i) for i in found.order]
    sizes = [max(map(cell_len, column)) for column in zip(_HEADS, *rows, strict=True)]
    ranks = [_rank(found, i) for i in found.order]
    lead = max(map(cell_len, ["rank", *ranks]))
    # A name longer than the room that is left stands on a line of its own, above its figures.
    room = min(max(map(cell_len, names)), max(0, width - lead - sum(sizes) - 2 * len(sizes) - 2))
    lines = [_figures(set_cell_size("rank", lead), " " * room, _HEADS, sizes)]
    for rank, name, row in zip(ranks, names, rows, strict=True):
        rank = set_cell_size(rank, lead)
        if cell_len(name) > room:
            pieces = chop_cells(name, width - lead - 2)
            lines += [f"{rank if not at else ' ' * lead}  {piece}" for at, piece in enumerate(pieces)]
            rank, name = " " * lead, ""
        lines.append(_figures(rank, set_cell_size(name, room), row, sizes))
    return "\n".join(lines)


def _figures(rank: str, name: str, row: Sequence[str], sizes: Sequence[int]) -> str:
    cells = [" " * (size - cell_len(text)) + text for text, size in zip(row, sizes, strict=True)]
    return "  ".join([rank, name, *cells]).rstrip()


def _rank(found: Standings, i: int) -> str:
    place = found.place(i)
    if place is None:
        return DASH
    if place.rank_ci is None:
        return f"{place.rank}"
    low, high = place.rank_ci
    return f"{place.rank}" if low == high else f"{place.rank} ({low}–{high})"


def _row(found: Standings, i: int) -> tuple[str, ...]:
    place, tally = found.place(i), found.tallies[i]
    return (
        _signed(place.strength) if place else DASH,
        f"{_signed(place.ci[0])} to {_signed(place.ci[1])}" if place and place.ci else DASH,
        percent(tally.rate, tally.n) if tally.rate is not None else DASH,
        f"{tally.wins}–{tally.losses}–{tally.ties}",
        _share(place.best) if place and place.best is not None else DASH,
    )


def _share(best: float) -> str:
    """A share of resamples; none or all of them is no certainty."""
    if best < 0.001 or best > 0.999:
        return "< 0.1 %" if best < 0.5 else "> 99.9 %"
    return percent(best, 100)


def _signed(value: float) -> str:
    text = f"{abs(value):.2f}"
    return text if text == "0.00" else f"{'+' if value > 0 else '−'}{text}"


def neighbours(found: Standings) -> Iterator[str]:
    """Of every two that follow each other, whether they can be told apart, with their own outcomes."""
    if found.ranking.apart is None:
        return
    for a, b in zip(found.order, found.order[1:], strict=False):
        names = [found.field.contestants[i].name for i in (a, b)]
        if found.apart(a, b):
            yield f"{names[0]} is stronger than {names[1]}{_between(found, a, b)}"
        else:
            yield f"{names[0]} and {names[1]} cannot be told apart{_between(found, a, b)}"


def _between(found: Standings, a: int, b: int) -> str:
    for meeting, tally in zip(found.field.meetings, found.pairs, strict=True):
        if {meeting.a, meeting.b} == {a, b} and tally.n:
            won, lost = (tally.wins, tally.losses) if meeting.a == a else (tally.losses, tally.wins)
            return f" ({won} won, {lost} lost, {tally.ties} tied between them)"
    return " (never compared with each other)"


def _reading(found: Standings) -> Iterator[str]:
    if not found.ranking.places:
        return
    even = 1 / (1 + 2.718281828**-1)
    yield (
        f"strength: log-odds of winning, mean 0 (Bradley–Terry; 1 more is {in_percent(even, 100)} % of decisive "
        "comparisons); its interval is by bootstrap over prompts"
    )
    if any(tally.n and abs(tally.points - tally.wins - tally.ties / 2) > 1e-9 for tally in found.tallies):
        yield (
            "win rate: the mean prompt score, which is not wins and half the ties where the verdicts on one prompt "
            "differ"
        )
    if found.ranking.apart is not None:
        yield (
            "rank: in brackets the ranks that 95 % leave open, allowing for all pairs at once; leads: share of "
            "resamples in which it is the strongest, which alone is no test"
        )
    if found.ranking.ties:
        share = found.ranking.ties / (2 + found.ranking.ties)
        yield f"two of equal strength would tie on {in_percent(share, 100)} % of prompts (Davidson)"
