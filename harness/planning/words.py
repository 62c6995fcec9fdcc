"""A plan in words for a terminal: the answer first, then calls, tokens and dollars, then what is in doubt."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator

from harness.models.budget import dollars
from harness.models.prices import YOUR_FILE
from harness.planning.calls import Work
from harness.planning.plan import Plan, Sized
from harness.report.numerals import one_line, plural

WIDTH = 80


def render(plan: Plan) -> str:
    """The plan as lines of at most 80 columns."""
    blocks = [[*_answer(plan)], [*_spread(plan)], [*_calls(plan)], [*_notes(plan)]]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def rate(effect: float) -> str:
    """The win rate that an effect stands for, rounded up, so that "or more" stays true: "67 %"."""
    digits = 0 if effect >= 0.05 else 1 if effect >= 0.005 else 3
    return f"{math.ceil((50 + 100 * effect) * 10**digits - 1e-6) / 10**digits:g} %"


def _wrap(text: str, first: str = "", rest: str = "") -> str:
    kept = one_line(text).replace(" %", "\N{NO-BREAK SPACE}%")
    lines = textwrap.wrap(
        kept, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=True, break_on_hyphens=False
    )
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def _answer(plan: Plan) -> Iterator[str]:
    asked, power = plan.asked, f"{100 * plan.asked.power:g} % power"
    alpha = "" if asked.alpha == 0.05 else f" at alpha {asked.alpha:g}"
    if asked.effect is not None:
        wanted = f"{50 + 100 * asked.effect:.6g} %"
        said = f"To see a win rate of {wanted} with {power}{alpha} you need {plural(plan.n_prompts, 'prompt')}; "
        yield _wrap(
            said + _suite_has(plan) + ("." if plan.enough else f": {plan.n_prompts - plan.in_suite:,} too few.")
        )
    elif plan.effect is None:
        yield _wrap(
            f"{plural(plan.in_suite, 'prompt')} show nothing with {power}{alpha}: even a candidate that always wins "
            "leaves it to chance; add prompts."
        )
    else:
        yield _wrap(
            f"The {plural(plan.in_suite, 'prompt')} of this suite can show a win rate of {rate(plan.effect)} or more "
            f"with {power}{alpha} (or of {_mirrored(plan.effect)} or less: a candidate that is worse)."
        )


def _mirrored(effect: float) -> str:
    digits = 0 if effect >= 0.05 else 1 if effect >= 0.005 else 3
    return f"{math.floor((50 - 100 * effect) * 10**digits + 1e-6) / 10**digits:g} %"


def _suite_has(plan: Plan) -> str:
    visible = plan.sized.visible
    shows = "which can show nothing" if visible is None else f"which can show {rate(visible)} or more"
    return f"this suite has {plan.in_suite:,}, {shows}"


def _spread(plan: Plan) -> Iterator[str]:
    if plan.sized.sd is None:
        yield _wrap(
            "Planned for the worst case: every prompt decisive. Ties would need fewer; --pilot RUN measures it."
        )
        return
    yield _wrap(f"Planned with the spread of the prompts' scores in {plan.pilot.source}: sd {plan.sized.sd:.2f}.")
    if plan.upper is not None:
        yield _wrap(f"With the upper 80 % bound of that spread, sd {plan.upper.sd:.2f}: {_sized(plan.upper)}.")


def _sized(sized: Sized) -> str:
    shows = "this suite shows nothing" if sized.visible is None else f"this suite shows {rate(sized.visible)} or more"
    return shows if sized.needed is None else f"{plural(sized.needed, 'prompt')}, and {shows}"


def _calls(plan: Plan) -> Iterator[str]:
    if not plan.work:
        yield _wrap("No model behind an API takes part: nothing is paid.")
        return
    taken, written = plan.tokens
    calls = sum(work.calls for work in plan.work)
    yield _wrap(
        f"{plural(calls, 'call')} for {plural(plan.n_prompts, 'prompt')}: {plural(plan.calls('judgments'), 'judgment')}, "
        f"{plural(plan.calls('responses'), 'response')}; {taken:,} tokens in, {written:,} out; {_total(plan)}."
    )
    for work in plan.work:
        yield _wrap(_line(plan, work), "  ", "    ")
    for source in sorted({work.source for work in plan.work}):
        yield _wrap(f"tokens from {source}", "  ", "    ")
    if plan.price_source is not None:
        more = "" if plan.price_source == YOUR_FILE else "; HARNESS_PRICES overrides them"
        yield _wrap(f"prices from {plan.price_source}{more}", "  ", "    ")


def _line(plan: Plan, work: Work) -> str:
    usage = work.usage
    each = f"{usage.input_tokens:,} tokens in and {usage.output_tokens:,} out each"
    return f"{work.spec.text}: {work.calls:,} {work.purpose}, {each}, {_paid(plan.costs[work.spec.text])}" + (
        " in all" if sum(other.spec.text == work.spec.text for other in plan.work) > 1 else ""
    )


def _paid(usd: float | None) -> str:
    return "price unknown" if usd is None else dollars(usd)


def _total(plan: Plan) -> str:
    if plan.cost_usd is not None:
        return f"cost {dollars(plan.cost_usd)}"
    return "cost unknown" if not plan.known_usd else f"cost unknown ({dollars(plan.known_usd)} of it known)"


def _notes(plan: Plan) -> Iterator[str]:
    for note in plan.notes:
        yield _wrap(note, "- ", "  ")
