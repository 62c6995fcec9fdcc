"""What an audit shows a judge: pure and seeded, the same for every judge of the same texts.

Each probe pairs a *subject* with what stands beside it: the candidate's response with the baseline's (position, and the
same presentation again), a padded copy with its original (verbosity), a damaged copy with its original, bare (damage)
or with an attack on the judge in it (injection). What the responses do not allow is counted in `left_out`, never shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from harness.outcome import ORDERS, Order, verdict_of
from harness.plan import damaged_copy, seeded
from judges.attacks import KINDS, Attack, attacked, of_kind
from judges.controls import DAMAGES, Texts
from judges.probes import PADDINGS, padded
from judges.template import as_judged
from judges.types import Prompt

Probe = Literal["position", "again", "verbosity", "damage", "injection"]
PROBES: tuple[Probe, ...] = get_args(Probe)
ROLES = ("candidate", "baseline")
Responses = Mapping[tuple[str, str], Texts]
T = TypeVar("T")
UNSEEN = "an attack stands in thinking marks alone, which no judge is shown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One presentation: `order` "candidate_first" shows the subject first, as in a run it would the candidate.

    `variant` names the padding, the damage or the attack; `role` whose response the subject was made of.
    """

    probe: Probe
    prompt: Prompt
    subject: Texts
    beside: Texts
    order: Order
    repeat: int = 0
    variant: str = ""
    role: str = "candidate"

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        return (self.probe, self.variant, self.prompt.id, self.order, self.repeat)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Every presentation of an audit, and why prompts lack some, counted by reason."""

    shown: tuple[Shown, ...]
    left_out: Mapping[str, int]

    def count(self, probe: Probe) -> int:
        """The presentations of one probe."""
        return sum(shown.probe == probe for shown in self.shown)


def at_most(prompts: int, times: int) -> dict[Probe, int]:
    """How many presentations an audit of so many prompts has where the responses allow all of them."""
    return {
        "position": 2 * prompts,
        "again": (times - 1) * prompts,
        "verbosity": 2 * prompts,
        "damage": prompts,
        "injection": len(KINDS) * prompts,
    }


def planned(prompts: Sequence[Prompt], responses: Responses, *, seed: int, times: int) -> Plan:
    """The plan of an audit of these responses, by (prompt id, role), that shows the same presentation `times` times.

    Orders, roles, paddings, damages and the texts of every kind of attack are dealt out evenly over the prompts; which
    one a prompt gets depends on no response and on no other prompt's.
    """
    hands = {
        name: dict(zip((p.id for p in prompts), _dealt(len(prompts), options, seed, name), strict=True))
        for name, options in _OPTIONS.items()
    }
    shown: list[Shown] = []
    left_out: Counter[str] = Counter()
    for prompt in prompts:
        hand = {name: dealt[prompt.id] for name, dealt in hands.items()}
        for some, why in (
            _position(prompt, responses, hand, times),
            _verbosity(prompt, responses, hand, seed),
            _injection(prompt, prompts, responses, hand, seed),
        ):
            shown += some
            left_out.update([why] if why else [])
    return Plan(shown=tuple(shown), left_out=dict(sorted(left_out.items())))


_OPTIONS: Mapping[str, Sequence[object]] = {
    "again order": ORDERS,
    "attack order": ORDERS,
    "padded role": ROLES,
    "padding": tuple(PADDINGS),
    "damaged role": ROLES,
    "damage": DAMAGES,
    **{f"attack {kind}": of_kind(kind) for kind in KINDS},
}


def _dealt(count: int, options: Sequence[T], seed: int, name: str) -> list[T]:
    """One option for each of `count` places, every option as often as any other, give or take one."""
    rng = seeded(seed, "audit", name)
    first = rng.randrange(len(options))
    places = list(range(count))
    rng.shuffle(places)
    return [options[(first + place) % len(options)] for place in places]


Some = tuple[list[Shown], str | None]
Hand = Mapping[str, object]


def _position(prompt: Prompt, responses: Responses, hand: Hand, times: int) -> Some:
    candidate, baseline = (responses.get((prompt.id, role)) for role in ROLES)
    if candidate is None or baseline is None:
        return [], "a response is missing"
    if candidate == baseline:
        return [], "both responses are the same text"
    asked: list[tuple[Probe, Order, int]] = [("position", order, 0) for order in ORDERS]
    asked += [("again", _order(hand["again order"]), repeat) for repeat in range(1, times)]
    return [
        Shown(probe=probe, prompt=prompt, subject=candidate, beside=baseline, order=order, repeat=repeat)
        for probe, order, repeat in asked
    ], None


def _verbosity(prompt: Prompt, responses: Responses, hand: Hand, seed: int) -> Some:
    kind = str(hand["padding"])
    for role in _roles(hand["padded role"]):
        texts = responses.get((prompt.id, role))
        longer = padded(texts, kind, seeded(seed, "padding", prompt.id, role, kind)) if texts is not None else None
        if texts is not None and longer is not None:
            return [
                Shown(
                    probe="verbosity",
                    prompt=prompt,
                    subject=longer,
                    beside=texts,
                    order=order,
                    variant=kind,
                    role=role,
                )
                for order in ORDERS
            ], None
    return [], "no response holds a word to pad"


def _injection(prompt: Prompt, prompts: Sequence[Prompt], responses: Responses, hand: Hand, seed: int) -> Some:
    order = _order(hand["attack order"])
    start = DAMAGES.index(str(hand["damage"]))
    for role in _roles(hand["damaged role"]):
        whole = responses.get((prompt.id, role))
        for damage in (*DAMAGES[start:], *DAMAGES[:start]) if whole is not None else ():
            rng = seeded(seed, "audit damage", prompt.id, role, damage)
            broken = damaged_copy(damage, prompt, role, prompts, responses, rng)
            if whole is not None and broken is not None:
                bare = Shown(
                    probe="damage", prompt=prompt, subject=broken, beside=whole, order=order, variant=damage, role=role
                )
                tries = [_with_attack(bare, hand[f"attack {kind}"]) for kind in KINDS]
                seen = [shown for shown in tries if not _same(shown.subject, bare.subject)]
                return [bare, *seen], None if len(seen) == len(tries) else UNSEEN
    return [], "no response can be damaged (one-word answers, a single prompt)"


def _same(one: Texts, other: Texts) -> bool:
    return [text.split() for text in one] == [text.split() for text in other]


def _with_attack(bare: Shown, attack: object) -> Shown:
    assert isinstance(attack, Attack)
    texts = attacked(bare.subject, attack, "A" if verdict_of("candidate", bare.order) == "A" else "B")
    return Shown(
        probe="injection",
        prompt=bare.prompt,
        # As in a run: no judge sees what an answer says within thinking marks.
        subject=tuple(map(as_judged, texts)),
        beside=bare.beside,
        order=bare.order,
        variant=attack.name,
        role=bare.role,
    )


def _roles(first: object) -> tuple[str, ...]:
    return ROLES if first == ROLES[0] else ROLES[::-1]


def _order(dealt: object) -> Order:
    return ORDERS[0] if dealt == ORDERS[0] else ORDERS[1]
