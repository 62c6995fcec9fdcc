"""A question, a suite and perhaps a pilot, into a plan: prompts, calls, tokens, dollars, and what stays in doubt.

An unknown price makes a total unknown, never smaller; what is known of it stands beside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    (None where there is no effect), `first` what is to be said before the answer: decisions that would come out otherwise.
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
    claims = _claims(asked, sized, len(place.suite.prompts))
    return Plan(
        asked=asked,
        setting=place,
        pilot=pilot,
        sized=sized,
        upper=upper,
        work=work,
        costs=costs,
        price_source=listed(sorted(sources)) or None,
        ends=_ends(claims[0], place, pilot)(place.suite.equivalence) if claims else None,
        first=tuple(_decided(asked, claims, place, pilot)),
        notes=(*pilot.notes, *_tied(claims, pilot), *_notes(place, pilot, costs)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """That n prompts show an effect; `rate` is its win rate in words."""

    n: int
    effect: float
    rate: str


def _claims(asked: Question, sized: Sized, in_suite: int) -> list[Claim]:
    """The answer to the question, then what the suite shows where that was not the question."""
    claims = []
    if asked.effect is not None and sized.needed is not None:
        claims.append(Claim(n=sized.needed, effect=asked.effect, rate=rate(asked.effect)))
    if sized.visible is not None:
        claims.append(Claim(n=in_suite, effect=sized.visible, rate=rate_above(sized.visible)))
    return claims


def _ends(claim: Claim, place: Setting, pilot: Pilot) -> Callable[[float], Chances]:
    """What a claim's runs end as, at an equivalence; at the alpha of runs, whatever the plan's own."""
    design = pilot.design_effect or 1.0
    return lambda equivalence: chances(
        claim.n, claim.effect, equivalence=equivalence, sd=pilot.sd, alpha=RUNS_ALPHA, design=design
    )


def _decided(asked: Question, claims: Sequence[Claim], place: Setting, pilot: Pilot) -> Iterator[str]:
    for claim in claims:
        ends = _ends(claim, place, pilot)
        equivalence = place.suite.equivalence
        said = on_decision(claim.rate, claim.n, claim.effect, asked.power, equivalence, ends)
        said = said or on_alpha(claim.rate, claim.n, asked.alpha, ends(equivalence))
        if said:
            yield said


def _tied(claims: Sequence[Claim], pilot: Pilot) -> Iterator[str]:
    for claim in claims:
        said = None if pilot.sd is None else on_ties(claim.rate, claim.effect, pilot.sd)
        if said:
            yield said


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
