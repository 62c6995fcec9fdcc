"""The parts of sentences that every report shares: what a result rests on, what kind of judge it is, what was counted.

A win rate never stands alone here: n, won–lost–tied and its interval, or why there is none, come with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from harness.decision import ControlCount
from harness.figures import Result
from harness.report.data import Comparison
from harness.report.numerals import decimals, listed, p_value, percent, plural, points, span
from harness.stats.classpair import ClassDifference
from harness.stats.intervals import TOLERANCE, visible_difference
from harness.summary import Summary

Group = Literal["counts", "unusable", "human", "known bias"]
POWER = 0.8
# Specs this program asks itself; any other name was read from a file of verdicts.
_ASKED = ("openai/", "openai@", "anthropic/", "anthropic@", "hf/", "reward/", "recipe/", "rubric")


def group_of(name: str, summary: Summary) -> Group:
    """What part a judge has in the decision."""
    if name in summary.counting:
        return "counts"
    if name in summary.unusable:
        return "unusable"
    return "known bias" if name.startswith("control/") else "human"


def scored(result: Result, total: int, *, judges: int = 1) -> str:
    """ "scores 66 % over 64 prompts (38 won, 18 lost, 8 tied; 3 split by order; 95 % 54–76)"."""
    estimate = result.estimate
    if estimate.mean is None:
        return f"has no usable verdict on any of {plural(total, 'prompt')}"
    over = f"{estimate.n:,} of {plural(total, 'prompt')}" if result.unscored else plural(estimate.n, "prompt")
    inside = [outcomes(result)]
    if result.unscored:
        inside.append(f"{result.unscored:,} unscored")
    if result.inconsistent or result.consistency is not None:
        inside.append(f"{result.inconsistent:,} split by order" + (" at some judge" if judges > 1 else ""))
    inside.append(f"95 % {span(*estimate.ci, estimate.n)}" if estimate.ci else "n = 1 gives no interval")
    return f"scores {percent(estimate.mean, estimate.n)} over {over} ({'; '.join(inside)})"


def outcomes(result: Result) -> str:
    """ "38 won, 18 lost, 8 tied", with a panel's split votes among its ties."""
    ties = f"{result.ties:,} tied"
    if result.split:
        ties += f", {result.split:,} of them a split panel"
    return f"{result.wins:,} won, {result.losses:,} lost, {ties}"


def sign_test(result: Result) -> str:
    """ "sign test p = 0.01"."""
    return f"sign test p {p_value(result.p_value)}"


def order_figures(names: Sequence[str], summary: Summary) -> list[str]:
    """ "first shown won 49 %", "orders agree on 93 %"; from lowest to highest where several judges count."""
    results = [summary.judges[name] for name in names]
    said = []
    first = [(r.first_position_rate, r.estimate.n) for r in results if r.first_position_rate is not None]
    agree = [(r.consistency, r.estimate.n) for r in results if r.consistency is not None]
    if first:
        said.append(f"first shown won {_range(first)}")
    if agree:
        said.append(f"orders agree on {_range(agree)}")
    elif any(result.estimate.n for result in results):
        said.append("no prompt was judged in both orders")
    return said


def _range(rates: Sequence[tuple[float, int]]) -> str:
    (low, n), (high, _) = min(rates), max(rates)
    return f"{span(low, high, n)} %"


def control_figures(names: Iterable[str], summary: Summary) -> str:
    """ "control pairs 8 of 8 verdicts right" over these judges, or why there are none."""
    counts = [count for name in names if (count := summary.controls.get(name)) is not None]
    if not counts:
        return no_controls(names)
    return f"control pairs {sum(count.right for count in counts)} of {sum(count.n for count in counts)} verdicts right"


def no_controls(names: Iterable[str]) -> str:
    """Why these judges have no control verdicts."""
    recorded = all(not name.startswith(_ASKED) for name in names)
    return "no control pairs (recorded)" if recorded else "no control pairs"


def controls_of(count: ControlCount) -> str:
    """ "7 right, 1 wrong, 0 undecided of 8"."""
    return f"{count.right} right, {count.wrong} wrong, {count.undecided} undecided of {count.n}"


def power(result: Result) -> str | None:
    """What size of difference this many prompts can show, where their spread can tell."""
    n, sd = result.estimate.n, result.sd
    if sd is None or sd <= TOLERANCE:
        return None
    now, later = visible_difference(sd, n, POWER), visible_difference(sd, 4 * n, POWER)
    more = f"about 4 times as many prompts would show ±{points(later)}"
    if now > 0.5:
        rest = f"; {more}" if later <= 0.5 else ""
        return f"at this n no difference at all can be seen ({100 * POWER:.0f} % power){rest}"
    seen = f"only differences of about ±{points(now)} points or more can be seen ({100 * POWER:.0f} % power)"
    return f"at this n {seen}; {more}"


_PUBLISHED = "as often published; the decision does not rest on them"


def single_verdicts(result: Result) -> str | None:
    """The row counts, as results are often published; None where they say nothing that the prompts do not."""
    rows = result.judgments
    if rows is None or sum(rows.values()) == result.estimate.n:
        return None
    won, lost, ties = rows["candidate"], rows["baseline"], rows["tie"]
    counts = f"{won:,} for the candidate, {lost:,} for the baseline, {plural(ties, 'tie')}"
    return f"single verdicts: {counts} ({_PUBLISHED})"


def all_single_verdicts(summary: Summary) -> list[str]:
    """The row counts of every judge without a known bias in one sentence, or none where they say nothing more."""
    said = []
    for name, result in summary.judges.items():
        rows = result.judgments
        if rows is not None and single_verdicts(result) and not name.startswith("control/"):
            said.append(f"{name} {rows['candidate']:,}–{rows['baseline']:,}–{rows['tie']:,}")
    counts = ", ".join(said)
    return [f"single verdicts for the candidate, for the baseline, ties: {counts} ({_PUBLISHED})"] if said else []


def longer_won(name: str, summary: Summary) -> str | None:
    """ "the longer response won 70 % of 56 decisive verdicts"; None where no verdict could show it."""
    length = summary.lengths.get(name)
    if length is None or not length.decisive:
        return None
    rate = percent(length.longer / length.decisive, length.decisive)
    return f"the longer response won {rate} of {plural(length.decisive, 'decisive verdict')}"


def _at_equal_length(name: str, result: Result) -> str | None:
    """ "gpt: at equal length the candidate would score 54 % (95 % 45–64) instead of 66 %, over 57 prompts; …"."""
    found, mean = result.equal_length, result.estimate.mean
    if found is None or found.raw is None or mean is None:
        return None
    if found.rate is None or found.ci is None:
        return f"{name}: no score at equal length; {found.reason}."
    over = f"over the {found.n:,} of them with known lengths" if found.n < result.estimate.n else f"n = {found.n:,}"
    rate = f"{percent(found.rate, found.n)} (95 % {span(*found.ci, found.n)})"
    said = f"{name}: at equal length the candidate would score {rate} instead of {percent(found.raw, found.n)}, {over}"
    if found.slope is None or found.slope_ci is None:
        return f"{said}."
    low, high = found.slope_ci
    leaning = "longer answers score more" if low > 0 else "shorter answers score more" if high < 0 else "no clear lean"
    slope = f"{found.slope:+.2g} (95 % {low:+.2g} to {high:+.2g}: {leaning})".replace("-", "−")
    return f"{said}; length slope in log-odds {slope}."


def equal_length(summary: Summary) -> list[str]:
    """What the panel and the judges that count would score at equal length, a sentence each, or why it is not known."""
    overall = [("the panel", summary.panel)] if summary.panel is not None else []
    named = [*overall, *((name, summary.judges[name]) for name in summary.counting)]
    return [sentence for name, result in named if (sentence := _at_equal_length(name, result))]


def length_alone(summary: Summary) -> list[str]:
    """How far length alone goes: one sentence a judge, then what counting characters would have scored."""
    real = [name for name in summary.judges if not name.startswith("control/")]
    said = [f"{name}: {won}." for name in real if (won := longer_won(name, summary))]
    said += equal_length(summary)
    blind = summary.judges.get("control/longest")
    if blind is not None and blind.estimate.mean is not None:
        said.append(f"Length alone (control/longest, which reads nothing) {scored(blind, summary.n_prompts)}.")
    return said


def counted(comparisons: Iterable[Comparison]) -> list[str]:
    """ "57 judgments of 42 response pairs on 25 distinct prompts", judges with equal counts together.

    Known-bias judges are counted only where no other stands.
    """
    judgments: dict[str, int] = defaultdict(int)
    pairs: dict[str, set[object]] = defaultdict(set)
    prompts: dict[str, set[object]] = defaultdict(set)
    blank: set[str] = set()
    for item in comparisons:
        known = item.candidate is not None and item.baseline is not None
        pair = (item.turns, item.candidate, item.baseline)
        for judgment in item.judgments:
            judgments[judgment.judge] += 1
            prompts[judgment.judge].add(item.turns or item.id)
            if known:
                pairs[judgment.judge].add(pair)
            else:
                blank.add(judgment.judge)
    real = [name for name in judgments if not name.startswith("control/")] or list(judgments)
    same: dict[str, list[str]] = defaultdict(list)
    for name in real:
        count = judgments[name]
        of = "" if name in blank else f" of {plural(len(pairs[name]), 'response pair')}"
        same[f"{plural(count, 'judgment')}{of} on {plural(len(prompts[name]), 'distinct prompt')}"].append(name)
    if len(same) == 1 and len(real) > 1:
        who = "every judge" if len(real) == len(judgments) else "every judge without a known bias"
        return [f"{who}: {next(iter(same))}"]
    return [f"{listed(names)}: {text}" for text, names in same.items()]


def moved(what: str, own: ClassDifference) -> str:
    """ "macro F1 0.571 → 0.844 (difference +0.1 to +0.4, p = 0.01)", or why there is none."""
    if own.a is None or own.b is None or own.difference is None:
        return f"no {what}: {own.reason}"
    said = f"{what} {decimals(own.a, 3)} → {decimals(own.b, 3)}"
    if own.ci is None or own.p_value is None:
        return f"{said} (no interval: {own.reason})"
    low, high = (("+" if end > 0 else "") + decimals(end, 3) for end in own.ci)
    rough = f"; roughly: {own.unsafe}" if own.unsafe else ""
    return f"{said} (difference {low} to {high}, p {p_value(own.p_value)}{rough})"
