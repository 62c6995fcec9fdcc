"""Every reason to doubt a result, said in sentences: what is missing, lopsided, too small or not comparable.

The gravest come first. An empty list means that none of these was found, not that the result is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.figures import Result
from harness.report.data import Comparison, Report
from harness.report.further import first_doubts
from harness.report.leakage import borne_leakage, turned_by_leakage
from harness.report.numerals import listed, percent, plural, span
from harness.report.phrases import controls_of, group_of, no_controls, scored
from harness.stats.intervals import SMALL, TOLERANCE, wilson
from harness.summary import Summary

_STATUS = {
    "invalid_parse": "without a readable verdict",
    "truncated": "cut off",
    "refused": "refused",
    "provider_error": "failed at the provider",
    "skipped": "skipped",
}
# What no context had room for has one of these statuses, with a mark of its own.
_UNFIT = {
    "skipped": ("unanswered", "where a conversation did not fit its model to the end"),
    "truncated": ("too_long", "too long for the judge"),
}


def doubts(summary: Summary) -> list[str]:
    """What to doubt in these figures, the gravest first."""
    return [
        *turned_by_leakage(summary),
        *first_doubts(summary),
        *_unfinished(summary),
        *_unusable(summary),
        *_contradicting(summary),
        *borne_leakage(summary),
        *(sentence for name in _real(summary) for sentence in _unscored(name, summary)),
        *_small(summary),
        *_constant(summary),
        *_divided(summary),
        *_against_people(summary),
        *_position(summary),
        *_one_order(summary),
        *_length(summary),
        *_without_controls(summary),
        *_ties_unread(summary),
        *summary.notes,
    ]


def report_doubts(report: Report) -> list[str]:
    """`doubts`, and what only the whole report knows: warnings on its sides, prompts that stand under several ids.

    A decision that rests on leaked prompts comes before everything else.
    """
    sides = (("candidate", report.candidate), ("baseline", report.baseline))
    warnings = [f"{role}: {warning}" for role, side in sides if side is not None for warning in side.warnings]
    said = doubts(report.summary)
    first = len(turned_by_leakage(report.summary))
    return [*said[:first], *warnings, *said[first:], *_asked_twice(report.comparisons)]


def _real(summary: Summary) -> list[str]:
    return [name for name in summary.judges if not name.startswith("control/")]


def _unfinished(summary: Summary) -> Iterable[str]:
    if not summary.complete:
        yield "the run is incomplete: these figures are of what is there so far"
    if not summary.counting:
        yield f"{summary.reason}: the figures decide nothing"


def _unusable(summary: Summary) -> Iterable[str]:
    for name in summary.unusable:
        count = summary.controls.get(name)
        verdicts = f" ({controls_of(count)} control verdicts)" if count else ""
        if count is not None and count.undecided == count.n and not summary.statuses.get(name, {}).get("ok"):
            yield (
                f"{name} is unusable and does not count: none of its replies held a verdict, the {count.n} on control "
                "pairs among them"
            )
            continue
        yield f"{name} is unusable and does not count: it cannot tell a response from its damaged copy{verdicts}"


def _contradicting(summary: Summary) -> Iterable[str]:
    for name in _real(summary):
        result = summary.judges[name]
        if result.consistency is not None and result.consistency < 0.5:
            agree = percent(result.consistency, result.estimate.n)
            yield f"{name} contradicts itself: its two orders agree on only {agree}"


def _unscored(name: str, summary: Summary) -> Iterable[str]:
    statuses = summary.statuses.get(name, {})
    failed = {status: count for status, count in statuses.items() if status != "ok"}
    missing = summary.judges[name].unscored
    if failed:
        why = ", ".join(_reasons(failed, summary.unfit.get(name, {})))
        left = f"; {_are(missing, 'prompt')} unscored" if missing else "; every prompt still has a verdict"
        bad, of = sum(failed.values()), plural(sum(statuses.values()), "verdict")
        yield f"{name}: {bad:,} of {of} {'is' if bad == 1 else 'are'} unusable ({why}){left}"
    elif missing:
        yield f"{name}: {_are(missing, 'prompt')} unscored, with no judgment at all"


def _reasons(failed: Mapping[str, int], unfit: Mapping[str, int]) -> Iterable[str]:
    """How verdicts failed, what a context had no room for in words of its own."""
    for status, count in failed.items():
        own = unfit.get(_UNFIT[status][0], 0) if status in _UNFIT else 0
        if count > own:
            yield f"{count - own:,} {_STATUS.get(status, status)}"
        if own:
            yield f"{own:,} {_UNFIT[status][1]}"


def _are(count: int, noun: str) -> str:
    return f"{plural(count, noun)} {'is' if count == 1 else 'are'}"


def _small(summary: Summary) -> Iterable[str]:
    deciding = summary.deciding
    if deciding is None:
        return
    n = deciding.estimate.n
    if n < 2:
        yield "n = 1: one prompt gives no interval" if n else "no prompt has a usable verdict"
    elif n < SMALL:
        yield f"small n: {n} prompts; a few other prompts could turn this result"
    few = [name for name, result in summary.categories.items() if result.estimate.n < SMALL]
    if few and len(few) == len(summary.categories):
        yield f"small n in every category (fewer than {SMALL} prompts each): read the categories as hints"
    elif few:
        yield f"small n in {listed(few)} (fewer than {SMALL} prompts each): read these categories as hints"


def _constant(summary: Summary) -> Iterable[str]:
    named = [(name, summary.judges[name]) for name in _real(summary)]
    if summary.panel is not None:
        named.insert(0, ("the panel", summary.panel))
    for name, result in named:
        estimate = result.estimate
        if estimate.method == "wilson-at-constant" or (
            estimate.ci and result.sd is not None and result.sd <= TOLERANCE
        ):
            where = _constant_where(result)
            what = f"{name}: all scores are equal ({where})"
            yield f"{what}; no spread is not certainty, so the interval is Wilson's at that mean"


def _constant_where(result: Result) -> str:
    n = plural(result.estimate.n, "prompt")
    if result.ties == result.estimate.n:
        return f"all {n} tied"
    if result.wins == result.estimate.n:
        return f"all {n} won"
    return f"all {n} lost"


def _divided(summary: Summary) -> Iterable[str]:
    """Counting judges on different sides of 1/2."""
    sides: dict[bool, list[str]] = {True: [], False: []}
    for name in summary.counting:
        estimate = summary.judges[name].estimate
        if estimate.mean is not None and abs(estimate.mean - 0.5) > TOLERANCE:
            ci = f", 95 % {span(*estimate.ci, estimate.n)}" if estimate.ci else ""
            sides[estimate.mean > 0.5].append(f"{name} ({percent(estimate.mean, estimate.n)}{ci}, n = {estimate.n})")
    if sides[True] and sides[False]:
        yield (
            "the judges disagree in direction: "
            f"{listed(sides[True])} {_favour(sides[True])} the candidate, "
            f"{listed(sides[False])} {_favour(sides[False])} the baseline"
        )


def _against_people(summary: Summary) -> Iterable[str]:
    """Human labels beside the models that lie on the other side of 1/2."""
    deciding = summary.deciding
    mean = deciding.estimate.mean if deciding is not None else None
    for name, result in summary.judges.items():
        theirs = result.estimate.mean
        if group_of(name, summary) != "human" or mean is None or theirs is None:
            continue
        if (mean - 0.5) * (theirs - 0.5) < -(TOLERANCE**2):
            yield f"people see it the other way round: {name} {scored(result, summary.n_prompts)}"


def _favour(names: list[str]) -> str:
    return "favours" if len(names) == 1 else "favour"


def _position(summary: Summary) -> Iterable[str]:
    for name in _real(summary):
        result = summary.judges[name]
        rate = result.first_position_rate
        if rate is None or not _off_half(rate, result):
            continue
        place = "first" if rate > 0.5 else "second"
        share = percent(rate if rate > 0.5 else 1 - rate, result.estimate.n)
        # With one order a prompt, position and quality cannot be told apart.
        unless = "" if result.consistency is not None else ", unless the better responses happened to stand there"
        yield f"{name} leans on position: whatever was shown {place} won {share} of its decisive verdicts{unless}"


def _off_half(rate: float, result: Result) -> bool:
    """Whether a rate over verdicts lies clearly off 1/2. Prompts are the trials, since verdicts come in pairs."""
    rows = result.judgments or {}
    trials = min(result.estimate.n, rows.get("candidate", 0) + rows.get("baseline", 0))
    if trials < 2:
        return False
    low, high = wilson(rate, trials)
    return low > 0.5 or high < 0.5


def _one_order(summary: Summary) -> Iterable[str]:
    some = [
        f"{name} ({result.one_order:,} of {plural(result.estimate.n, 'prompt')})"
        for name in _real(summary)
        if (result := summary.judges[name]).one_order
    ]
    if some:
        yield f"scored from one order alone, where a preference for a position cannot cancel out: {listed(some)}"


def _length(summary: Summary) -> Iterable[str]:
    leaning = []
    for name in _real(summary):
        length = summary.lengths.get(name)
        if length is None or not length.decisive or length.longer * 2 <= length.decisive:
            continue
        rate = length.longer / length.decisive
        if _off_half(rate, summary.judges[name]):
            leaning.append(
                f"{name} ({percent(rate, length.decisive)} of {plural(length.decisive, 'decisive verdict')})"
            )
    if leaning:
        yield f"the longer response won clearly more often, by bias or because it was better: {listed(leaning)}"


def _without_controls(summary: Summary) -> Iterable[str]:
    none = [name for name in summary.counting if summary.controls.get(name) is None]
    none = [name for name in none if group_of(name, summary) == "counts" and not name.startswith("human/")]
    if none:
        yield f"{no_controls(none)} for {listed(none)}: nothing here shows that a damaged response would be noticed"


def _ties_unread(summary: Summary) -> Iterable[str]:
    deciding = summary.deciding
    if deciding is not None and summary.identical >= summary.n_prompts and deciding.wins + deciding.losses:
        yield (
            "both sides gave the same responses on every prompt, yet recorded verdicts name winners: they were made on "
            "other texts, and say nothing of these two"
        )
    elif summary.identical:
        count = plural(summary.identical, "comparison")
        ties = "a tie" if summary.identical == 1 else "ties"
        unasked = [name for name in summary.judges if summary.controls.get(name) is None and "/" not in name]
        kept = "; recorded verdicts on them stand as they are" if unasked else ""
        yield f"{count} had identical responses on both sides: {ties} without asking a judge{kept}"


def _asked_twice(comparisons: Iterable[Comparison]) -> Iterable[str]:
    ids = {item.id: item.turns for item in comparisons if item.turns}
    texts = len(set(ids.values()))
    if texts < len(ids):
        yield f"{len(ids):,} prompt ids hold only {texts:,} different prompts: repeated ones are not independent"
