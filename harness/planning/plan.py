"""A question, a suite and perhaps a pilot, into a plan: prompts, calls, tokens, dollars, and what stays in doubt.

An unknown price makes a total unknown, never smaller; what is known of it stands beside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from harness.models.prices import Prices, prices
from harness.planning.calls import APIS, Work, work_for
from harness.planning.doubts import RUNS_ALPHA, on_alpha, on_decision, on_ties
from harness.planning.outcomes import Chances, chances
from harness.planning.pilot import FEW, Pilot, read_pilot
from harness.planning.question import Question, Setting, setting
from harness.planning.rates import rate, rate_above
from harness.report.numerals import listed
from harness.stats.power import prompts_needed, visible_effect


@dataclass(frozen=True, kw_only=True, slots=True)
class Sized:
    """Prompts and effects for one standard deviation. `needed` is there where an effect was asked for."""

    sd: float | None
    needed: int | None
    visible: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All that `harness plan` says. `sized` is what is planned with, `upper` the same at a few-prompt pilot's bound.

    `costs` holds dollars by spec, None where the price is not known. `ends` is what runs of the planned size end as
    (None where there is no effect), `first` what is to be said before the answer: that they end otherwise.
    """

    asked: Question
    setting: Setting
    pilot: Pilot
    sized: Sized
    upper: Sized | None
    work: tuple[Work, ...]
    costs: Mapping[str, float | None]
    price_source: str | None
    ends: Chances | None
    first: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def in_suite(self) -> int:
        return len(self.setting.suite.prompts)

    @property
    def n_prompts(self) -> int:
        """The prompts that are needed, or where no effect was asked for, those of the suite."""
        return self.in_suite if self.sized.needed is None else self.sized.needed

    @property
    def effect(self) -> float | None:
        """The effect that was asked for, else the smallest that the suite shows; None where it shows none."""
        return self.sized.visible if self.asked.effect is None else self.asked.effect

    @property
    def enough(self) -> bool:
        return self.effect is not None and self.in_suite >= self.n_prompts

    @property
    def cost_usd(self) -> float | None:
        """What all of it costs; None where a price is not known, or who answers or judges."""
        known = [usd for usd in self.costs.values() if usd is not None]
        return math.fsum(known) if len(known) == len(self.costs) and not self.setting.unnamed else None

    @property
    def known_usd(self) -> float:
        return math.fsum(usd for usd in self.costs.values() if usd is not None)

    def calls(self, purpose: str) -> int:
        return sum(work.calls for work in self.work if work.purpose == purpose)

    @property
    def tokens(self) -> tuple[int, int]:
        """Tokens of input and of output."""
        taken = sum(work.calls * work.usage.input_tokens for work in self.work)
        return taken, sum(work.calls * work.usage.output_tokens for work in self.work)

    def as_json(self) -> dict[str, Any]:
        """The object of the contract, with the keys this project adds at its end."""
        taken, written = self.tokens
        upper = self.upper
        return {
            "n_prompts": self.n_prompts,
            "effect": self.effect,
            "power": self.asked.power,
            "alpha": self.asked.alpha,
            "calls": sum(work.calls for work in self.work),
            "cost_usd": self.cost_usd,
            "in_suite": self.in_suite,
            "enough": self.enough,
            "visible_effect": self.sized.visible,
            "judge_calls": self.calls("judgments"),
            "response_calls": self.calls("responses"),
            "tokens": {"input": taken, "output": written},
            "token_source": listed(sorted({work.source for work in self.work})) or None,
            "cost_by_spec": dict(self.costs),
            "known_cost_usd": self.known_usd,
            "price_source": self.price_source,
            "sd": self.sized.sd,
            "sd_source": self.pilot.source,
            "design_effect": self.pilot.design_effect,
            "upper": None
            if upper is None
            else {"sd": upper.sd, "n_prompts": upper.needed, "visible_effect": upper.visible},
            "power_to_decide": None if self.ends is None else self.ends.better,
            "notes": [*self.first, *self.notes],
        }


def make(asked: Question) -> Plan:
    """Plan. Raises InputError where the question, the suite, the pilot or a price file cannot be used."""
    asked.check()
    known, place = prices(), setting(asked)
    pilot = read_pilot(asked.pilot, place)
    sized = _sized(asked, place, pilot, pilot.sd)
    upper = None if pilot.upper is None else _sized(asked, place, pilot, pilot.upper)
    n = len(place.suite.prompts) if sized.needed is None else sized.needed
    work = work_for(n, place, pilot)
    costs, sources = _costs(place, work, known)
    claims = _claims(asked, sized, place, pilot)
    return Plan(
        asked=asked,
        setting=place,
        pilot=pilot,
        sized=sized,
        upper=upper,
        work=work,
        costs=costs,
        price_source=listed(sorted(sources)) or None,
        ends=claims[0].ends(place.suite.equivalence) if claims else None,
        first=tuple(_first(asked, claims, place.suite.equivalence)),
        notes=(
            *_decided(asked, claims[1:], place.suite.equivalence),
            *pilot.notes,
            *_tied(claims[:1], pilot),
            *_notes(place, pilot, costs),
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """That n prompts show an effect; `rate` is its win rate in words, `ends` what runs end as at an equivalence."""

    n: int
    effect: float
    rate: str
    ends: Callable[[float], Chances]


def _claims(asked: Question, sized: Sized, place: Setting, pilot: Pilot) -> list[Claim]:
    """The answer to the question, then what the suite shows where that was not the question."""
    answers = []
    if asked.effect is not None and sized.needed is not None:
        answers.append((sized.needed, asked.effect, rate(asked.effect)))
    if sized.visible is not None:
        answers.append((len(place.suite.prompts), sized.visible, rate_above(sized.visible)))
    return [Claim(n=n, effect=effect, rate=said, ends=_ends(n, effect, pilot)) for n, effect, said in answers]


def _ends(n: int, effect: float, pilot: Pilot) -> Callable[[float], Chances]:
    """What n prompts end as, at an equivalence; at the alpha of runs, whatever the plan's own."""

    @cache
    def found(equivalence: float) -> Chances:
        design = pilot.design_effect or 1.0
        return chances(n, effect, equivalence=equivalence, sd=pilot.sd, alpha=RUNS_ALPHA, design=design)

    return found


def _first(asked: Question, claims: Sequence[Claim], equivalence: float) -> list[str]:
    """What is said before the answer: that runs end otherwise, for the suite's equivalence or for the alpha of runs."""
    said = _decided(asked, claims[:1], equivalence)
    if said or not claims:
        return said
    claim = claims[0]
    stricter = on_alpha(claim.rate, claim.n, asked.alpha, claim.ends(equivalence))
    return [stricter] if stricter else []


def _decided(asked: Question, claims: Sequence[Claim], equivalence: float) -> list[str]:
    said = [on_decision(each.rate, each.n, each.effect, asked.power, equivalence, each.ends) for each in claims]
    return [sentence for sentence in said if sentence]


def _tied(claims: Sequence[Claim], pilot: Pilot) -> list[str]:
    said = [] if pilot.sd is None else [on_ties(claim.rate, claim.effect, pilot.sd, pilot.decisive) for claim in claims]
    return [sentence for sentence in said if sentence]


def _sized(asked: Question, place: Setting, pilot: Pilot, sd: float | None) -> Sized:
    more = pilot.design_effect or 1.0
    known: dict[str, Any] = {"power": asked.power, "alpha": asked.alpha, "sd": sd}
    alone = int(len(place.suite.prompts) / more)
    return Sized(
        sd=sd,
        needed=None if asked.effect is None else math.ceil(more * prompts_needed(asked.effect, **known) - 1e-9),
        visible=visible_effect(alone, **known),
    )


def _costs(place: Setting, work: Sequence[Work], known: Prices) -> tuple[dict[str, float | None], set[str]]:
    """Dollars by spec: 0 for what runs here, None for an API whose price is not known; and where prices are from."""
    costs: dict[str, float | None] = {
        spec.text: 0.0 for spec in (*place.contestants.values(), *place.judges) if spec.kind not in APIS
    }
    sources: set[str] = set()
    for each in work:
        price = known.of(each.spec)
        before = costs.get(each.spec.text, 0.0)
        if price is None or before is None:
            costs[each.spec.text] = None
            continue
        sources.add(price.source)
        costs[each.spec.text] = before + each.calls * price.of(each.usage)
    return costs, sources


def _notes(place: Setting, pilot: Pilot, costs: Mapping[str, float | None]) -> list[str]:
    notes = []
    if len(place.suite.prompts) < place.full:
        notes.append(f"only {len(place.suite.prompts)} of the suite's {place.full} prompts are taken (--limit)")
    if place.unnamed:
        ways = listed([f"--{role} SPEC" for role in place.unnamed])
        notes.append(f"the suite names no {listed(place.unnamed)}: what that costs is not counted; add {ways}")
    if pilot.upper is not None:
        notes.append(
            f"fewer than {FEW} prompts were scored, so the measured spread is itself uncertain: its upper 80 % bound "
            f"is {pilot.upper:.2f} (Browne 1995)"
        )
    unknown = [spec for spec, usd in costs.items() if usd is None]
    if unknown:
        notes.append(f"the price of {listed(unknown)} is not known; HARNESS_PRICES names a file that can say it")
    if any(spec.kind in APIS for spec in (*place.contestants.values(), *place.judges)):
        notes.append(
            "identical responses are ties without a call and cached replies are free; a reply without a verdict is "
            "asked once more"
        )
    return notes
