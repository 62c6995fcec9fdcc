"""Reading a judge's reply. The last verdict decides; a last verdict that is off the menu is no verdict.

Always read: a `Winner: A|B|Tie` line (any case, bold or not), `[[A]]`, `[[B]]`, `[[C]]` (C is a tie), and a JSON
object with the key "winner". Thinking blocks are not part of a reply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from judges.types import Criterion, Verdict

_LINE = re.compile(
    r"^[ \t>*_#`\-]*(?:\d{1,3}[.)][ \t*_]*)?winner[ \t*_`]*[:：](?P<value>.*)$", re.IGNORECASE | re.MULTILINE
)
_BRACKETS = re.compile(r"\[\[(?P<value>[^\[\]\n]{0,40})\]\]")
_OBJECT = re.compile(r'\{(?=\s*")')
_DECODER = json.JSONDecoder()
_MENU: dict[str, Verdict] = {"a": "A", "b": "B", "tie": "tie"}
# A reply is untrusted: an unbounded search for objects in "{{{{…" would be quadratic.
_MOST_OBJECTS = 200


def verdict(reply: str) -> Verdict | None:
    """The verdict a reply names last, or None where there is none or the last one is off the menu.

    `reply` is text after thinking blocks were taken out.
    """
    found: list[tuple[int, Verdict | None]] = [
        (match.end(), _MENU.get(_bare(match["value"]))) for match in _LINE.finditer(reply)
    ]
    found += [(match.end(), _bracketed(match["value"])) for match in _BRACKETS.finditer(reply)]
    found += [(end, _named(winner)) for end, value in objects(reply) for winner in _winners(value)]
    return max(found, key=lambda item: item[0])[1] if found else None


def _winners(value: Any, depth: int = 3) -> list[Any]:
    """What an object calls its winner, or an object within it does."""
    if not isinstance(value, dict) or depth == 0:
        return []
    if "winner" in value:
        return [value["winner"]]
    return [winner for inner in value.values() for winner in _winners(inner, depth - 1)]


def _bare(value: str) -> str:
    """'**A**.' and ' Response A ' are A; 'A or B' stays what it is, off the menu."""
    text = value.strip().strip("*_`\"'[]().# \t").casefold()
    return re.sub(r"^(?:response|answer|assistant|option)\s+(?=[ab]$)", "", text)


def _bracketed(value: str) -> Verdict | None:
    text = value.strip().casefold()
    return "tie" if text == "c" else _MENU.get(text)


def _named(value: Any) -> Verdict | None:
    return _MENU.get(_bare(value)) if isinstance(value, str) else None


def objects(reply: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Every outermost JSON object in a reply with the position where it ends. Looks at the last 200 places."""
    starts = [match.start() for match in _OBJECT.finditer(reply)][-_MOST_OBJECTS:]
    reached = 0
    for start in starts:
        if start < reached:
            continue
        try:
            value, end = _DECODER.raw_decode(reply, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            reached = end
            yield end, value


def scores(reply: str, criteria: Sequence[Criterion]) -> dict[str, dict[str, int]] | None:
    """The criteria scores (whole numbers on each one's scale, in each slot) of the last JSON object that holds them.

    None where none holds them whole.
    """
    for _, value in reversed(list(objects(reply))):
        given = value.get("scores")
        if isinstance(given, dict) and all(_whole(given.get(slot), criteria) for slot in ("A", "B")):
            return {slot: {each.name: given[slot][each.name] for each in criteria} for slot in ("A", "B")}
    return None


def _whole(given: Any, criteria: Sequence[Criterion]) -> bool:
    return isinstance(given, dict) and all(_on_scale(given.get(each.name), each) for each in criteria)


def _on_scale(value: Any, criterion: Criterion) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and criterion.low <= value <= criterion.high
