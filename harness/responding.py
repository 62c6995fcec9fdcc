"""Has contestants answer what is not on disk yet; every answer is journalled as it arrives. For all kinds of run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.journal import Journal
from harness.models.contestant import Answer, Contestant, Question
from harness.progress import Progress
from harness.records import ResponseRecord, on_disk
from harness.toolong import too_long

RESPONSES = "responses.jsonl"
Responses = dict[tuple[str, str, int], ResponseRecord]


async def respond(
    run: Path,
    journal: Journal,
    progress: Progress,
    contestants: Mapping[str, tuple[Contestant, str]],
    questions: Sequence[Question],
) -> Responses:
    """Every contestant's answers, by (prompt id, role, sample); what stands on disk for good is not asked again.

    `contestants` holds by role who answers, and its spec. Raises what a contestant raises.
    """
    found: Responses = {
        (record.id, str(record.role), record.sample): record for record in on_disk(run / RESPONSES, ResponseRecord)
    }
    for role, (contestant, spec) in contestants.items():
        missing = [q for q in questions if not answered_for_good(found.get((q.prompt.id, role, q.sample)))]
        progress.stage(f"{role} answers", len(questions), len(questions) - len(missing))
        if missing:
            await contestant.answer(missing, _keeper(role, spec, found, journal, progress))
    return found


def _keeper(
    role: str, spec: str, found: Responses, journal: Journal, progress: Progress
) -> Callable[[Question, Answer], None]:
    def keep(question: Question, answer: Answer) -> None:
        record = response_json(question, answer, role, spec)
        journal.append(RESPONSES, record)
        found[question.prompt.id, role, question.sample] = ResponseRecord.model_validate(record)
        progress.advance()

    return keep


def answered_for_good(record: ResponseRecord | None, *, recorded: bool = False) -> bool:
    """Whether a response is there, or will never be: the model refused, the conversation does not fit it, or a recorded
    file says that it failed.
    """
    if record is None:
        return False
    ended = bool(getattr(record, "refused", False)) or too_long(record) is not None
    return record.finish != "error" or recorded or ended


def response_json(question: Question, answer: Answer, role: str | None, model: str) -> dict[str, Any]:
    """The contract's response record of one answer; without a role where it can play either."""
    record: dict[str, Any] = {"id": question.prompt.id} | ({"role": role} if role is not None else {})
    record |= {"sample": question.sample, "model": model}
    if answer.texts is not None and len(question.prompt.turns) == 1:
        record["response"] = answer.texts[0]
    elif answer.texts is not None:
        record["responses"] = list(answer.texts)
    record["finish"] = answer.finish
    if answer.latency_s is not None:
        record["latency_s"] = answer.latency_s
    return record | dict(answer.details)
