"""How many calls a number of prompts takes, and how many tokens: counted as a run would ask, scaled beyond the suite.

Calls go to models behind an API; everything else asks nobody and costs nothing. Tokens are a pilot's own where it
measured that model at that work, else an upper bound from the texts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.judging import fits, template_of
from harness.models.contestant import conversation
from harness.models.meter import Purpose
from harness.models.recorded import RecordedResponses, load_responses
from harness.models.spec import Spec
from harness.plan import control_count, limited
from harness.planning.pilot import Pilot, Rate
from harness.planning.question import Setting
from harness.suite import override
from judges.pairwise import CRITERIA, schema_of
from judges.types import Presentation, Prompt, Sampling, Usage

APIS = ("openai", "anthropic")
CHARACTERS_A_TOKEN = 4
# Tokens of an answer whose verdict token alone is looked at.
LOOKED_AT = 8
MEASURED = "the pilot"
ESTIMATED = "the texts, 4 characters a token, answers as long as max_tokens allows (an upper bound)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """The calls of one model at one kind of work, and a call's mean tokens; `source` says where those are from."""

    spec: Spec
    purpose: Purpose
    calls: int
    rate: Rate
    source: str

    @property
    def usage(self) -> Usage:
        """The tokens of one call, rounded up."""
        return Usage(input_tokens=math.ceil(self.rate.input), output_tokens=math.ceil(self.rate.output))


Recorded = Mapping[str, RecordedResponses]


def work_for(n: int, setting: Setting, pilot: Pilot) -> tuple[Work, ...]:
    """The work of n prompts: a seeded draw of the suite's where it has as many, else more of the same kind.

    Raises InputError where recorded responses cannot be used.
    """
    suite = setting.suite
    prompts = limited(suite.prompts, n, suite.seed)
    scale = n / len(prompts)
    recorded = {
        role: load_responses(spec.path, role, prompts)  # type: ignore[arg-type]
        for role, spec in setting.contestants.items()
        if spec.kind == "recorded"
    }
    repeats = _repeats(setting, prompts, recorded)
    asked = [
        _responses(spec, prompts, repeats, setting, scale, pilot)
        for spec in setting.contestants.values()
        if spec.kind in APIS
    ]
    judged = [
        _judgments(spec, n, prompts, repeats, setting, scale, pilot, recorded)
        for spec in setting.judges
        if spec.kind in APIS
    ]
    return (*asked, *judged)


def _repeats(setting: Setting, prompts: Sequence[Prompt], recorded: Recorded) -> dict[str, int]:
    """Samples of every prompt, as a run takes them."""
    both = list(recorded.values()) if len(recorded) == 2 else []
    return {
        prompt.id: prompt.repeats or setting.suite.repeats or min((file.samples(prompt.id) for file in both), default=1)
        for prompt in prompts
    }


def _responses(
    spec: Spec,
    prompts: Sequence[Prompt],
    repeats: Mapping[str, int],
    setting: Setting,
    scale: float,
    pilot: Pilot,
) -> Work:
    calls = sum(repeats[prompt.id] * len(prompt.turns) for prompt in prompts)
    taken = written = 0.0
    for prompt in prompts:
        most = _sampling(setting, prompt).max_tokens
        for turn in range(len(prompt.turns)):
            said = sum(len(message.content) for message in conversation(prompt, [""] * turn))
            taken += repeats[prompt.id] * (said / CHARACTERS_A_TOKEN + turn * most)
            written += repeats[prompt.id] * most
    rate = pilot.rates.get((spec.text, "responses"))
    return Work(
        spec=spec,
        purpose="responses",
        calls=math.ceil(scale * calls - 1e-9),
        rate=rate or Rate(input=taken / calls, output=written / calls),
        source=MEASURED if rate else ESTIMATED,
    )


def _judgments(
    spec: Spec,
    n: int,
    prompts: Sequence[Prompt],
    repeats: Mapping[str, int],
    setting: Setting,
    scale: float,
    pilot: Pilot,
    recorded: Recorded,
) -> Work:
    orders = 2 if setting.suite.orders == "both" else 1
    shown = sum(orders * repeats[prompt.id] for prompt in prompts)
    rate = pilot.rates.get((spec.text, "judgments"))
    return Work(
        spec=spec,
        purpose="judgments",
        # A control pair is one in both orders.
        calls=math.ceil(scale * shown - 1e-9) + 2 * control_count(n),
        rate=rate or _presented(prompts, repeats, setting, recorded, spec),
        source=MEASURED if rate else ESTIMATED,
    )


def _presented(
    prompts: Sequence[Prompt], repeats: Mapping[str, int], setting: Setting, recorded: Recorded, spec: Spec
) -> Rate:
    """The mean tokens of a presentation: the judge's template filled with the prompt, and two answers."""
    asked, criteria, total = template_of(spec), setting.suite.criteria, 0.0
    assert asked is not None
    written = spec.asking.mode != "verdict-token"
    wanted = len(json.dumps(schema_of(criteria or CRITERIA).schema)) if written and asked.wants_json else 0
    fits(asked, prompts, criteria)
    for prompt in prompts:
        empty = ("",) * len(prompt.turns)
        messages = asked.messages(Presentation(prompt=prompt, a=empty, b=empty), criteria)
        text = (sum(len(message.content) for message in messages) + wanted) / CHARACTERS_A_TOKEN
        answers = sum(_answer(prompt, setting, recorded.get(role)) for role in ("candidate", "baseline"))
        total += repeats[prompt.id] * (text + answers)
    output = setting.suite.judge_sampling.max_tokens if written else LOOKED_AT
    return Rate(input=total / sum(repeats.values()), output=output)


def _answer(prompt: Prompt, setting: Setting, recorded: RecordedResponses | None) -> float:
    """The tokens of one contestant's answer: a recorded one's own, else as many as it may have."""
    if recorded is None:
        return float(len(prompt.turns) * _sampling(setting, prompt).max_tokens)
    count = recorded.samples(prompt.id)
    texts = [recorded.by_key[prompt.id, sample].texts() or () for sample in range(count)]
    return sum(len(text) for whole in texts for text in whole) / count / CHARACTERS_A_TOKEN


def _sampling(setting: Setting, prompt: Prompt) -> Sampling:
    return override(setting.suite.sampling, prompt.sampling)
