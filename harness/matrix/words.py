"""A matrix's answers in sentences, each with its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.classify.words import CLUSTERED, COLLAPSED, WORSE
from harness.matrix.questions import Contrast, Question
from harness.matrix.results import Matrix, Row
from harness.report.numerals import brief, decimals, listed, p_value, percent, plural, span
from harness.stats.clusters import no_narrower
from harness.stats.intervals import TOLERANCE

# So many contrasts of an open question are told; summary.json has all.
MOST = 12


def points(value: float) -> str:
    """A difference in points of accuracy: +1.2, −6.1."""
    shown = decimals(100 * value if abs(value) > TOLERANCE else 0.0, 1, (0,))
    return f"+{shown}" if value >= 0 else shown


def figures(found: Contrast) -> str:
    """ "−6.1 (−8.0 to −4.2; n = 1,149, p < 0.001)"; p is adjusted."""
    own = found.found
    if own.mean is None:
        return f"nothing can be said: {own.reason}"
    if own.ci is None:
        return f"{points(own.mean)} (no interval: {own.reason}; n = {count(found)})"
    p = f", p {p_value(found.p_adjusted)}" if found.p_adjusted is not None else ""
    return f"{points(own.mean)} ({points(own.ci[0])} to {points(own.ci[1])}; n = {count(found)}{p})"


def count(found: Contrast) -> str:
    """ "1,149", or "1,149 in 300 clusters"."""
    own = found.found
    return f"{own.n:,}" if own.units in (0, own.n) else f"{own.n:,} in {plural(own.units, 'cluster')}"


def answer(question: Question, margin: float) -> Iterator[str]:
    """What is said of a question, the first sentence its answer."""
    if question.lacking is not None:
        yield f"not asked: {question.lacking}"
        return
    if question.verdict is not None:
        for one in question.contrasts:
            yield (
                f"{one.a} is within {100 * margin:g} points of {one.b}: {one.above}, {figures(one)}; "
                f"on {_tasks(one.tasks)}; p is of the test against −{100 * margin:g} points"
            )
        return
    told = sorted(question.contrasts, key=lambda each: each.p_adjusted if each.p_adjusted is not None else 2.0)
    if question.name == "size":
        shown = question.contrasts[:MOST]
        for each in shown:
            yield f"{each.a} against {each.b}: {figures(each)}{_decided(each)}"
    elif question.name == "struggle":
        behind = [each for each in told if each.above == "no"]
        shown = tuple((behind or told)[:MOST])
        if not behind:
            tried = plural(len(told), "comparison")
            yield f"nowhere that {tried} could show (none is worse with an adjusted p of at most 0.05)"
        for each in shown:
            yield f"{each.a}: {figures(each)}{_decided(each)}"
    else:
        return
    if len(question.contrasts) > len(shown):
        yield f"{plural(len(question.contrasts) - len(shown), 'more comparison')} in summary.json"


def _decided(each: Contrast) -> str:
    return {"yes": ", better", "no": ", worse", "undecided": ", not distinguishable"}.get(each.above, "")


def _tasks(tasks: Sequence[str]) -> str:
    return f"{', '.join(tasks)}{', each counting alike' if len(tasks) > 1 else ''}"


def efficiency(made: Matrix) -> Iterator[str]:
    """The cells that no other of their task beats in accuracy, speed and training time at once, by task.

    What is not clearly better than always saying one label is no approach, however fast.
    """
    useful = [row for row in made.rows if _is_useful(row)]
    for task in dict.fromkeys(row.cell.task for row in useful):
        own = [row for row in useful if row.cell.task == task]
        front = [row for row in own if not any(_beats(other, row) for other in own)]
        for row in sorted(front, key=lambda row: -_accuracy(row)):
            yield f"{task}: {row.cell.model} {row.cell.mode}, {_cost(row)}"
    idle = [str(row.cell) for row in made.rows if row not in useful]
    if idle:
        yield f"not clearly better than always saying one label, and left out: {listed(idle)}"
    if useful:
        yield "listed are the cells that no other of the task equals or beats in all three at once; no test is made"


def _is_useful(row: Row) -> bool:
    """Whether a cell's interval lies above what the most frequent label alone would score."""
    ci, rate = _careful(row), row.figures.get("majority_rate")
    return ci is not None and rate is not None and ci[0] > float(rate)


def _careful(row: Row) -> tuple[float, float] | None:
    """The interval of a cell's accuracy, no narrower than the one that counts clusters."""
    plain, rough = row.figures.get("ci"), row.figures.get("clusters")
    ends = plain if rough is None else rough.get("ci")
    return no_narrower(tuple(plain) if plain else None, tuple(ends) if ends else None)


def _accuracy(row: Row) -> float:
    return float(row.figures.get("accuracy") or 0.0)


def _beats(a: Row, b: Row) -> bool:
    """Whether a cell is at least as good in each known respect, and better in one."""
    mine = (_accuracy(a), -(a.result.latency_ms or 0.0), -(a.result.train_s or 0.0))
    theirs = (_accuracy(b), -(b.result.latency_ms or 0.0), -(b.result.train_s or 0.0))
    unknown = None in (a.result.latency_ms, b.result.latency_ms, a.result.train_s, b.result.train_s)
    return not unknown and mine != theirs and all(x >= y for x, y in zip(mine, theirs, strict=True))


def _cost(row: Row) -> str:
    n, ci = int(row.figures.get("n") or 0), _careful(row)
    ends = f"95 % {span(*ci, n)}; " if ci is not None else ""
    parts = [f"right on {percent(_accuracy(row), n)} ({ends}n = {n:,})"]
    if row.result.latency_ms is not None:
        parts.append(f"{brief(row.result.latency_ms)} ms an item")
    if row.result.train_s is not None:
        parts.append(f"{row.result.train_s:,.0f} s of training" if row.result.train_s else "no training")
    return ", ".join(parts)


def doubts(made: Matrix) -> Iterator[str]:
    """What stands against the answers."""
    waiting = sum(own.state in ("waiting", "running") for own in made.standings.values())
    if waiting:
        yield f"the matrix is incomplete: {plural(waiting, 'cell')} of {len(made.standings)} still to come"
    yield from made.differences
    for row in made.rows:
        yield from (f"{row.cell}: {doubt}" for doubt in row.doubts)
    for cell, reason in made.failed.items():
        yield f"{cell} failed: {reason}"
    limited = sorted({limit for cell in made.standings if (limit := made.suite.settings(cell).limit)})
    if limited:
        yield f"cells were limited to {', '.join(map(str, limited))} items: figures are those of the draw"
    leaked = [(row.cell, len(ids), row.figures.get("n")) for row in made.rows if (ids := _leaked(row))]
    if leaked:
        named = "; ".join(f"{cell}: {ids:,} of {n:,}" for cell, ids, n in leaked)
        yield (
            "items stood in training data, word for word or nearly, and count in all answers here; the cells' own "
            f"reports have the figures without them ({named})"
        )
    for row in made.rows:
        for doubt in row.figures.get("doubts") or ():
            if str(doubt).startswith((COLLAPSED, WORSE, CLUSTERED)):
                yield f"{row.cell}: {doubt}"
    yield "each model was trained once: what another seed would give is in no interval here"


def _leaked(row: Row) -> Sequence[str]:
    """The items of a cell that its checkpoint was trained on."""
    return (row.figures.get("leakage") or {}).get("ids") or ()
