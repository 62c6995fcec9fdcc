"""The verdict-token judge: probabilities become a verdict and a preference, and what names none is never a guess."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.template import load
from judges.types import Choice, Finish, Presentation, Prompt, Request
from judges.verdict_token import VerdictTokenJudge, ruling_of

SHOWN = Presentation(prompt=Prompt(id="p", turns=("Name a soup.",)), a=("leek",), b=("rock",))
SHARES = st.lists(st.floats(0.001, 1), min_size=3, max_size=3)


@dataclass
class ScriptedChooser:
    """Gives the same choice to whoever asks, and remembers what was asked."""

    choice: Choice
    asked: list[tuple[Request, tuple[str, ...], str]] = field(default_factory=list)

    async def choose(self, request: Request, *, menu: tuple[str, ...], lead: str) -> Choice:
        self.asked.append((request, menu, lead))
        return self.choice


def choice(a: float, b: float, tie: float, **rest: object) -> Choice:
    return Choice(probabilities={"A": a, "B": b, "C": tie}, mass=0.9, **rest)  # type: ignore[arg-type]


def test_the_letters_are_asked_for_right_after_the_template_s_lead() -> None:
    chooser = ScriptedChooser(choice(0.5, 0.3, 0.2, applied={"top_logprobs": 20}, model="m"))
    judge = VerdictTokenJudge(name="hf/x", chooser=chooser, template=load("verdict"), nonce="n")
    ruling = asyncio.run(judge.judge(SHOWN, rng=random.Random(0), repeat=2))
    ((request, menu, lead),) = chooser.asked
    assert (menu, lead) == (("A", "B", "C"), "[[")
    assert (request.repeat, request.nonce, request.template) == (2, "n", load("verdict").sha256)
    assert (ruling.verdict, ruling.status, ruling.mode, ruling.probability_a) == ("A", "ok", "verdict-token", 0.6)
    assert ruling.scores == {"A": 0.5, "B": 0.3, "tie": 0.2}
    assert ruling.asked == {"top_logprobs": 20, "mass": 0.9, "model": "m"}


@pytest.mark.parametrize(
    ("likely", "verdict"),
    [((0.5, 0.3, 0.2), "A"), ((0.3, 0.5, 0.2), "B"), ((0.3, 0.3, 0.4), "tie"), ((0.4, 0.4, 0.2), "tie")],
)
def test_the_likeliest_is_the_verdict(likely: tuple[float, float, float], verdict: str) -> None:
    assert ruling_of(choice(*likely)).verdict == verdict


@pytest.mark.parametrize(
    ("finish", "status"), [("stop", "invalid_parse"), ("length", "truncated"), ("refused", "refused")]
)
def test_an_answer_without_a_verdict_has_a_name_and_no_winner(finish: Finish, status: str) -> None:
    ruling = ruling_of(Choice(probabilities={}, mass=None, reply="I like both", finish=finish))
    assert (ruling.verdict, ruling.status, ruling.reply) == (None, status, "I like both")
    assert (ruling.probability_a, ruling.scores, ruling.mode) == (None, None, "verdict-token")


@given(SHARES)
def test_swapping_the_slots_mirrors_the_ruling(shares: list[float]) -> None:
    a, b, tie = (share / sum(shares) for share in shares)
    one, other = ruling_of(choice(a, b, tie)), ruling_of(choice(b, a, tie))
    assert one.verdict == {"A": "B", "B": "A", "tie": "tie"}[str(other.verdict)]
    assert one.probability_a is not None
    assert other.probability_a is not None
    assert one.probability_a + other.probability_a == pytest.approx(1, abs=1e-12)
