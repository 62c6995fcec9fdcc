"""Checks on an answer, as prompts declare them: what each kind means, whether it is passed, what is wrong with it.

A prompt's `checks` is a list of objects, each of one `kind` and with an optional readable `name`:

    {"kind": "mention", "any": ["lentil", "split pea"]}     at least one of them stands in the answer
    {"kind": "mention", "all": ["jar", "lid"]}              every one of them does
    {"kind": "avoid", "words": ["cream", "butter"]}         none of them does
    {"kind": "form", "named": "sentence"}                   the answer has a named form (`FORMS`)
    {"kind": "form", "pattern": "Make an? .+"}              it matches wholly (re.fullmatch, "." stops at a line break)
    {"kind": "length", "min": 8, "max": 30}                 it has that many words; either bound may be left out

Words and phrases are found whole and in any case: "pea" is not in "peach", and "nut" is not in "nut-free", for a hyphen
joins words. A regular English plural of the last word counts too (jar, jars; dish, dishes; cherry, cherries; loaf,
loaves); irregular ones are listed by hand. A mention is a mention: "without cream" mentions cream. An answer is
stripped of surrounding blanks first, and an empty one passes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from judges.types import Json

Check = Mapping[str, Json]


def passed(checks: Sequence[Check], text: str) -> tuple[int, int]:
    """How many of `checks` an answer passes, and how many there are."""
    return len(checks) - len(failed(checks, text)), len(checks)


def failed(checks: Sequence[Check], text: str) -> list[str]:
    """The labels of the checks that an answer fails, in the order declared. The checks must have no `problems`."""
    answer = text.strip()
    return [label(check) for check in checks if not answer or not KINDS[check["kind"]].holds(check, answer)]


def label(check: Check) -> str:
    """What a check asks for, readable in a sentence: its `name`, or words made from what it declares."""
    return str(check["name"]) if "name" in check else KINDS[check["kind"]].label(check)


def problems(checks: Any) -> list[str]:
    """Everything wrong with a prompt's `checks`, one sentence each; empty where they can be used."""
    if not isinstance(checks, Sequence) or isinstance(checks, str) or not checks:
        return [f"'checks' must be a list with at least one check, found {_shown(checks)}; add one or remove the key"]
    return [f"check {place}: {what}" for place, check in enumerate(checks, start=1) for what in _wrong(check)]


def mentions(word: str, text: str) -> bool:
    """Whether a word or phrase, or its regular plural, stands whole in a text, whatever the case."""
    return _finder(word).search(text) is not None


def _finder(word: str) -> re.Pattern[str]:
    *before, last = word.split()
    spaced = r"\s+".join(re.escape(part) for part in (*before, ""))
    # A hyphen joins: "nut" must be found neither in "nut-free" nor in "pine-nut".
    return re.compile(rf"(?<!\w)(?<!\w-){spaced}(?:{'|'.join(_forms(last))})(?!\w)(?!-\w)", re.IGNORECASE)


def _forms(word: str) -> list[str]:
    forms = [word, word + "s", word + "es"]
    lower = word.lower()
    if re.search(r"[^aeiou]y$", lower):
        forms.append(word[:-1] + "ies")
    if lower.endswith("f"):
        forms.append(word[:-1] + "ves")
    if lower.endswith("fe"):
        forms.append(word[:-2] + "ves")
    return [re.escape(form) for form in forms]


def _is_sentence(text: str) -> bool:
    return re.fullmatch(r"[\"'“‘(]?[A-Z0-9][^\n.!?]*[.!?][\"'”’)]?", text) is not None


def _is_prose(text: str) -> bool:
    return re.fullmatch(r"[\"'“‘(]?[A-Z0-9].*[.!?][\"'”’)]?", text, re.DOTALL) is not None


def _is_list(text: str) -> bool:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return len(lines) > 1 and all(re.match(r"(?:[-*•]|\d+[.)])\s+\S", line) for line in lines)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


FORMS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "sentence": ("one full sentence", _is_sentence),
    "prose": ("full sentences, from a capital to a full stop", _is_prose),
    "question": ("a question", lambda text: text.endswith("?")),
    "list": ("a list, one item a line", _is_list),
    "one word": ("a single word", lambda text: len(text.split()) == 1),
    "json": ("valid JSON", _is_json),
}
"""The named forms: how each is called in a sentence, and what decides it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    keys: tuple[str, ...]
    wrong: Callable[[Check], list[str]]
    holds: Callable[[Check, str], bool]
    label: Callable[[Check], str]


def _mention_holds(check: Check, text: str) -> bool:
    some, every = check.get("any"), check.get("all", ())
    return (some is None or any(mentions(word, text) for word in some)) and all(mentions(word, text) for word in every)


def _mention_label(check: Check) -> str:
    wanted = [" or ".join(check["any"])] if "any" in check else []
    return "mentions " + " and ".join([*wanted, *check.get("all", ())])


def _form_holds(check: Check, text: str) -> bool:
    named = "named" not in check or FORMS[check["named"]][1](text)
    return named and ("pattern" not in check or re.fullmatch(check["pattern"], text) is not None)


def _form_label(check: Check) -> str:
    named = [FORMS[check["named"]][0]] if "named" in check else []
    return "is " + ", ".join([*named, *([f"of the form {check['pattern']!r}"] if "pattern" in check else [])])


def _length_holds(check: Check, text: str) -> bool:
    count = len(text.split())
    return bool(check.get("min", count) <= count <= check.get("max", count))


def _length_label(check: Check) -> str:
    bounds = [f"{words} {check[key]}" for key, words in (("min", "at least"), ("max", "at most")) if key in check]
    return f"has {' and '.join(bounds)} words"


def _wrong(check: Any) -> list[str]:
    if not isinstance(check, Mapping):
        return [f"must be an object with a 'kind', found {_shown(check)}"]
    kind = check.get("kind")
    if kind is None:
        return [f"lacks its 'kind', found {_shown(check)}; use one of: {', '.join(KINDS)}"]
    if not isinstance(kind, str) or kind not in KINDS:
        return [f"unknown kind {_shown(kind)}; use one of: {', '.join(KINDS)}"]
    known = ("kind", "name", *KINDS[kind].keys)
    found = [f"unknown key {_shown(key)}; {kind} takes: {', '.join(known[1:])}" for key in check if key not in known]
    if "name" in check and not _is_text(check["name"]):
        found.append(f"'name' must be a text, found {_shown(check['name'])}")
    return found + KINDS[kind].wrong(check)


def _words_wrong(check: Check, *keys: str) -> list[str]:
    given = [key for key in keys if key in check]
    if not given:
        return [f"needs {' or '.join(repr(key) for key in keys)}, a list of words"]
    return [
        f"{key!r} must be a list of at least one word or phrase, found {_shown(check[key])}"
        for key in given
        if not isinstance(check[key], list | tuple) or not check[key] or not all(map(_is_text, check[key]))
    ]


def _form_wrong(check: Check) -> list[str]:
    if "named" not in check and "pattern" not in check:
        return ["needs 'named' or 'pattern'"]
    found = []
    if "named" in check and not (isinstance(check["named"], str) and check["named"] in FORMS):
        found.append(f"unknown form {_shown(check['named'])}; use one of: {', '.join(FORMS)}")
    if "pattern" in check:
        found += _pattern_wrong(check["pattern"])
    return found


def _pattern_wrong(pattern: Any) -> list[str]:
    if not _is_text(pattern):
        return [f"'pattern' must be a regular expression, found {_shown(pattern)}"]
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return [f"'pattern' is no regular expression ({error}), found {_shown(pattern)}"]
    return []


def _length_wrong(check: Check) -> list[str]:
    bounds = {key: check[key] for key in ("min", "max") if key in check}
    if not bounds:
        return ["needs 'min' or 'max', a number of words"]
    wrong = {key: value for key, value in bounds.items() if not _is_count(value)}
    found = [f"{key!r} must be a whole number of words from 0, found {_shown(value)}" for key, value in wrong.items()]
    if not found and bounds.get("min", 0) > bounds.get("max", bounds.get("min", 0)):
        found.append(f"'min' is above 'max': {bounds['min']} > {bounds['max']}")
    return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


KINDS: dict[str, _Kind] = {
    "mention": _Kind(
        keys=("any", "all"),
        wrong=lambda check: _words_wrong(check, "any", "all"),
        holds=_mention_holds,
        label=_mention_label,
    ),
    "avoid": _Kind(
        keys=("words",),
        wrong=lambda check: _words_wrong(check, "words"),
        holds=lambda check, text: not any(mentions(word, text) for word in check["words"]),
        label=lambda check: f"leaves out {', '.join(check['words'])}",
    ),
    "form": _Kind(keys=("named", "pattern"), wrong=_form_wrong, holds=_form_holds, label=_form_label),
    "length": _Kind(keys=("min", "max"), wrong=_length_wrong, holds=_length_holds, label=_length_label),
}
