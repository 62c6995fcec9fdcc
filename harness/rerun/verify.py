"""`harness rerun --verify`: whether a run's records still lead to its summary, byte for byte, and where they do not.

Nothing is generated, asked or changed: responses come from the journal and are held against files and cache, judges
rule again where that costs nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.collect import Found, find, is_complete, summary_of
from harness.errors import InputError
from harness.folder import as_json, read_manifest
from harness.job import from_manifest, versions
from harness.records import JudgmentRecord
from harness.rerun.replay import Replay, Replayed
from harness.rerun.responses import Checked, check_responses
from harness.run import CONTROLS, JUDGMENTS, UNANSWERED, control_key, control_lines, on_disk
from harness.seal import JOURNALS, sealed_bytes, state
from harness.workshop import Workshop

Outcome = Literal["same", "different", "nothing verified"]
SUMMARY = "summary.json"
# What of a judgment the figures rest on.
FIELDS = ("verdict", "winner", "status", "preference", "candidate_length", "baseline_length")
CONTROL_FIELDS = ("verdict", "right", "status", "whole", "damaged")
_MISSING = "(missing)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What replaying a run showed. `how` says by judge where its verdicts came from (see `Replayed`)."""

    outcome: Outcome
    complete: bool
    summary: Literal["same", "different", "missing", "not reached"]
    judgments: int
    responses: int
    how: Mapping[str, Mapping[str, int]]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": "verify",
            "outcome": self.outcome,
            "complete": self.complete,
            "summary": self.summary,
            "judgments": self.judgments,
            "responses": self.responses,
            "judges": {name: dict(counts) for name, counts in self.how.items()},
            "differences": [{"what": d.what, "run": d.run, "replay": d.replay} for d in self.differences],
            "notes": list(self.notes),
        }


def verify(run: Path, workshop: Workshop) -> Verified:
    """Replay a run. Raises InputError where the folder holds no run, or its manifest is not whole."""
    manifest = read_manifest(run)
    from_manifest(manifest)
    differences = list(_unsealed(run, manifest))
    try:
        found = find(run)
        everything = on_disk(run / JUDGMENTS, JudgmentRecord)
    except InputError as error:
        broken = [Difference(what=str(problem), run="cannot be read", replay=None) for problem in error.problems]
        return _ended(manifest, [*differences, *broken], Checked(), {}, "not reached", 0, [])
    checked = check_responses(found, workshop.cache)
    differences += [Difference(what=what, run=was, replay=now) for what, was, now in checked.differences]
    with tempfile.TemporaryDirectory(prefix="harness-verify-") as folder:
        place = Path(folder)
        replayed = Replay(found, everything, workshop).into(run, place)
        # An input that changed: the run had the first, the replay finds the second.
        differences += [Difference(what=what, run=was, replay=now) for what, was, now in replayed.differences]
        differences += _settle(found, everything, place, run)
        again = find(place)
        complete = bool(manifest.get("complete")) and is_complete(again)
        text = as_json(summary_of(again, complete=complete).as_json())
    summary, more = _summary(run / SUMMARY, text) if _concluded(run, manifest) else ("not reached", [])
    how = {name: dict(counts) for name, counts in _counted(replayed, again).items()}
    notes = [*checked.notes, *replayed.notes, *_notes(run, manifest, found)]
    return _ended(manifest, [*differences, *more], checked, how, summary, len(again.judgments), notes)


def _ended(
    manifest: Mapping[str, Any],
    differences: list[Difference],
    checked: Checked,
    how: Mapping[str, Mapping[str, int]],
    summary: Any,
    judgments: int,
    notes: list[str],
) -> Verified:
    proven = sum(counts.get(way, 0) for counts in how.values() for way in ("judged", "cache", "file"))
    outcome: Outcome = "different" if differences else "same" if proven else "nothing verified"
    return Verified(
        outcome=outcome,
        complete=bool(manifest.get("complete")),
        summary=summary,
        judgments=judgments,
        responses=checked.checked,
        how=how,
        differences=tuple(differences),
        notes=tuple(notes),
    )


def _settle(found: Found, everything: list[JudgmentRecord], place: Path, run: Path) -> Iterator[Difference]:
    """Compare the replay's journals with the run's, then complete them with what no replay could have made.

    That is judgments of judges that were added to the run, and in an incomplete run whatever is still to come.
    """
    whole = bool(found.manifest.get("complete"))
    planned = set(found.manifest["judge_names"])
    mine = {r.key(): r for r in on_disk(place / JUDGMENTS, JudgmentRecord)}
    theirs = {r.key(): r for r in everything}
    added = {key: r for key, r in theirs.items() if r.judge not in planned or r.repeat >= _repeats(found, r.id)}
    expected = {key: r for key, r in theirs.items() if key not in added}
    yield from compare_records(JUDGMENTS, expected, mine, FIELDS, whole=whole, get=getattr)
    kept = {**{key: r for key, r in mine.items() if whole or key in expected}, **added}
    _write(place / JUDGMENTS, [_or_own(r, expected.get(key)).line() for key, r in sorted(kept.items(), key=str)])

    controls = {control_key(line): line for line in control_lines(place)}
    of_run = {control_key(line): line for line in found.controls}
    yield from compare_records(CONTROLS, of_run, controls, CONTROL_FIELDS, whole=whole, get=dict.get)
    lines = [
        line if of_run.get(key, line)["status"] not in UNANSWERED else of_run[key]
        for key, line in controls.items()
        if whole or key in of_run
    ]
    _write(place / CONTROLS, [json.dumps(line, ensure_ascii=False) for line in lines])


def _repeats(found: Found, prompt: str) -> int:
    return found.job.repeats.get(prompt, 0)


def _or_own(record: JudgmentRecord, own: JudgmentRecord | None) -> JudgmentRecord:
    """What the run has no answer to yet stays as the run says it."""
    return own if own is not None and own.status in UNANSWERED else record


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="replace")


def _counted(replayed: Replayed, again: Found) -> dict[str, Counter[str]]:
    """Where each judge's verdicts came from; what really judged again is counted from what it wrote."""
    counts = {name: Counter(found) for name, found in replayed.how.items()}
    for name, found in counts.items():
        if "judged" in found:
            judged = sum(r.judge == name and r.status not in UNANSWERED for r in again.judgments)
            found["judged"] = judged + sum(line["judge"] == name for line in again.controls)
    return counts


def _notes(run: Path, manifest: Mapping[str, Any], found: Found) -> list[str]:
    said = []
    if not manifest.get("complete"):
        said.append(f"the run is incomplete and was verified as far as it goes; `harness resume {run}` goes on")
    planned = set(manifest["judge_names"])
    added = Counter(j.judge for j in found.judgments if j.judge not in planned)
    said += [f"{name}: {count} judgments were added to the run; taken as they are" for name, count in added.items()]
    if not manifest.get("seals"):
        said.append("the run ended without seals (it was killed, or is older), so that edits show only where replayed")
    was, now = manifest.get("versions", {}).get("judge-harness"), versions().get("judge-harness")
    if was != now:
        said.append(f"the run was made by judge-harness {was}, and verified by {now}")
    return said
