"""`harness rerun --verify`: whether a run's records still lead to its summary, byte for byte, and where they do not.

Nothing is generated, asked or changed: responses come from the journal and are held against files and cache, judges
rule again where that costs nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.collect import Found, find, is_complete, summary_of
from harness.errors import InputError, Problem, RunStopped
from harness.folder import as_json, read_manifest
from harness.job import Job, from_manifest, versions
from harness.records import JudgmentRecord, on_disk
from harness.rerun import sound
from harness.rerun.differences import SUMMARY, Difference, compare_records, compare_summary
from harness.rerun.replay import Replay, Replayed
from harness.rerun.responses import Checked, check_responses
from harness.rerun.sealed import concluded, not_sealed, unsealed
from harness.run import CONTROLS, JUDGMENTS, UNANSWERED, control_key, control_lines
from harness.workshop import Workshop

Outcome = Literal["same", "different", "nothing verified"]
# Where a verdict can come from so that it proves something (see `Replayed`).
PROVEN = ("judged", "cache", "file")
# What of a judgment the figures rest on.
FIELDS = ("verdict", "winner", "status", "preference", "candidate_length", "baseline_length")
CONTROL_FIELDS = ("verdict", "right", "status", "whole", "damaged")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What replaying a run showed. `how` says by judge where its verdicts came from (see `Replayed`).

    Of its verdicts, control pairs among them, `replayed` were found again, `journalled` only read from the journal.
    """

    outcome: Outcome
    complete: bool
    summary: Literal["same", "different", "missing", "not reached"]
    judgments: int
    responses: int
    replayed: int
    journalled: int
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
            "verdicts": {"replayed": self.replayed, "journal": self.journalled},
            "judges": {name: dict(counts) for name, counts in self.how.items()},
            "differences": [difference.as_json() for difference in self.differences],
            "notes": list(self.notes),
        }


def verify(run: Path, workshop: Workshop) -> Verified:
    """Replay a run. Raises InputError where the folder holds no run, or one that cannot be replayed and is not sealed.

    What was edited so that no replay is possible ends in differences too, the summary "not reached".
    """
    manifest = read_manifest(run)
    job = from_manifest(manifest)
    differences = list(unsealed(run, manifest))
    problems = sound.manifest_problems(run, manifest, job) or _unreadable(run, manifest, job)
    if problems:
        return _broken(manifest, differences, problems)
    try:
        return _replayed(run, manifest, differences, workshop)
    except RunStopped:
        raise
    except InputError as error:
        if not differences:
            raise
        return _broken(manifest, differences, error.problems)
    except Exception as error:
        # Edits that each look sound may not fit together; whoever made them is told so, not shown our own lines.
        what = f"its files do not fit together ({type(error).__name__}: {error}), so that it cannot be replayed"
        if not differences:
            raise InputError([Problem(path=str(run), what=f"{what}; was one edited?")]) from error
        return _broken(manifest, differences, [Problem(path=str(run), what=what)])


def _unreadable(run: Path, manifest: Mapping[str, Any], job: Job) -> Sequence[Problem | str]:
    """What of a run's journals no run writes."""
    try:
        on_disk(run / JUDGMENTS, JudgmentRecord)
        return [*sound.control_problems(run), *sound.endless(run, manifest, job)]
    except InputError as error:
        return error.problems


def _broken(
    manifest: Mapping[str, Any], differences: Sequence[Difference], problems: Sequence[Problem | str]
) -> Verified:
    broken = [Difference(what=str(problem), run="cannot be replayed", replay=None) for problem in problems]
    return _ended(manifest, [*differences, *broken], Checked(), {}, "not reached", 0, [])


def _replayed(run: Path, manifest: Mapping[str, Any], known: Sequence[Difference], workshop: Workshop) -> Verified:
    found = find(run)
    everything = on_disk(run / JUDGMENTS, JudgmentRecord)
    checked = check_responses(found, workshop.cache)
    differences = [*known, *(Difference(what=what, run=was, replay=now) for what, was, now in checked.differences)]
    with tempfile.TemporaryDirectory(prefix="harness-verify-") as folder:
        place = Path(folder)
        replayed = Replay(found, everything, workshop).into(run, place)
        # An input that changed: the run had the first, the replay finds the second.
        differences += [Difference(what=what, run=was, replay=now) for what, was, now in replayed.differences]
        differences += _settle(found, everything, place)
        again = find(place, seals=False)
        complete = bool(manifest.get("complete")) and is_complete(again)
        text = as_json(summary_of(again, complete=complete).as_json())
    summary, more = compare_summary(run / SUMMARY, text) if concluded(run, manifest) else ("not reached", [])
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
    proven = sum(counts.get(way, 0) for counts in how.values() for way in PROVEN)
    outcome: Outcome = "different" if differences else "same" if proven else "nothing verified"
    return Verified(
        outcome=outcome,
        replayed=proven,
        journalled=sum(counts.get("journal", 0) for counts in how.values()),
        complete=bool(manifest.get("complete")),
        summary=summary,
        judgments=judgments,
        responses=checked.checked,
        how=how,
        differences=tuple(differences),
        notes=tuple(notes),
    )


def _settle(found: Found, everything: list[JudgmentRecord], place: Path) -> Iterator[Difference]:
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
    lines = [_or_own_line(line, of_run.get(key)) for key, line in controls.items() if whole or key in of_run]
    _write(place / CONTROLS, [json.dumps(line, ensure_ascii=False) for line in lines])


def _repeats(found: Found, prompt: str) -> int:
    return found.job.repeats.get(prompt, 0)


def _or_own(record: JudgmentRecord, own: JudgmentRecord | None) -> JudgmentRecord:
    """What the run has no answer to yet stays as the run says it."""
    return own if own is not None and own.status in UNANSWERED else record


def _or_own_line(line: dict[str, Any], own: dict[str, Any] | None) -> dict[str, Any]:
    return own if own is not None and own["status"] in UNANSWERED else line


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
    said += not_sealed(manifest)
    was, now = manifest.get("versions", {}).get("judge-harness"), versions().get("judge-harness")
    if was != now:
        said.append(f"the run was made by judge-harness {was}, and verified by {now}")
    return said
