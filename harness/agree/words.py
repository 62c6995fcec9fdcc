"""What agreement figures mean, in sentences: the headline, what to know beside the figures, what to doubt in them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.agree.gold import AgainstGold
from harness.agree.measured import RESAMPLES, SEED, Agreement, Group, Pair
from harness.agree.rulings import CODE, MISSING, OUTCOMES
from harness.report.numerals import in_percent, listed, one_line, p_value, percent, plural
from harness.stats.agreement import PairAgreement
from harness.stats.alpha import Alpha
from harness.stats.intervals import SMALL

# Krippendorff's own marks (2004, Content Analysis, p. 241): reliable from 0.8, tentative conclusions from 0.667.
RELIABLE, TENTATIVE = 0.8, 0.667
# From where a raw agreement is called high, and a kappa low.
HIGH_AGREEMENT, LOW_KAPPA = 0.8, 0.4
# So many sentences of one kind are printed; the JSON holds all.
MOST = 6


def coefficient(value: float) -> str:
    """A coefficient of agreement to two decimals, three where rounding would move it onto −1, 0 or 1."""
    digits = 2
    while digits < 3 and any(round(value, digits) == mark and abs(value - mark) > 1e-9 for mark in (-1, 0, 1)):
        digits += 1
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def between(ci: tuple[float, float]) -> str:
    """ "0.31 to 0.61"."""
    return " to ".join(map(coefficient, ci))


def headline(found: Agreement) -> str:
    """How many judges and prompts there are, and on how many prompts all say the same."""
    whole = found.whole
    share = f" ({percent(whole.unanimous / whole.compared, whole.compared)})" if whole.compared else ""
    of = f"{whole.unanimous:,} of the {whole.compared:,} that two or more of them scored{share}"
    return f"{plural(len(found.judges), 'judge')} on {plural(whole.n, 'prompt')}: the same outcome on {of}."


def alpha_line(alpha: Alpha) -> str:
    """Krippendorff's alpha with its interval and what it allows to be concluded, or why there is none."""
    if alpha.value is None:
        return f"Krippendorff's alpha cannot be told: {alpha.reason}."
    ends = f"95 % {between(alpha.ci)}, " if alpha.ci is not None else "no interval, "
    return f"Krippendorff's alpha {coefficient(alpha.value)} ({ends}n = {alpha.n:,}): {_meaning(alpha.value)}."


def _meaning(alpha: float) -> str:
    if alpha >= RELIABLE:
        return "0.8 or more, what Krippendorff asks of verdicts that are to be relied on"
    if alpha >= TENTATIVE:
        return "enough for tentative conclusions (0.667), not to rely on (0.8), by Krippendorff's marks"
    if alpha > 0:
        return "below 0.667, where Krippendorff would conclude nothing from the verdicts"
    return "the judges agree no more often than chance would have them"


def fleiss_line(group: Group) -> str:
    """Fleiss' kappa, or why it does not apply."""
    if group.fleiss is None:
        return f"Fleiss' kappa: none; {group.fleiss_reason}."
    return f"Fleiss' kappa {coefficient(group.fleiss)} (n = {group.compared:,}, every judge on every prompt)."


def rates(shares: Sequence[float], n: int) -> str:
    """Base rates in percent, won, lost and tied: "75/23/2"."""
    return "/".join(in_percent(share, min(n, 999)) for share in shares)


def paradox(pair: PairAgreement, names: Sequence[str]) -> str | None:
    """One sentence where the raw agreement is high and kappa low or none: what chance alone would do; else None.

    `names` are the categories' in the order of the codes (Feinstein & Cicchetti 1990, 10.1016/0895-4356(90)90158-L).
    """
    if pair.agreement is None or pair.n < 2 or pair.agreement < HIGH_AGREEMENT:
        return None
    both = [a + b for a, b in zip(pair.shares_a, pair.shares_b, strict=True)]
    most = both.index(max(both))
    agreed = f"{percent(pair.agreement, pair.n)} agreement"
    if pair.kappa is None:
        return (
            f"{agreed}, but both say {names[most]!r} on every prompt: there is nothing to tell agreement from chance by"
        )
    if pair.kappa >= LOW_KAPPA:
        return None
    a, b = (percent(shares[most], pair.n) for shares in (pair.shares_a, pair.shares_b))
    said = f"both say {names[most]!r} on {a}" if a == b else f"they say {names[most]!r} on {a} and {b}"
    chance = sum(a * b for a, b in zip(pair.shares_a, pair.shares_b, strict=True))
    expected = f"by chance alone {in_percent(chance, 1000)} % would agree"
    return f"{agreed}, but {said} of prompts: {expected}; kappa {pair.kappa:.2f}"


def paradox_of(pair: Pair) -> str | None:
    """The sentence on two judges that agree often and hardly more than their base rates would have them."""
    return paradox(pair.found, OUTCOMES)


def notes(found: Agreement) -> list[str]:
    """What a reader must know beside the figures."""
    over = "clusters" if found.clustered else "prompts"
    said = [*found.inputs.notes, *_missing(found), *_rules(found), *_truth(found)]
    if found.clustered:
        said.append("prompts share clusters: intervals of kappa, AC1, alpha and the first-shown rate go by clusters")
    said.append(f"alpha's interval: {RESAMPLES:,} bootstrap resamples of {over}, seed {SEED}")
    return said


def _missing(found: Agreement) -> list[str]:
    lacking = [
        f"{name} {one.unscored:,} of {one.unscored + one.estimate.n:,}"
        for name, one in found.judges.items()
        if one.unscored
    ]
    if not lacking:
        return []
    return [f"prompts without a usable verdict are missing, and no disagreement: {listed(lacking, MOST)}"]


def _rules(found: Agreement) -> list[str]:
    fixed = [name for name in found.judges if name.startswith("control/")]
    if not fixed:
        return []
    verb = "judges by a fixed rule and counts" if len(fixed) == 1 else "judge by a fixed rule and count"
    without = f"; without: {alpha_line(found.real.alpha)[:-1]}" if found.real is not None else ""
    return [f"{listed(fixed)} {verb} here like any judge{without}"]


def _truth(found: Agreement) -> list[str]:
    if found.gold is None or found.against is None:
        return []
    truth = found.found.get(found.gold, {}).values()
    ties = sum(ruling.outcome == CODE["tie"] for ruling in truth)
    several = sum(ruling.repeats > 1 for ruling in truth)
    said = []
    if ties:
        said.append(f"{found.gold} calls {plural(ties, 'prompt')} a tie; only a tie is right there")
    if several:
        said.append(
            f"{found.gold} has several labels on {plural(several, 'prompt')}; their mean counts, and 1/2 is a tie"
        )
    absent = [(name, one.not_judged) for name, one in found.against.items()]
    unread = [(name, _unread(one)) for name, one in found.against.items()]
    for what, counts in (
        (f"prompts of {found.gold} that were not judged", absent),
        ("replies without a usable verdict, wrong where orders are counted", unread),
    ):
        named = [f"{name} {count:,}" for name, count in counts if count]
        said += [f"{what}: {listed(named, MOST)}"] if named else []
    said.append(
        "right: of prompts scored by both, over both orders; by order, and in both: of presentations that were "
        "answered, where a reply without a usable verdict is wrong (as LLMBar counts)"
    )
    if found.clustered:
        said.append("95 % of right takes prompts as independent; by clusters it stands in --json")
    return said


def _unread(one: AgainstGold) -> int:
    return sum(share.n - one.usable[order].n for order, share in one.by_order.items())


def doubts(found: Agreement) -> list[str]:
    """Why figures here should not be taken at their word."""
    whole = found.whole
    said = [f"alpha: {whole.alpha.unsafe}"] if whole.alpha.unsafe else []
    odd = [f"{_of(pair)}: {sentence}" for pair in whole.pairs if (sentence := paradox_of(pair))]
    said += _few(odd, "pairs like that")
    said += _unsafe([(_of(pair), pair.found.unsafe) for pair in whole.pairs], "kappas")
    said += _by_reason([(_of(pair), pair.found.reason) for pair in whole.pairs], "no kappa of", "pairs")
    shown = [(name, one.position.first.unsafe) for name, one in found.judges.items() if not name.startswith("control/")]
    said += _unsafe(shown, "first-shown rates")
    return [*said, *_leaning(found), *_small(found)]


def _leaning(found: Agreement) -> list[str]:
    """The judges whose two orders contradict each other more often one way than chance would have it."""
    by_side: dict[str, list[str]] = {"first": [], "second": []}
    for name, one in found.judges.items():
        lean = one.position.lean
        if lean.p_value <= 0.05 and not name.startswith("control/"):
            side = "first" if lean.toward_first > lean.toward_second else "second"
            most = max(lean.toward_first, lean.toward_second)
            by_side[side].append(f"{name} {most:,} of {lean.n:,} (p {p_value(lean.p_value)})")
    return [
        f"where the two orders name different winners, it is the one shown {side} both times: {listed(names)}"
        for side, names in by_side.items()
        if names
    ]


def _small(found: Agreement) -> list[str]:
    few = [name for name, group in found.categories.items() if group.compared < SMALL]
    if not few or found.whole.compared < SMALL:
        return [f"small n: {plural(found.whole.compared, 'prompt')} to compare"] if found.whole.compared < SMALL else []
    return [f"small n in {plural(len(few), 'category', 'categories')} (fewer than {SMALL} prompts): read as hints"]


def _of(pair: Pair) -> str:
    return f"{pair.a} and {pair.b}"


def _unsafe(found: Sequence[tuple[str, str | None]], what: str) -> list[str]:
    """Whose intervals should not be relied on, with the first's reason; every reason stands in the JSON."""
    told = [(name, reason) for name, reason in found if reason is not None]
    if not told:
        return []
    name, reason = told[0]
    if len(told) == 1:
        return [f"{name}: {reason} (of {what})"]
    return [f"the intervals of {len(told)} {what} are not to be relied on; {name}, for one: {reason}"]


def _by_reason(found: Sequence[tuple[str, str | None]], what: str, many: str) -> list[str]:
    """One sentence a reason, naming whom it is about."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in found:
        if reason is not None:
            by_reason.setdefault(reason, []).append(name)
    said = []
    for reason, names in by_reason.items():
        whom = listed(names, 2) if len(names) < 4 else f"{len(names)} {many} ({names[0]}, …)"
        said.append(f"{what} {whom}: {reason}")
    return _few(said, "such reasons")


def _few(sentences: list[str], what: str) -> list[str]:
    left = len(sentences) - MOST
    return sentences if left <= 0 else [*sentences[:MOST], f"{left:,} more {what} stand in --json"]


def letter(code: int) -> str:
    """W, L, T, or a dash where there is no usable verdict."""
    return "–" if code == MISSING else "WLT"[code]


def short(text: str, room: int) -> str:
    """A name on one line, cut in its middle: both ends of a spec tell judges apart."""
    name = one_line(text)
    if len(name) <= room:
        return name
    head = (room - 1) // 2
    return f"{name[:head]}…{name[len(name) - (room - 1 - head) :]}"
