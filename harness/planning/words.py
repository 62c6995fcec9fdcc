"""A plan in words for a terminal: the answer, then calls, tokens and dollars, then what is in doubt.

Before the answer stands what a run would decide otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.budget import dollars
from harness.models.prices import YOUR_FILE
from harness.planning.calls import ESTIMATED, Work
from harness.planning.doubts import impossible
from harness.planning.plan import Plan, Sized
from harness.planning.rates import rate, rate_above, rate_below
from harness.report.columns import note, wrap
from harness.report.numerals import plural
from harness.stats.power import least_sd


def render(plan: Plan) -> str:
    """The plan as lines of at most 80 columns."""
    blocks = [[*_first(plan)], [*_answer(plan)], [*_spread(plan)], [*_calls(plan)], [*_notes(plan)]]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _first(plan: Plan) -> Iterator[str]:
    for said in plan.first:
        yield wrap(said[0].upper() + said[1:] + ".")


def _answer(plan: Plan) -> Iterator[str]:
    asked = plan.asked
    chance = f"{100 * asked.power:g} % power" + ("" if asked.alpha == 0.05 else f" at alpha {asked.alpha:g}")
    if asked.effect is not None:
        lacking = "" if plan.enough else f": {plan.n_prompts - plan.in_suite:,} too few"
        yield wrap(
            f"To see a win rate of {rate(asked.effect)} with {chance} you need "
            f"{plural(plan.n_prompts, 'prompt')}; {_suite_has(plan)}{lacking}."
        )
    elif plan.effect is None:
        yield wrap(
            f"{plural(plan.in_suite, 'prompt')} can show nothing with {chance}, not even of a candidate that always "
            "wins; add prompts."
        )
    else:
        yield wrap(
            f"The {plural(plan.in_suite, 'prompt')} of this suite can show a win rate of {rate_above(plan.effect)} or "
            f"more with {chance} (and of {rate_below(plan.effect)} or less: a candidate that is worse)."
        )


def _suite_has(plan: Plan) -> str:
    visible = plan.sized.visible
    shows = "which can show nothing" if visible is None else f"which can show {rate_above(visible)} or more"
    return f"this suite has {plan.in_suite:,}, {shows}"


def _spread(plan: Plan) -> Iterator[str]:
    if plan.sized.sd is None:
        ties = " Ties would need fewer; --pilot RUN measures it." if plan.asked.pilot is None else ""
        yield wrap(f"Planned for the worst case: every prompt decisive.{ties}")
        return
    yield wrap(
        f"Planned with the spread of the prompts' scores about 1/2 in the {plan.pilot.source}: {plan.sized.sd:.2f} "
        f"(0.50 where every prompt is decisive){_raised(plan)}."
    )
    if plan.upper is not None:
        yield wrap(f"With the upper 80 % bound of that spread, {plan.upper.sd:.2f}: {_sized(plan.upper)}.")


def _raised(plan: Plan) -> str:
    sd = plan.sized.sd
    if sd is None or plan.effect is None or not impossible(plan.effect, sd):
        return ""
    return f", raised to {least_sd(plan.effect):.2f} as noted below"


def _sized(sized: Sized) -> str:
    visible = sized.visible
    shows = "this suite shows nothing" if visible is None else f"this suite shows {rate_above(visible)} or more"
    return shows if sized.needed is None else f"{plural(sized.needed, 'prompt')}, and {shows}"


def _calls(plan: Plan) -> Iterator[str]:
    if not plan.work:
        free = "nothing is paid" if plan.cost_usd is not None else "what it costs depends on who is not named yet"
        yield wrap(f"No model behind an API is named: {free}.")
        return
    taken, written = plan.tokens
    calls = plural(sum(work.calls for work in plan.work), "call")
    split = f"{plural(plan.calls('judgments'), 'judgment')}, {plural(plan.calls('responses'), 'response')}"
    tokens = f"{taken:,} tokens in, {written:,} out"
    yield wrap(f"{calls} for {plural(plan.n_prompts, 'prompt')}: {split}; {tokens}; {_total(plan)}.")
    for work in plan.work:
        yield note(_line(plan, work))
    for source in sorted({work.source for work in plan.work}):
        yield note(f"tokens from {source}")
    if plan.price_source is not None:
        more = "" if plan.price_source == YOUR_FILE else "; HARNESS_PRICES overrides them"
        yield note(f"prices: {plan.price_source}{more}")


def _line(plan: Plan, work: Work) -> str:
    usage, spec = work.usage, work.spec.text
    usd = plan.costs[spec]
    shared = " in all" if sum(other.spec.text == spec for other in plan.work) > 1 else ""
    paid = "price unknown" if usd is None else f"{dollars(usd)}{shared}"
    each = f"{usage.input_tokens:,} tokens in and {usage.output_tokens:,} out each"
    return f"{spec}: {work.calls:,} {work.purpose}, {each}, {paid}"


def _total(plan: Plan) -> str:
    if plan.cost_usd is not None:
        bound = "up to about" if any(work.source == ESTIMATED for work in plan.work) else "about"
        return f"cost {bound} {dollars(plan.cost_usd)}"
    return "cost unknown" if not plan.known_usd else f"cost unknown ({dollars(plan.known_usd)} of it known)"


def _notes(plan: Plan) -> Iterator[str]:
    for said in plan.notes:
        yield wrap(said, first="- ", rest="  ")
