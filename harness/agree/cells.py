"""Figures of agreement as the cells of a table, on a page and on a terminal alike; a dash where there is none."""

from __future__ import annotations

from harness.agree import words
from harness.agree.gold import AgainstGold
from harness.agree.measured import Group, OneJudge, Pair
from harness.outcome import ORDERS
from harness.report.numerals import DASH, percent, span

JUDGE = ("n", "win rate", "95 %", "W–L–T", "first shown", "kappa")
JUDGE_KEY = (
    "win rate: of the candidate; first shown: decisive verdicts for whichever was shown first, 95 % by prompts; "
    "kappa: its mean over the other judges, weighted by the prompts they share"
)
PAIR = ("n", "agree", "kappa", "95 %", "AC1", "W/L/T % of both")
PAIR_WIDE = ("n", "agree", "kappa", "95 %", "AC1", "95 %", "W/L/T % of both")
CATEGORY = ("n", "all alike", "alpha", "95 %", "Fleiss")
CATEGORY_KEY = "all alike: of prompts that two or more judges scored; n of these"
GOLD = ("n", "right", "95 %", "kappa", "cand. 1st", "base. 1st", "both", "agree")
GOLD_KEY = (
    "right: prompts on which both say the same; cand. 1st, base. 1st: presentations right with candidate or baseline "
    "shown first; both: right in both orders; agree: both orders say the same. Those by order count every answered "
    "presentation, a reply without a verdict being wrong; their counts are in --json"
)


def judge(name: str, one: OneJudge, group: Group) -> list[str]:
    """Cells under `JUDGE`."""
    estimate, first = one.estimate, one.position.first
    pairs = [pair.found for pair in group.pairs if name in (pair.a, pair.b) and pair.found.kappa is not None]
    seen = sum(pair.n for pair in pairs)
    kappa = sum(pair.n * pair.kappa for pair in pairs if pair.kappa is not None) / seen if seen else None
    named = percent(first.rate, first.decisive) if first.rate is not None else DASH
    return [
        f"{estimate.n:,}",
        percent(estimate.mean, estimate.n) if estimate.mean is not None else DASH,
        span(*estimate.ci, estimate.n) if estimate.ci is not None else DASH,
        f"{one.wins:,}–{one.losses:,}–{one.ties:,}",
        named + (f" ({span(*first.ci, first.decisive)})" if first.ci is not None else ""),
        coefficient(kappa),
    ]


def pair_wide(one: Pair) -> list[str]:
    """Cells under `PAIR_WIDE`."""
    *others, rates = pair(one)
    return [*others, ends(one.found.ac1_ci), rates]


def pair(one: Pair) -> list[str]:
    """Cells under `PAIR`; eighty columns have no room for AC1's interval."""
    found = one.found
    rates = [words.rates(shares, found.n) for shares in (found.shares_a, found.shares_b) if shares]
    return [
        f"{found.n:,}",
        percent(found.agreement, found.n) if found.agreement is not None else DASH,
        coefficient(found.kappa),
        ends(found.kappa_ci),
        coefficient(found.ac1),
        " ".join(rates) or DASH,
    ]


def category(group: Group) -> list[str]:
    """Cells under `CATEGORY`."""
    return [
        f"{group.compared:,}",
        percent(group.unanimous / group.compared, group.compared) if group.compared else DASH,
        coefficient(group.alpha.value),
        ends(group.alpha.ci),
        coefficient(group.fleiss),
    ]


def against(one: AgainstGold) -> list[str]:
    """Cells under `GOLD`."""
    shares = [one.right, *(one.by_order[order] for order in ORDERS), one.both, one.same]
    right, *others = [percent(share.rate, share.n) if share.rate is not None else DASH for share in shares]
    interval = span(*one.right.ci, one.right.n) if one.right.ci is not None else DASH
    return [f"{one.right.n:,}", right, interval, coefficient(one.agreement.kappa), *others]


def coefficient(value: float | None) -> str:
    """A coefficient, or a dash."""
    return words.coefficient(value) if value is not None else DASH


def ends(ci: tuple[float, float] | None) -> str:
    """ "0.31–0.61"; with "to" where a minus sign would stand beside the dash."""
    return DASH if ci is None else words.between(ci).replace(" to ", "–" if min(ci) >= 0 else " to ")
