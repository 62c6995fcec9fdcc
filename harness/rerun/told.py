"""A replay and a second asking in words for a terminal: eighty columns, no rate without its n and interval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.report.columns import listing, wrap
from harness.report.numerals import one_line, percent, plural, span
from harness.rerun.differences import Difference
from harness.rerun.rejudge import Rejudged, Waver
from harness.rerun.verify import Verified

SHOWN = 20
ROOM = 60


def verified(run: Path, found: Verified) -> str:
    """The whole report of a replay."""
    blocks = [wrap(f"{run.resolve().name}, replayed from records and cache"), wrap(_outcome(found))]
    blocks.append(listing("differences", _differences(found)))
    blocks.append(listing("where the verdicts came from (control pairs among them)", _ways(found)))
    blocks.append(listing("what to know", found.notes))
    return "\n\n".join(filter(None, blocks)) + "\n"


def _outcome(found: Verified) -> str:
    what = f"{plural(found.judgments, 'judgment')}, {plural(found.responses, 'response')} held against their source"
    if found.outcome == "different":
        return f"Not the same: {plural(len(found.differences), 'difference')} ({what})."
    if found.outcome == "nothing verified":
        return f"Nothing could be verified: no verdict could be replayed, only read from the journal ({what})."
    only = ""
    if found.journalled:
        of = found.replayed + found.journalled
        only = f"; {found.replayed:,} of {of:,} verdicts replayed, {found.journalled:,} only read from the journal"
    if found.summary != "same":
        return f"The same, as far as the run goes; there is no summary of it yet{only} ({what})."
    return f"The same summary, byte for byte{only} ({what})."


def _differences(found: Verified) -> list[str]:
    said = [_difference(difference) for difference in found.differences[:SHOWN]]
    left = len(found.differences) - SHOWN
    return [*said, f"… and {left:,} more (--json lists all)"] if left > 0 else said


def _difference(found: Difference) -> str:
    if found.replay is None and isinstance(found.run, str):
        return f"{found.what}: {found.run}"
    was, now = _apart(found.run, found.replay)
    return f"{found.what}: {was} in the run, {now} in the replay"


def _apart(was: Any, now: Any) -> tuple[str, str]:
    """Two values as texts, long ones from a little before where they part."""
    texts = [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in (was, now)]
    if max(map(len, texts)) <= ROOM:
        return one_line(texts[0], ROOM), one_line(texts[1], ROOM)
    same = next((at for at, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    start = max(0, same - ROOM // 3)
    cut = [f"{'…' if start else ''}{text[start:]}" for text in texts]
    return repr(one_line(cut[0], ROOM)), repr(one_line(cut[1], ROOM))


def _ways(found: Verified) -> list[str]:
    told = {
        "judged": "judged again",
        "cache": "replayed from the cache",
        "file": "read from their file again",
        "journal": "taken from the journal",
        "absent": "without an answer",
    }
    said = []
    for name, counts in found.how.items():
        total = sum(counts.values())
        parts = [f"{counts[way]:,} {text}" for way, text in told.items() if counts.get(way)]
        said.append(
            f"{name}: {', '.join(parts) or 'nothing to replay'}" + (f" (of {total:,})" if len(parts) > 1 else "")
        )
    return said


def rejudged(run: Path, found: Rejudged) -> str:
    """The whole report of asking judges again."""
    of = "all" if found.prompts == found.of else f"{found.prompts:,} of"
    title = f"{one_line(run.resolve().name)}: judges asked again about {of} {plural(found.of, 'prompt')}"
    blocks = [wrap(f"{title} (seed {found.seed}), with the cache off")]
    if not found.judges:
        blocks.append("No judge of this run is asked in a way that could waver; nothing was asked.")
    for name, judge in found.judges.items():
        blocks.append(listing(one_line(name), _waver(judge)))
    blocks.append(listing("not asked again", [f"{name}: {why}" for name, why in found.steady.items()]))
    kept = [f"the answers are kept in {found.kept}; nothing of the run has changed"] if found.kept else []
    blocks.append(listing("what to know", [*found.notes, *kept]))
    return "\n\n".join(filter(None, blocks)) + "\n"


def _waver(found: Waver) -> list[str]:
    rate = found.flips
    if rate.rate is None or rate.ci is None:
        return ["no presentation has a usable verdict both times, so that no rate can be given"]
    said = [
        f"{percent(rate.rate, rate.n)} of {plural(rate.n, 'verdict')} changed ({rate.count:,}; 95 % "
        f"{span(*rate.ci, rate.n)} % by prompt), {found.decisive:,} of them from one answer to the other",
        f"{found.outcomes:,} of {plural(found.prompts, 'prompt')} changed their outcome",
    ]
    if found.unusable:
        said.append(f"{plural(found.unusable, 'presentation')} had no usable verdict in one of the two")
    return said
