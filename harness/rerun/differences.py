"""What a replay finds different: journals record by record, a summary figure by figure. Values in, values out."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.run import UNANSWERED

SUMMARY = "summary.json"
_MISSING = "(missing)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One thing that is not as the replay has it: where, what the run holds, what the replay found."""

    what: str
    run: Any
    replay: Any

    def as_json(self) -> dict[str, Any]:
        return {"what": self.what, "run": _plain(self.run), "replay": _plain(self.replay)}


def _plain(value: Any) -> Any:
    """A value of an edited file as JSON can hold it: what is no finite number is told as text."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def compare_records(
    name: str,
    run: Mapping[Any, Any],
    replay: Mapping[Any, Any],
    fields: tuple[str, ...],
    *,
    whole: bool,
    get: Any,
) -> Iterator[Difference]:
    """The fields of a journal's records that a replay has otherwise, and in a `whole` run records too many.

    `get` reads a field of a record. What the run has no answer to is passed over.
    """
    for key in sorted({*run, *replay}, key=str):
        where = f"{name} {_named(key)}"
        if key not in run:
            if whole:
                yield Difference(what=where, run=_MISSING, replay=get(replay[key], "verdict"))
            continue
        if get(run[key], "status") in UNANSWERED:
            continue
        if key not in replay:
            yield Difference(what=where, run=get(run[key], "verdict"), replay=_MISSING)
            continue
        for field in fields:
            was, now = get(run[key], field), get(replay[key], field)
            if was != now:
                yield Difference(what=f"{where}: {field}", run=was, replay=now)


def _named(key: tuple[Hashable, ...]) -> str:
    return "(" + ", ".join(str(part) for part in key if part is not None) + ")"


def compare_summary(path: Path, text: str) -> tuple[str, list[Difference]]:
    """Whether a summary on disk is this text, and every figure of it that is not."""
    try:
        held = path.read_bytes()
    except OSError:
        return "missing", [Difference(what=SUMMARY, run=_MISSING, replay=None)]
    if held == text.encode("utf-8", "replace"):
        return "same", []
    try:
        was = json.loads(held)
    except (ValueError, RecursionError):
        return "different", [Difference(what=SUMMARY, run="is not JSON", replay=None)]
    found = [Difference(what=f"{SUMMARY} {name}", run=a, replay=b) for name, a, b in _leaves("", was, json.loads(text))]
    return "different", found or [Difference(what=SUMMARY, run="the same figures in other bytes", replay=None)]


def _leaves(name: str, was: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(was, dict) and isinstance(now, dict):
        for key in [*was, *(key for key in now if key not in was)]:
            yield from _leaves(f"{name}.{key}" if name else key, was.get(key, _MISSING), now.get(key, _MISSING))
    elif was != now or type(was) is not type(now):
        yield name, was, now
