"""The JSON-lines records of the contract: prompts, responses, judgments, scores, predictions, preferences.

A record is checked once, where it is read, and trusted after. Reading gathers every problem of a file and
raises them together; unknown keys are kept.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from harness.errors import InputError, Problem
from harness.outcome import Order, Winner, winner_of
from harness.yamlfile import describe, read_text
from judges.types import Status, Verdict

_STATUSES = get_args(Status)
_VERDICTS = (None, *get_args(Verdict))


class Decimal(float):
    """A number of a JSON file that remembers how it was written: as an id, 1.10 is not 1.1."""

    text: str

    def __new__(cls, text: str) -> Decimal:
        made = super().__new__(cls, text)
        made.text = text
        return made


def _as_id(value: Any) -> Any:
    if value is None:
        raise ValueError("has to be given; null is neither an id nor a label")
    if isinstance(value, bool):
        raise ValueError("an id is a string")
    if value == "":
        raise ValueError("an id must not be empty; give it a name")
    if isinstance(value, Decimal):
        return value.text
    return str(value) if isinstance(value, int | float) else value


Id = Annotated[str, BeforeValidator(_as_id)]
Count = Annotated[int, Field(ge=0, strict=True)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Record(BaseModel):
    """A line of a file. Frozen; unknown keys are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    id: Id

    def key(self) -> tuple[Hashable, ...]:
        """What may stand only once in a file."""
        return (self.id,)

    def line(self) -> str:
        """The record as one JSON line, without keys that are unset."""
        return json.dumps(self.model_dump(exclude_unset=True), ensure_ascii=False, allow_nan=False)


class PromptRecord(Record):
    """`{"id", "prompt" | "turns", …}`; exactly one of `prompt` and `turns`, no empty text."""

    prompt: str | None = None
    turns: list[str] | None = None
    system: str | None = None
    category: str | None = None
    cluster: Id | None = None
    reference: str | list[str] | None = None
    checks: list[dict[str, Any]] | None = None
    sampling: dict[str, Any] | None = None
    repeats: Annotated[int, Field(ge=1, strict=True)] | None = None

    @model_validator(mode="after")
    def _one_text(self) -> PromptRecord:
        if (self.prompt is None) == (self.turns is None):
            raise ValueError("give either 'prompt' or 'turns'")
        texts = [self.prompt] if self.prompt is not None else self.turns or []
        if not texts:
            raise ValueError("'turns' is empty; give at least one turn")
        if any(not text.strip() for text in texts):
            raise ValueError("the prompt is empty; write its text")
        return self


class ResponseRecord(Record):
    """`{"id", "response" | "responses", "role"?, "sample"?, …}`."""

    response: str | None = None
    responses: list[str] | None = None
    role: Literal["candidate", "baseline"] | None = None
    sample: Count = 0
    model: str | None = None
    finish: Literal["stop", "length", "error"] | None = None
    latency_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None

    def key(self) -> tuple[Hashable, ...]:
        return (self.id, self.role, self.sample)

    @model_validator(mode="after")
    def _one_text(self) -> ResponseRecord:
        if self.finish == "error":
            return self
        if (self.response is None) == (self.responses is None):
            raise ValueError("give either 'response' or 'responses'")
        if self.responses is not None and not self.responses:
            raise ValueError("'responses' is empty; give one text per turn")
        return self

    def texts(self) -> tuple[str, ...] | None:
        """One text per turn; None where the model failed."""
        if self.finish == "error":
            return None
        return tuple(self.responses) if self.responses is not None else (self.response or "",)

    def answered(self) -> tuple[str, ...]:
        """One text for each turn up to a first one that did not fit the model, or that it refused."""
        more = self.model_extra or {}
        ended = more.get("too_long") is not None or bool(more.get("refused"))
        return self.texts() or (tuple(self.responses or ()) if ended else ())


class JudgmentRecord(Record):
    """One verdict of one judge on one presentation, in slots and in candidate terms."""

    judge: Annotated[str, Field(min_length=1)]
    order: Order | None = None
    verdict: Verdict | None = None
    winner: Winner | None = None
    status: Status = "ok"
    repeat: Count = 0
    category: str | None = None
    cluster: Id | None = None
    scores: Any = None
    reply: str | None = None
    preference: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    candidate_length: Count | None = None
    baseline_length: Count | None = None

    def key(self) -> tuple[Hashable, ...]:
        return (self.id, self.judge, self.order, self.repeat)

    @model_validator(mode="before")
    @classmethod
    def _settle_winner(cls, raw: Any) -> Any:
        """Derive the winner from verdict and order where it is not given; refuse contradictions."""
        if not isinstance(raw, dict):
            return raw
        verdict, order, winner = raw.get("verdict"), raw.get("order"), raw.get("winner")
        if raw.get("status", "ok") not in _STATUSES or verdict not in _VERDICTS:
            # Off the menu: the field's own check says so.
            return raw
        if raw.get("status", "ok") != "ok":
            if winner is not None or verdict is not None:
                raise ValueError(f"status {raw['status']!r} has no verdict, yet one is given; set it to null")
            if raw.get("preference") is not None:
                raise ValueError(f"status {raw['status']!r} has no preference, yet one is given; leave it out")
            return raw
        if isinstance(raw.get("preference"), str | bool | list | dict):
            # No number: the field's own check says so.
            return raw
        if verdict in ("A", "B", "tie") and order in ("candidate_first", "baseline_first"):
            meant = winner_of(verdict, order)
            if winner is not None and winner != meant:
                raise ValueError(f"verdict {verdict!r} with order {order!r} means winner {meant!r}; they contradict")
            return {**raw, "winner": meant}
        if verdict == "tie" and winner not in (None, "tie"):
            raise ValueError(f"verdict 'tie' and winner {winner!r} contradict each other")
        if winner is None and verdict == "tie":
            return {**raw, "winner": "tie"}
        if (
            winner is None
            and isinstance(raw.get("preference"), int | float)
            and not isinstance(raw["preference"], bool)
        ):
            return {**raw, "winner": _preferred(float(raw["preference"]))}
        if winner is None and verdict is not None:
            raise ValueError(f"verdict {verdict!r} without an order names nobody; add 'order' or 'winner'")
        if winner is None:
            raise ValueError("status 'ok' without a verdict; give 'winner', or 'verdict' with 'order'")
        return raw


def _preferred(preference: float) -> Winner:
    if math.isclose(preference, 0.5, rel_tol=0, abs_tol=1e-9):
        return "tie"
    return "candidate" if preference > 0.5 else "baseline"


class ScoreRecord(Record):
    """`{"id", "judge", "turn", "score", "status"}`."""

    judge: Annotated[str, Field(min_length=1)]
    turn: Annotated[int, Field(ge=1, strict=True)]
    score: Finite | None
    status: Status = "ok"
    category: str | None = None
    repeat: Count = 0

    def key(self) -> tuple[Hashable, ...]:
        return (self.id, self.judge, self.turn, self.repeat)


class PredictionRecord(Record):
    """`{"id", "label", "prediction", "probabilities"?, "slices"?}`."""

    label: Id
    prediction: Id | None
    probabilities: dict[str, Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]] | None = None
    slices: list[str] | None = None

    @model_validator(mode="after")
    def _sum_to_one(self) -> PredictionRecord:
        total = 1.0 if self.probabilities is None else math.fsum(self.probabilities.values())
        if abs(total - 1) > 0.005:  # they are often written rounded
            raise ValueError(f"the probabilities sum to {total:.4g}, not to 1; give those of all labels")
        return self


class PreferenceRecord(Record):
    """`{"prompt", "chosen", "rejected", "id"?}` in TRL's preference format."""

    id: Id = "-"
    prompt: str
    chosen: str
    rejected: str


R = TypeVar("R", bound=Record)


def read_lines(path: Path, *, journal: bool = False) -> Iterable[tuple[int, dict[str, Any] | Problem]]:
    """Each line of a JSONL file with its number: its object, or the problem with it. Blank lines are passed over.

    In a run's own `journal` a last line without its newline was torn by a crash and is passed over too.
    """
    for number, line in enumerate(read_text(path, journal=journal).split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = _JSON.decode(line)
        except (ValueError, RecursionError) as error:
            detail = getattr(error, "msg", str(error))
            yield number, Problem(path=str(path), line=number, what=f"is not JSON: {detail}; found {_short(line)}")
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            yield number, Problem(path=str(path), line=number, what=f"is no JSON object; found {_short(line)}")


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON; use null")


_JSON = json.JSONDecoder(parse_constant=_no_constant, parse_float=Decimal)


def _short(text: str, room: int = 60) -> str:
    text = repr(text.strip())
    return text if len(text) <= room else text[: room - 3] + "..."


def gather(
    path: Path, model: type[R], *, last_wins: bool = False, check: Callable[[R], Iterable[str]] | None = None
) -> tuple[list[R], list[Problem]]:
    """Every record of a JSONL file, and every problem with it.

    A repeated key is a problem, or with `last_wins` (a run's own journal) replaces the earlier line. A file that is
    another kind of thing altogether is one problem, not one a line.
    """
    records: dict[Hashable, R] = {}
    lines: dict[Hashable, int] = {}
    problems: list[Problem] = []
    for number, value in read_lines(path, journal=last_wins):
        if isinstance(value, Problem):
            problems.append(value)
            continue
        try:
            record = model.model_validate(value)
        except ValidationError as error:
            problems += [Problem(path=str(path), line=number, what=describe(dict(e))) for e in error.errors()]
            continue
        key = record.key() if model is not PreferenceRecord else number
        if key in records and not last_wins:
            shown = ", ".join(str(part) for part in record.key() if part is not None)
            what = f"the key ({shown}) stands already on line {lines[key]}; keep one of them"
            problems.append(Problem(path=str(path), line=number, what=what))
            continue
        problems += [Problem(path=str(path), line=number, what=what) for what in (check(record) if check else ())]
        records[key], lines[key] = record, number
    if problems and not last_wins:
        problems = _something_else(path, model, read_any=bool(records)) or problems
    return list(records.values()), problems


def _something_else(path: Path, model: type[Record], *, read_any: bool) -> list[Problem]:
    """What a file is that holds no lines, or records of another kind; nothing where it only has problems."""
    values = [value for _, value in read_lines(path)]
    objects = [value for value in values if isinstance(value, dict)]
    first = next(line.strip() for line in read_text(path).split("\n") if line.strip())
    # A torn first line begins like an object; a list of objects may end in a line that is one.
    if not isinstance(values[0], dict) and not first.startswith('{"') and 10 * len(objects) <= len(values):
        what = f"is no JSON Lines file: its first line is {_short(first)}; {WAY_OUT[model]}"
        return [Problem(path=str(path), what=what)]
    if read_any or not objects:
        return []
    kinds = {kind_of(value) for value in objects}
    kind = kinds.pop()
    # What has no telling key is taken for prompts, and may as well be the right kind without a key.
    if kinds or kind is model or (kind is PromptRecord and not {"prompt", "turns"} & objects[0].keys()):
        return []
    return [Problem(path=str(path), what=f"holds {NAMES[kind]}, where {NAMES[model]} belong; {WAY_OUT[model]}")]


def read(path: Path, model: type[R], *, last_wins: bool = False) -> list[R]:
    """Every record of a JSONL file. Raises InputError with every problem of the file."""
    records, problems = gather(path, model, last_wins=last_wins)
    if not records and not problems:
        problems = [Problem(path=str(path), what="is empty; it needs at least one JSON object a line")]
    if problems:
        raise InputError(problems)
    return records


def on_disk(path: Path, model: type[Any]) -> list[Any]:
    """The records of a run's journal, the last line of a key counting; nothing where the file is not there yet.

    Raises InputError on a line that was not written by a run.
    """
    if not path.exists():
        return []
    records, problems = gather(path, model, last_wins=True)
    if problems:
        raise InputError(problems)
    return records


def kind_of(value: Mapping[str, Any]) -> type[Record]:
    """Which record an object of a foreign file is meant to be, by its keys."""
    keys = value.keys()
    if "judge" in keys and "score" in keys:
        return ScoreRecord
    if "judge" in keys:
        return JudgmentRecord
    if {"chosen", "rejected"} & keys:
        return PreferenceRecord
    if "prediction" in keys:
        return PredictionRecord
    if {"response", "responses"} & keys:
        return ResponseRecord
    return PromptRecord


NAMES: Mapping[type[Record], str] = {
    JudgmentRecord: "judgments",
    PredictionRecord: "predictions",
    PreferenceRecord: "preference pairs",
    PromptRecord: "prompts",
    ResponseRecord: "responses",
    ScoreRecord: "scores",
}
# What to give instead. Predictions are read where any of three kinds may stand, and nothing told which was meant.
WAY_OUT: Mapping[type[Record], str] = {
    JudgmentRecord: "give the run's folder or its judgments.jsonl",
    PredictionRecord: "give a run's folder, or a file of judgments, scores or predictions",
    PreferenceRecord: "give a file of preference pairs",
    PromptRecord: "give a prompts file",
    ResponseRecord: "give a run's responses.jsonl or another responses file",
    ScoreRecord: "give a scores file",
}
