"""Recorded responses and recorded verdicts: files of the contract's formats, read once and looked up.

Refuses a file without the role that is asked for, without some prompt, or without a sample that the suite needs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.errors import InputError, Problem
from harness.models.contestant import Answer, Done, Question
from harness.records import JudgmentRecord, ResponseRecord, read
from judges.types import Prompt

Role = Literal["candidate", "baseline"]
# What a response that failed says of it.
WHY = ("error", "too_long", "refused", "cut_off")


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedResponses:
    """One role's responses of a file, by prompt id and sample."""

    path: Path
    role: Role
    by_key: dict[tuple[str, int], ResponseRecord]

    @property
    def ids(self) -> set[str]:
        """Every prompt the file answers."""
        return {prompt for prompt, _ in self.by_key}

    def samples(self, prompt: str) -> int:
        """How many samples, counted from 0 without a gap, the file holds of a prompt."""
        count = 0
        while (prompt, count) in self.by_key:
            count += 1
        return count

    async def answer(self, questions: Sequence[Question], done: Done) -> None:
        """Look every question up. Raises InputError naming all that the file lacks."""
        lacking = [q for q in questions if (q.prompt.id, q.sample) not in self.by_key]
        if lacking:
            raise InputError([self._lacks(question) for question in lacking])
        for question in questions:
            record = self.by_key[question.prompt.id, question.sample]
            details: dict[str, Any] = {"recorded_model": record.model} if record.model else {}
            texts = record.texts()
            if record.finish == "error":
                texts = record.answered()[: len(question.prompt.turns) - 1] or None
                details |= {name: getattr(record, name) for name in WHY if hasattr(record, name)}
            finish = record.finish or "stop"
            done(question, Answer(texts=texts, finish=finish, latency_s=record.latency_s, details=details))

    def _lacks(self, question: Question) -> Problem:
        what = f"has no {self.role} response for prompt {question.prompt.id!r} (sample {question.sample}); add it"
        return Problem(path=str(self.path), what=what)


def load_responses(path: Path, role: Role, prompts: Sequence[Prompt]) -> RecordedResponses:
    """A role's responses of a file: the records of that role where it holds both, else all of them.

    Raises InputError on broken lines, on a prompt the file does not answer, or with the wrong number of turns.
    """
    chosen = of_role(path, role)
    by_key = {(record.id, record.sample): record for record in chosen}
    found = RecordedResponses(path=path, role=role, by_key=by_key)
    problems = [
        Problem(path=str(path), what=f"answers no prompt {prompt.id!r}; the suite asks it, so add a response")
        for prompt in prompts
        if found.samples(prompt.id) == 0
    ]
    turns = {prompt.id: len(prompt.turns) for prompt in prompts}
    for (prompt_id, sample), record in by_key.items():
        texts = record.texts()
        if texts is not None and prompt_id in turns and len(texts) != turns[prompt_id]:
            what = (
                f"prompt {prompt_id!r}, sample {sample}: {len(texts)} texts for {turns[prompt_id]} turns; give one each"
            )
            problems.append(Problem(path=str(path), what=what))
    if problems:
        raise InputError(problems)
    return found


def of_role(path: Path, role: Role) -> list[ResponseRecord]:
    """The records of a role where a file holds both, else all of them. Raises InputError."""
    records = read(path, ResponseRecord)
    both = {"candidate", "baseline"} <= {record.role for record in records}
    chosen = [record for record in records if record.role == role] if both else records
    ambiguous = _ambiguous(path, records, chosen, both=both)
    if ambiguous:
        raise InputError(ambiguous)
    return chosen


def _ambiguous(
    path: Path, records: Sequence[ResponseRecord], chosen: Sequence[ResponseRecord], *, both: bool
) -> list[Problem]:
    """What of a file could be read in two ways: a line without a role beside both, two lines for one sample, a gap."""
    said = []
    if both and any(record.role is None for record in records):
        first = next(record for record in records if record.role is None)
        said.append(f"prompt {first.id!r} has no role in a file that holds both; add 'role' to every line")
    samples: dict[str, list[int]] = {}
    for record in chosen:
        samples.setdefault(record.id, []).append(record.sample)
    for prompt, numbers in samples.items():
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        if twice:
            said.append(f"prompt {prompt!r} has two responses for sample {twice[0]}; keep one of them")
        gap = next((number for number in range(len(numbers)) if number not in numbers), None)
        if gap is not None and not twice:
            said.append(f"prompt {prompt!r} has samples {sorted(numbers)} but no sample {gap}; number them from 0")
    return [Problem(path=str(path), what=what) for what in said]


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedVerdicts:
    """One judge's judgments of a file, under its own name."""

    name: str
    path: Path
    judgments: tuple[JudgmentRecord, ...]


def load_verdicts(path: Path) -> tuple[RecordedVerdicts, ...]:
    """Every judge a judgments file holds. Raises InputError on broken lines, contradictions and repeated keys."""
    by_name: dict[str, list[JudgmentRecord]] = {}
    for record in read(path, JudgmentRecord):
        by_name.setdefault(record.judge, []).append(record)
    return tuple(RecordedVerdicts(name=name, path=path, judgments=tuple(rows)) for name, rows in by_name.items())


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes. Raises InputError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError([Problem(path=str(path), what="there is no such file; check the path")]) from None
    except OSError as error:
        raise InputError([Problem(path=str(path), what=f"cannot be read: {error.strerror}")]) from None
