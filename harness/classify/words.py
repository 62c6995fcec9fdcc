"""What a classification says, in sentences: the finding, what was confused, calibration, what to doubt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from harness.classify.calibrated import Believed, Calibrated
from harness.classify.summary import CONFUSED, ClassifySummary
from harness.report.numerals import decimals, listed, one_line, p_value, percent, plural, span
from harness.stats.classerror import Estimate
from harness.stats.intervals import SMALL

ROOM = 40
# So many confused pairs are told.
MOST = 5
# An F1 over fewer items than this moves far with each of them.
FEW = 20
# How the doubts begin that a matrix tells of its cells.
COLLAPSED, WORSE, CLUSTERED = "collapsed", "worse than", "items come in"
NAMES = {
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "weighted_f1": "weighted F1",
    "balanced_accuracy": "balanced accuracy",
    "mcc": "MCC",
}


def name(label: str) -> str:
    """A label as it is shown in a sentence."""
    return f"'{one_line(label, ROOM)}'"


def number(value: float) -> str:
    """A figure over classes: three decimals, more beside −1, 0 and 1."""
    return decimals(value, 3)


def figure(found: Estimate) -> str:
    """ "0.732 (95 % 0.591 to 0.829)", or why there is none."""
    if found.value is None:
        return f"none: {found.reason}"
    if found.ci is None:
        return f"{number(found.value)} (no interval: {found.reason})"
    return f"{number(found.value)} (95 % {number(found.ci[0])} to {number(found.ci[1])})"


def headline(found: ClassifySummary) -> list[str]:
    """Accuracy beside what the most frequent label alone would score, then the figures over classes."""
    own = found.figures
    if own.accuracy.mean is None or own.majority is None:
        return ["There is no prediction."]
    share = percent(own.accuracy.mean, own.n)
    ends = f"95 % {span(*own.accuracy.ci, own.n)}" if own.accuracy.ci else "no interval: n = 1"
    label, rate = own.majority
    said = f"Right on {share} of {plural(own.n, 'item')} ({ends}); always saying {name(label)} would be right on "
    said += f"{percent(rate, own.n)}."
    if not found.complete:
        said += " The run is incomplete."
    over = own.over_classes
    return [said, f"Macro F1 {figure(over['macro_f1'])}, MCC {figure(over['mcc'])}; n = {own.n:,}."]


def confusions(found: ClassifySummary) -> Iterator[str]:
    """The labels most often taken for another."""
    for each in found.confused[:MOST]:
        support = found.figures.classes[each.label].support
        yield f"{name(each.label)} taken for {name(each.prediction)}: {each.n:,} of {plural(support, 'item')}"
    left = len(found.confused) - MOST
    if left > 0:
        more = "others" if len(found.confused) == CONFUSED else plural(left, "more pair")
        yield f"and {more}, none of them more often"


def calibration(found: ClassifySummary) -> Iterator[str]:
    """What the probabilities promise and keep, before and after temperature scaling."""
    own = found.calibration
    if own is None:
        return
    yield _believed("as they are", own.before, own.n)
    fitted = own.temperature
    if fitted is None:
        yield "no temperature: it is fitted on validation predictions, and there are none here"
    elif fitted.value is None:
        yield f"no temperature: {fitted.reason}"
    elif own.after is not None:
        said = f"after temperature {fitted.value:.3g} (fitted on {plural(fitted.n, 'validation item')} alone)"
        yield _believed(said, own.after, own.n)


def _believed(when: str, own: Believed, n: int) -> str:
    error = own.ece
    parts = [f"confidence {percent(own.confidence, n)}, right {percent(own.accuracy, n)} of {n:,}"]
    if error.value is not None:
        ends = f"95 % {number(error.ci[0])} to {number(error.ci[1])}" if error.ci else str(error.reason)
        chance = f"; by chance alone {number(error.by_chance)}" if error.by_chance is not None else ""
        parts.append(f"calibration error {number(error.value)} ({ends}{chance})")
    for label, mean in (("Brier score", own.brier), ("log loss", own.log_loss)):
        if mean.mean is None:
            parts.append(f"no {label}: {mean.reason}")
        else:
            ends = f" (95 % {number(mean.ci[0])} to {number(mean.ci[1])})" if mean.ci else ""
            parts.append(f"{label} {number(mean.mean)}{ends}")
    return f"{when}: {'; '.join(parts)}"


def doubts(found: ClassifySummary) -> list[str]:
    """Reasons to doubt the figures, the gravest first."""
    return [
        *found.grave,
        *_of_the_run(found),
        *_of_the_model(found),
        *_of_spelling(found),
        *_of_few(found),
        *_of_probabilities(found.calibration),
        *found.remarks,
        *found.notes,
    ]


def _of_the_run(found: ClassifySummary) -> Iterator[str]:
    if not found.complete:
        yield "the run is incomplete: these figures are of what is there so far"
    lost = sum(found.figures.none.values())
    if lost:
        why = ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in found.figures.none.items())
        told = f" ({why})" if set(found.figures.none) != {"none"} else ""
        yield f"{plural(lost, 'item')} of {found.n:,} without a prediction{told}: each counts as wrong"


def _of_the_model(found: ClassifySummary) -> Iterator[str]:
    """Whether the model has learned anything that the most frequent label does not say."""
    own = found.figures
    if own.majority is None:
        return
    label, rate = own.majority
    said = {place for place, figures in own.classes.items() if figures.predicted}
    if rate == 1:
        yield f"all items have one label, {name(label)}: always saying it would be right on 100 %"
    elif len(said) == 1 and own.n > 1:
        yield f"{COLLAPSED}: every prediction is {name(next(iter(said)))}"
    rough = own.clustered
    ci = own.careful
    if rate < 1 and ci is not None and ci[0] <= rate:
        shown = f"always saying {name(label)} ({percent(rate, own.n)})"
        if ci[1] < rate:
            yield f"{WORSE} {shown}: the whole interval lies below"
        else:
            yield f"these {own.n:,} items cannot tell it from {shown}: the interval does not exclude that"
    if rough is not None:
        ends = f"95 % {span(*rough.ci, own.n)}" if rough.ci else "no interval"
        yield f"{CLUSTERED} {plural(rough.clusters, 'cluster')}: counting these the accuracy's interval is {ends}"


def _of_spelling(found: ClassifySummary) -> Iterator[str]:
    own = found.figures.classes
    never = [label for label, figures in own.items() if figures.support and not figures.predicted]
    if never:
        items = sum(own[label].support for label in never)
        yield f"never predicted: {_shown(never)} ({plural(items, 'item')}); precision is counted as 0"
    other = [label for label, figures in own.items() if not figures.support]
    if other:
        times = sum(own[label].predicted for label in other)
        yield f"predicted, but no item's label: {_shown(other)} ({plural(times, 'time')}); recall and F1 count as 0"
    absent = [label for label in found.labels if label not in own]
    if absent:
        yield f"neither a label nor predicted here, and so in no mean: {_shown(absent)}"


def _of_few(found: ClassifySummary) -> Iterator[str]:
    own = found.figures
    if 0 < own.n < SMALL:
        yield f"small n: {plural(own.n, 'item')}; a few other items could turn this result"
    unsafe: dict[str, list[str]] = defaultdict(list)
    for key, estimate in own.over_classes.items():
        if estimate.unsafe:
            unsafe[estimate.unsafe].append(NAMES[key])
    for why, names in unsafe.items():
        yield f"the interval{'s' if len(names) > 1 else ''} of {listed(names)} may not hold: {why}"
    rare = [label for label, figures in own.classes.items() if 0 < figures.support < FEW]
    if rare:
        yield f"fewer than {FEW} items of {_shown(rare)}: read their figures as hints"
    small = [part for part, figures in own.slices.items() if figures.accuracy.n < SMALL]
    if small:
        yield f"small n in {plural(len(small), 'slice')} (fewer than {SMALL} items): {_shown(small)}; read as hints"


def _of_probabilities(own: Calibrated | None) -> Iterator[str]:
    if own is None:
        return
    if own.without:
        yield f"{plural(own.without, 'item')} without probabilities: left out of calibration"
    if own.overruled:
        yield (
            f"{plural(own.overruled, 'prediction')} of {own.n:,} {'is' if own.overruled == 1 else 'are'} not the most "
            "probable label (thresholds, or probabilities of something else)"
        )
    now = own.after or own.before
    if now.ece.p_value is not None and now.ece.p_value <= 0.05:
        way = "more" if now.confidence > now.accuracy else "less"
        yield (f"the probabilities are not calibrated (p {p_value(now.ece.p_value)}): on average {way} sure than right")


def _shown(labels: list[str]) -> str:
    return listed([name(label) for label in labels], 4)
