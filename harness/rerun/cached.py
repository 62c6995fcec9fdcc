"""Models and judges that answer from what was answered before: the reply cache, then the run's own journal; no network.

They refuse whatever was never answered.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.collect import Found
from harness.errors import CallFailed, TooLong
from harness.models.cache import ReplyCache, cache_key
from harness.models.choices import choice_of, looked_at
from harness.models.contestant import Done, Question
from harness.models.limits import Limits
from harness.models.spec import Spec
from harness.outcome import slots
from harness.records import JudgmentRecord
from harness.run import CONTROL_ORDER, UNANSWERED, texts_of
from harness.toolong import raised
from harness.workshop import APIS
from judges.controls import Texts
from judges.types import MODES, Choice, Judge, Mode, Presentation, Reply, Request, Ruling, any_reply

# What a presentation is known by: the prompt, the repeat, and the texts in slots A and B.
Shown = tuple[str, int, Texts, Texts]


@dataclass(frozen=True, kw_only=True, slots=True)
class CachedModel:
    """A model that is never asked: it has the replies that the cache holds of it. `identity` as in `cache_key`."""

    spec: str
    identity: Mapping[str, Any]
    cache: ReplyCache

    async def ask(
        self, request: Request, *, usable: Callable[[Reply], bool] = any_reply, stored_as: Request | None = None
    ) -> Reply:
        """The cached reply. Raises CallFailed where there is none."""
        reply = self.cache.get(cache_key(self.identity, request))
        if reply is None:
            raise CallFailed("the cache holds no reply to this")
        return reply

    async def choose(self, request: Request, *, menu: tuple[str, ...], lead: str) -> Choice:
        """The cached choice. Raises CallFailed where there is none."""
        reply = self.cache.get(cache_key(looked_at(self.identity, menu, lead), request))
        if reply is None:
            raise CallFailed("the cache holds no reply to this")
        return choice_of(reply)


def cached_model(spec: Spec, cache: ReplyCache, *, url: str | None = None) -> CachedModel:
    """What the cache holds of an API's model. `url` is its address, by default the environment's; no key is needed.

    Raises InputError where the address is not to be found.
    """
    if url is None:
        prefix = spec.endpoint or spec.kind.upper()
        environ = {**os.environ, f"{prefix}_API_KEY": "unused"}
        limits = Limits(concurrency=1)
        url = (
            APIS[spec.kind]
            .from_env(spec=spec.text, name=spec.endpoint, model=spec.rest, limits=limits, environ=environ)
            .url
        )
    identity = {"provider": APIS[spec.kind].provider, "url": url, "model": spec.rest}
    return CachedModel(spec=spec.text, identity=identity, cache=cache)


@dataclass(frozen=True, kw_only=True, slots=True)
class Replaying:
    """A judge that rules as it did: by its cached reply, else as the run's journal says. `tally` counts which it was.

    `inner` None: there is nothing to replay it with, so that the journal alone speaks.
    """

    name: str
    inner: Judge | None
    known: Mapping[Shown, Ruling | TooLong | None]
    tally: Counter[str] = field(default_factory=Counter)

    async def judge(self, shown: Presentation, *, rng: Any, repeat: int = 0) -> Ruling:
        """Rule on a presentation. Raises CallFailed where neither cache nor journal answers it."""
        key = (shown.prompt.id, repeat, shown.a, shown.b)
        written = self.known.get(key)
        if key in self.known and written is None:
            raise CallFailed("the run has no answer to this")
        if isinstance(written, TooLong):
            self.tally["journal"] += 1
            raise written
        if self.inner is not None:
            try:
                ruling = await self.inner.judge(shown, rng=rng, repeat=repeat)
            except CallFailed:
                ruling = None
            if ruling is not None:
                self.tally["cache"] += 1
                return ruling
        if written is None:
            self.tally["absent"] += 1
            raise CallFailed("neither the cache nor the run's journal has an answer to this")
        self.tally["journal"] += 1
        return written


@dataclass(frozen=True, kw_only=True, slots=True)
class Silent:
    """A contestant that says nothing: what is not on disk stays missing."""

    async def answer(self, questions: Sequence[Question], done: Done) -> None:
        return


def journalled(found: Found, judgments: Iterable[JudgmentRecord], judge: str) -> dict[Shown, Ruling | TooLong | None]:
    """What a judge is on record with, by what it was shown; None where the record says that no answer came."""
    answered = texts_of(found.responses)
    known: dict[Shown, Ruling | TooLong | None] = {}
    for record in judgments:
        pair = [answered.get((record.id, role, record.repeat)) for role in ("candidate", "baseline")]
        if record.judge == judge and record.order is not None and pair[0] is not None and pair[1] is not None:
            a, b = slots(pair[0], pair[1], record.order)
            known[record.id, record.repeat, a, b] = raised(record) or _ruling(record)
    for line in found.controls:
        if line["judge"] == judge:
            a, b = slots(tuple(line["whole"]), tuple(line["damaged"]), CONTROL_ORDER[line["order"]])
            answered_so = Ruling(verdict=line["verdict"], status=line["status"], mode=_mode(line))
            known[line["id"], 0, a, b] = None if line["status"] in UNANSWERED else answered_so
    return known


def _ruling(record: JudgmentRecord) -> Ruling | None:
    if record.status in UNANSWERED:
        return None
    preference = record.preference
    forward = record.order == "candidate_first"
    return Ruling(
        verdict=record.verdict,
        status=record.status,
        scores=record.scores,
        reply=record.reply,
        probability_a=None if preference is None else (preference if forward else 1.0 - preference),
        mode=_mode(record.model_extra or {}),
    )


def _mode(line: Mapping[str, Any]) -> Mode | None:
    """How a verdict was got, as far as a journal says it."""
    return next((mode for mode in MODES if mode == line.get("mode")), None)
