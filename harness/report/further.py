"""What stands beside the plain intervals: exact ones for few prompts, those over clusters, those of a run that stopped.

Sentences in sections; a section without a sentence is not shown.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.criteria import Graded
from harness.figures import Result
from harness.panel import FEWEST
from harness.report import judging
from harness.report.numerals import listed, one_line, p_value, plural, span
from harness.stopping import ALPHA, Stopping
from harness.summary import Summary

Section = tuple[str, list[str]]


def sections(summary: Summary) -> list[Section]:
    """Title and sentences of every section that has something to say."""
    found = [
        ("asked until decided", list(_stopped(summary))),
        ("prompts in clusters", list(_clusters(summary))),
        ("exact intervals", list(_exact(summary))),
        ("how the judges were weighed", list(_weights(summary))),
        ("grades beside the verdict", list(_grades(summary))),
        (judging.TITLE, judging.section(summary)),
        ("where the spread comes from", summary.variance.sentences() if summary.variance is not None else []),
    ]
    return [section for section in found if section[1]]


def first_doubts(summary: Summary) -> Iterable[str]:
    """What outweighs a decision: clusters over which it does not hold, looks that plain intervals do not allow for."""
    deciding = summary.deciding
    if deciding is not None and summary.decision in ("better", "worse"):
        won, lost = deciding.wins, deciding.losses
        if won != lost and (won > lost) != (summary.decision == "better"):
            yield (
                f"the mean says “{summary.decision}”, but {won:,} prompts were won and {lost:,} lost: the sign test "
                "speaks for the other side, and how strong single preferences are decides"
            )
    yield from _panel_doubts(summary)
    clustered = summary.clustered
    if clustered is not None and clustered.decision != summary.decision:
        yield (
            f"prompts share clusters, and {clustered.reason}: with cluster-robust errors the decision would be "
            f"“{clustered.decision}”, not “{summary.decision}”"
        )
    if summary.stopped is not None and summary.stopped.decision and summary.stopped.asked < summary.stopped.prompts:
        yield (
            "the run stopped as soon as it was decided: its score leans to the side it was decided for, and plain "
            "95 % intervals are for a number of prompts fixed beforehand; the one under “asked until decided” holds"
        )


def _panel_doubts(summary: Summary) -> Iterable[str]:
    """What a panel's rule hides: weights that weigh nothing, and bare preferences that count as whole wins."""
    if summary.weighing is not None and summary.weighing.even:
        yield (
            f"the gold judge {one_line(summary.weighing.gold)} weighs nobody: all judges count the same (it takes "
            f"{FEWEST} prompts that both judged beside those that are weighed)"
        )
    if summary.soft and summary.panel is not None and summary.rule != "mean":
        yield (
            f"{listed([one_line(name) for name in summary.soft])}: verdicts are probabilities, and by this panel's "
            "rule one of 51 % counts as a whole win; `panel: mean` keeps how sure judges are"
        )


def _stopped(summary: Summary) -> Iterable[str]:
    found = summary.stopped
    if found is None:
        return
    of = f"{found.asked:,} of {plural(found.prompts, 'prompt')}"
    if not found.judges:
        yield f"judges were asked about {of}: no usable judge is left, so that asking on would decide nothing"
        return
    if found.asked < found.prompts:
        yield f"judges were asked about {of}; {plural(found.calls_saved, 'call')} saved"
    else:
        yield f"judges were asked about all {plural(found.prompts, 'prompt')}; no call was saved"
    yield _anytime(found)


def _anytime(found: Stopping) -> str:
    interval = f"{100 * (1 - ALPHA):g} % interval that holds at every look (betting, Waudby-Smith & Ramdas)"
    ends = f"{interval}: {span(found.low, found.high, max(found.scored, 1))} %"
    if found.decision is None:
        return f"{ends}; it decides nothing yet"
    return f"{ends}; “{found.decision}” after {plural(found.decided_at or 0, 'prompt')}"


def _clusters(summary: Summary) -> Iterable[str]:
    for name, result in _overall(summary):
        found = result.clustered
        if found is None:
            continue
        what = f"{name}: {plural(result.estimate.n, 'prompt')} in {plural(found.clusters, 'cluster')}"
        if found.ci is None:
            yield f"{what}, which give no interval"
            continue
        effect = (
            f", {found.design_effect:.2g} times the variance of independent prompts"
            if found.design_effect is not None
            else ""
        )
        p = f", p {p_value(found.p_value)}" if found.p_value is not None else ""
        few = "; so few clusters give a rough interval" if found.clusters < 20 else ""
        yield f"{what}; cluster-robust 95 % {span(*found.ci, result.estimate.n)}{p}{effect}{few}"


def _weights(summary: Summary) -> Iterable[str]:
    """What a gold judge made of the panel's judges."""
    found = summary.weighing
    if found is None:
        return
    yield (
        f"by agreement with {one_line(found.gold)}, which judged {plural(found.labelled, 'prompt')}; a weight is the "
        "log-odds of agreement on other prompts than those it weighs"
    )
    for name, weights in found.weights.items():
        low, high = min(weights), max(weights)
        shown = f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"
        yield f"{one_line(name)}: weight {shown} (on {plural(found.shared[name], 'prompt')} that both judged)"


def _grades(summary: Summary) -> Iterable[str]:
    """Every judge's grades by criterion: what stands behind its verdicts, which alone decide."""
    for judge, by_name in summary.criteria.items():
        counts = {grade.difference.n for grade in by_name.values()}
        alone = f" on {plural(next(iter(counts)), 'prompt')}" if len(counts) == 1 else ""
        parts = [_grade(name, grade, with_n=not alone) for name, grade in by_name.items()]
        yield f"{one_line(judge)}{alone}, candidate against baseline: {'; '.join(parts)}"


def _grade(name: str, grade: Graded, *, with_n: bool) -> str:
    found = grade.difference
    ends = f", 95 % {_signed(found.ci[0])} to {_signed(found.ci[1])}" if found.ci is not None else ""
    moved = f"{_signed(found.mean)}{ends}" if found.mean is not None else "no difference known"
    counted = f", n = {found.n}" if with_n else ""
    return f"{one_line(name)} {grade.candidate:.2f} against {grade.baseline:.2f} ({moved}{counted})"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _exact(summary: Summary) -> Iterable[str]:
    """Clopper–Pearson beside Wilson's, where there are few prompts."""
    overall = [_exactly(name, result) for name, result in _overall(summary) if result.exact]
    categories = [_exactly(name, result) for name, result in summary.categories.items() if result.exact]
    if overall:
        yield f"Clopper–Pearson, 95 %, for fewer than 30 prompts: {', '.join(overall)}"
    if categories:
        yield f"{'by category' if overall else 'Clopper–Pearson, 95 %, by category'}: {', '.join(categories)}"


def _exactly(name: str, result: Result) -> str:
    assert result.exact is not None
    return f"{one_line(name)} {span(*result.exact, result.estimate.n)}"


def _overall(summary: Summary) -> list[tuple[str, Result]]:
    named = [(name, result) for name, result in summary.judges.items() if not name.startswith("control/")]
    return [("panel", summary.panel), *named] if summary.panel is not None else named
