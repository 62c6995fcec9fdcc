"""Reading a judge's reply. The last verdict decides; a last verdict that is off the menu is no verdict.

Always read: a `Winner: A|B|Tie` line (any case, bold or not), `[[A]]`, `[[B]]`, `[[C]]` (C is a tie), and a JSON
object with the key "winner". Thinking blocks are not part of a reply.

Ratings are read alike: `Rating: 7` (any case, bold or not), `[[7]]`, and a JSON object with the key "rating". They run
from 1 to 10; decimals with a point are on the scale (7.5), "7/10" and "7 out of 10" are 7. Off the scale, and so no
rating: 0, 11, 11/10, -3, NaN, a range (7-8, "7 or 8"), a number in words, and one with another number behind it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from judges.types import Criterion, Verdict

_LINE = re.compile(
    r"^[ \t>*_#`\-]*(?:\d{1,3}[.)][ \t*_]*)?winner[ \t*_`]*[:：](?P<value>.*)$", re.IGNORECASE | re.MULTILINE
)
_BRACKETS = re.compile(r"\[\[(?P<value>[^\[\]\n]{0,40})\]\]")
# Within a line a label in quotation marks is somebody else's; one before brackets leaves the rating to them.
_LABEL = re.compile(
    r"(?:^[ \t>*_#`\"'\-]*|(?<![^\W_])(?<![\"'“‘«]))rating[ \t*_`]*[:：](?![ \t*_`]*\[\[)", re.IGNORECASE | re.MULTILINE
)
_RATING = re.compile(
    r"[ \t*_`\"'(]*(?P<number>(?:10|[0-9])(?:\.[0-9]{1,20})?)(?:\s*(?:/|out of)\s*(?:10(?:\.0)?|ten\b))?[*_`\"')\]]*"
    r"(?P<remark>.*)",
    re.IGNORECASE,
)
_ANOTHER_NUMBER = re.compile(r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|half)\b", re.IGNORECASE)
_OBJECT = re.compile(r'\{(?=\s*")')
_DECODER = json.JSONDecoder()
_LOWEST, _HIGHEST = 1, 10
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
    found += [(end, _named(winner)) for end, value in objects(reply) for winner in _values(value, "winner")]
    return max(found, key=lambda item: item[0])[1] if found else None


def rating(reply: str) -> float | None:
    """The rating a reply names last, from 1 to 10; None where there is none or the last one is off the scale.

    `reply` is text after thinking blocks were taken out.
    """
    found: list[tuple[int, Any]] = [(match.end(), match) for match in _LABEL.finditer(reply)]
    found += [(match.end(), match["value"]) for match in _BRACKETS.finditer(reply)]
    found += [(end, given) for end, value in objects(reply) for given in _values(value, "rating")]
    if not found:
        return None
    # Of several in one object, which all end together, the last one counts.
    value = max(reversed(found), key=lambda item: item[0])[1]
    if isinstance(value, re.Match):
        value = _remarked(reply[value.end() :].split("\n", 1)[0])
    elif isinstance(value, str):
        value = _lone(value)
    return float(value) if _number(value) and _LOWEST <= value <= _HIGHEST else None


def _lone(text: str) -> float | None:
    """The number that a text is, and nothing else."""
    match = _RATING.fullmatch(text.strip())
    return float(match["number"]) if match and not match["remark"].strip(".*_` ") else None


def _remarked(line: str) -> float | None:
    """The number that a line begins with, where it ends there or goes on with a remark that names no other number."""
    match = _RATING.match(line)
    if match is None:
        return None
    remark = match["remark"].strip("*_`# \t\r")
    if remark and (remark[0] not in ".,;:!(—–-" or _ANOTHER_NUMBER.search(remark)):
        return None
    return float(match["number"])


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _values(value: Any, key: str, depth: int = 3) -> list[Any]:
    """What an object has under a key, or the objects within it do."""
    if not isinstance(value, dict) or depth == 0:
        return []
    if key in value:
        return [value[key]]
    return [found for inner in value.values() for found in _values(inner, key, depth - 1)]


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
