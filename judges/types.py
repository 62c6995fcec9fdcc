"""The words judges and models share: prompts, presentations, requests, replies, rulings.

Everything here is a frozen value. A judge sees a `Presentation` (slots A and B) and nothing else: no model
names, no word on which slot holds the candidate. It refuses nothing itself; files are checked where they are read.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

Slot = Literal["A", "B"]
Verdict = Literal["A", "B", "tie"]
Status = Literal["ok", "invalid_parse", "truncated", "refused", "provider_error", "skipped"]
Finish = Literal["stop", "length", "refused"]
Mode = Literal["generation", "verdict-token"]
MODES: tuple[Mode, ...] = get_args(Mode)
Json = Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How a model is asked to sample.

    `temperature` 0 is greedy; None leaves a parameter to the provider. `max_tokens` bounds one answer.
    """

    temperature: float | None = None
    max_tokens: int = 512
    top_p: float | None = None
    seed: int | None = None

    def given(self) -> dict[str, float | int]:
        """The parameters that are set, by name."""
        named = {
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "top_p": self.top_p,
            "seed": self.seed,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One item of a suite: what the contestants are asked, and what its checks say of a good answer.

    `turns` holds one user message per turn; `reference` one text per turn or nothing; `checks` are the
    rubric's own mappings (see `judges.checks`). `sampling` and `repeats` override the suite's. `extra` holds further
    keys, which a judge template may name.
    """

    id: str
    turns: tuple[str, ...]
    system: str | None = None
    category: str | None = None
    cluster: str | None = None
    reference: tuple[str, ...] = ()
    checks: tuple[Mapping[str, Json], ...] = ()
    sampling: Mapping[str, Json] = field(default_factory=dict)
    repeats: int | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Criterion:
    """What an answer is graded on beside the verdict, in whole numbers from `low` to `high`; `about` explains it."""

    name: str
    about: str = ""
    low: int = 1
    high: int = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Presentation:
    """What a judge is shown: the prompt and two answers, one text per turn, in slots A and B. A is shown first."""

    prompt: Prompt
    a: tuple[str, ...]
    b: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruling:
    """A judge's answer to one presentation, still in slots.

    `verdict` is None unless `status` is "ok". `scores` are the judge's own per-slot figures, as JSON.
    `probability_a` is the judge's probability that A is better, where it has one. `reply` is the raw text.
    `asked` says how it was really asked (the parameters that applied, structured or text, tokens used); `mode` how a
    language model's verdict was got.
    """

    verdict: Verdict | None
    status: Status
    scores: Mapping[str, Json] | None = None
    reply: str | None = None
    probability_a: float | None = None
    asked: Mapping[str, Json] | None = None
    mode: Mode | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Exhibit:
    """What a grader is shown: a prompt and one contestant's answers, of which the last is the one to grade."""

    prompt: Prompt
    answers: tuple[str, ...]

    @property
    def turn(self) -> int:
        """The graded turn, counted from 1."""
        return len(self.answers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Grade:
    """A grader's answer to one exhibit: `score` on its scale, None unless `status` is "ok".

    `raw` is what the score was mapped from, where it was (a reward). The rest as in `Ruling`.
    """

    score: float | None
    status: Status
    raw: float | None = None
    reply: str | None = None
    asked: Mapping[str, Json] | None = None
    mode: Mode | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """A structured answer that is wanted: a JSON schema (strict subset: every property required, no extra ones)."""

    name: str
    description: str
    schema: Mapping[str, Json]


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One question to a model. Every field can change the answer, so every field is part of the cache key.

    `template` is the SHA-256 of the judge template ("" for contestants); `repeat` tells apart repeated
    generations of one prompt; `nonce` is set where a rerun must really ask again.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    schema: Schema | None = None
    template: str = ""
    repeat: int = 0
    nonce: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens one answer took, as the provider reports them."""

    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a model answered.

    `text` is the answer; where structured output was honoured it is that object's JSON text. `applied` holds the
    parameters that really reached the model after rejected ones were dropped, and `structured`:
    "tool", "json_schema" or "text".
    """

    text: str
    finish: Finish = "stop"
    usage: Usage | None = None
    applied: Mapping[str, Json] = field(default_factory=dict)
    model: str | None = None
    latency_s: float | None = None
    cached: bool = False


def any_reply(_: Reply) -> bool:
    """Every reply may be kept."""
    return True


class Model(Protocol):
    """Something that answers requests: an API, a local model, a script in a test."""

    @property
    def spec(self) -> str:
        """The spec it was built from, as given."""
        ...

    async def ask(
        self, request: Request, *, usable: Callable[[Reply], bool] = any_reply, stored_as: Request | None = None
    ) -> Reply:
        """Answer one request.

        A cached answer is returned where there is one. A new answer is cached only where `usable(reply)` holds, under
        the key of `stored_as` where that is given (a second, roomier attempt answers the first question).
        Raises `harness.errors.CallFailed` where this call was given up and `harness.errors.RunStopped` where no
        further call can succeed.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """How a model's probability falls on a menu at the place of its answer.

    `probabilities` are those of the menu's entries, together 1; `mass` is their share of all probability there, in
    [0, 1] (None where it cannot be known): near 0 the model would have said something else. Where the answer had to be
    written and named no entry, `probabilities` is empty, and `reply` and `finish` say what came instead. `applied` and
    `model` as in `Reply`.
    """

    probabilities: Mapping[str, float]
    mass: float | None
    reply: str | None = None
    finish: Finish = "stop"
    usage: Usage | None = None
    applied: Mapping[str, Json] = field(default_factory=dict)
    model: str | None = None
    cached: bool = False


class Chooser(Protocol):
    """Something that says how likely each entry of a menu is as its answer, without writing one."""

    async def choose(self, request: Request, *, menu: tuple[str, ...], lead: str) -> Choice:
        """The probabilities of the menu's entries right after `lead`, with which its answer begins.

        Raises `harness.errors.InputError` where the model cannot be asked so, else what `Model.ask` raises.
        """
        ...


class Judge(Protocol):
    """Something that names the better of two answers."""

    @property
    def name(self) -> str:
        """Its spec as given; its name in files and figures."""
        ...

    async def judge(self, shown: Presentation, *, rng: random.Random, repeat: int = 0) -> Ruling:
        """Rule on one presentation. `rng` is fresh and seeded for it."""
        ...


class Grader(Protocol):
    """Something that grades one answer on its own."""

    @property
    def name(self) -> str:
        """Its spec as given; its name in files and figures."""
        ...

    @property
    def scale(self) -> tuple[float, float]:
        """The lowest and the highest score it can give."""
        ...

    async def grade(self, shown: Exhibit, *, rng: random.Random, repeat: int = 0) -> Grade:
        """Grade the last answer of an exhibit. `rng` is fresh and seeded for it; `repeat` tells askings apart."""
        ...
