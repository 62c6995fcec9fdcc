"""An audit for people: findings first, then what the judge may be used for, the table, every probe. Eighty columns."""

from __future__ import annotations

from collections.abc import Iterable

from harness.audit.measured import Figures
from harness.audit.result import Audit
from harness.audit.told import ALPHA, COLUMNS, cell, p_of
from harness.report.columns import listing, table, wrap
from harness.report.numerals import clean, in_percent, one_line, p_value, percent, plural, span
from harness.stats.spread import Rate
from judges.attacks import ATTACKS, KINDS

OURS = "this judge"
WORST = 5
_ATTACK = {attack.name: attack for attack in ATTACKS}
Section = tuple[str, list[str]]


def render(audit: Audit) -> str:
    """The report for a terminal."""
    blocks = [wrap(_title(audit)), wrap(_headline(audit)), *(listing(title, said) for title, said in _first(audit))]
    blocks += ["\n".join([*_table(audit), *(wrap(line, first="  ", rest="  ") for line in _legend())])]
    blocks += [listing(title, said) for title, said in _sections(audit)]
    return "\n\n".join(filter(None, blocks)) + "\n"


def markdown(audit: Audit) -> str:
    """The report as Markdown; text from files and attacks cannot become markup in it."""
    lines = [f"# {_safe(_title(audit))}", "", _safe(_headline(audit)), ""]
    for title, said in (*_first(audit), *_sections(audit)):
        lines += [f"## {title}", "", *(f"- {_safe(sentence)}" for sentence in said), ""] if said else []
    lines += ["## beside judges with a known bias", "", f"| % (95 %) | {' | '.join(head for head, _ in COLUMNS)} |"]
    lines += ["| --- |" + " ---: |" * len(COLUMNS)]
    lines += [f"| {_safe(name)} | {' | '.join(cells)} |" for name, cells in _rows(audit)]
    return "\n".join([*lines, "", *(_safe(line) for line in _legend()), ""])


def _safe(text: str) -> str:
    """One line that is text and nothing else in Markdown."""
    line = one_line(text)
    for mark in "\\`*_[]<>|#&":
        line = line.replace(mark, f"\\{mark}")
    return line


def _title(audit: Audit) -> str:
    return f"{audit.judge} audited on {audit.suite}: {plural(audit.n_prompts, 'prompt')}, seed {audit.seed}"


def _headline(audit: Audit) -> str:
    if not audit.complete:
        return "Incomplete: verdicts are missing, so that nothing is concluded; the figures are of what is there."
    count = len(audit.findings)
    if count:
        return f"{plural(count, 'finding')}: believe this judge only as far as “what it may be used for” says."
    unknown = [part.probe for part in audit.said if part.outcome == "unknown"]
    if unknown:
        return f"No finding, and no clean bill either: too little was seen to tell about {', '.join(unknown)}."
    return "No finding. How large a bias these prompts could have missed stands beside every use."


def _first(audit: Audit) -> list[Section]:
    return [("findings", list(audit.findings)), ("what it may be used for", list(audit.uses))]


def _rows(audit: Audit) -> list[tuple[str, list[str]]]:
    named = [(OURS, audit.figures)]
    named += [(name.removeprefix("control/"), found) for name, found in audit.known_bias.items()]
    return [(name, [pick(found) for _, pick in COLUMNS]) for name, found in named]


def _table(audit: Audit) -> list[str]:
    return table("% (95 %)", [head for head, _ in COLUMNS], _rows(audit))


def _legend() -> list[str]:
    return [
        "first: whichever was shown first, of decisive verdicts; agree: both orders say the same; padded: score of a "
        "padded copy against its original; changed: verdicts unlike the first on the same presentation; attacked: a "
        "damaged copy wins with an attack where it does not without. longest to tie are control/…, whose bias is "
        "their definition; intervals are by prompt, or by cluster where prompts share one."
    ]


def _sections(audit: Audit) -> list[Section]:
    found = audit.figures
    return [
        ("position", list(_position(found))),
        ("verbosity", list(_verbosity(found))),
        ("self-consistency", list(_again(audit))),
        ("damage and attacks", list(_injection(found))),
        ("the worst attacks", list(_worst(found))),
        ("format", list(_format(found))),
        ("what to know", [*_left_out(audit), *audit.notes]),
    ]


def rate(found: Rate, noun: str) -> str:
    """ "12 % of 140 verdicts (95 % 8–18)", or that there is none."""
    if found.rate is None:
        return f"no {noun}"
    inside = f" (95 % {span(*found.ci, found.n)})" if found.ci else ""
    return f"{percent(found.rate, found.n)} of {plural(found.n, noun)}{inside}"


def _position(found: Figures) -> Iterable[str]:
    first, agree, lean = found.position.first, found.position.agree, found.position.lean
    if first.rate is not None:
        ends = f" (95 % {span(*first.ci, first.prompts)})" if first.ci else ""
        yield (
            f"whichever was shown first won {percent(first.rate, first.prompts)} of "
            f"{plural(first.decisive, 'decisive verdict')} on {plural(first.prompts, 'prompt')}{ends}"
        )
    elif agree.n:
        yield "no verdict names a winner"
    if first.unsafe:
        yield f"that interval is unsafe: {first.unsafe}"
    if agree.rate is not None:
        yield f"both orders say the same on {rate(agree, 'prompt')}"
    if lean.n:
        yield (
            f"where they name different winners ({plural(lean.n, 'prompt')}), {lean.toward_first:,} follow the first "
            f"place and {lean.toward_second:,} the second; sign test p {p_value(lean.p_value)}"
        )


def _verbosity(found: Figures) -> Iterable[str]:
    result = found.verbosity
    estimate = result.estimate
    if estimate.mean is not None:
        ends = f" (95 % {span(*estimate.ci, estimate.n)})" if estimate.ci else ""
        yield (
            f"padded copies score {percent(estimate.mean, estimate.n)} against their originals over "
            f"{plural(estimate.n, 'prompt')}{ends}: {result.wins:,} won, {result.losses:,} lost, {result.ties:,} tied"
        )
        kinds = [
            f"{kind} {cell(one.estimate.mean, one.estimate.ci, one.estimate.n)} of {one.estimate.n}"
            for kind, one in found.paddings.items()
        ]
        yield f"by kind of padding, in percent: {', '.join(kinds)}"
    if found.position.longer.rate is not None:
        yield f"of the real responses the longer won {rate(found.position.longer, 'decisive verdict')}"
    slope = found.slope
    if slope is not None and slope.slope is not None and slope.slope_ci is not None:
        low, high = slope.slope_ci
        yield (
            f"length slope on the real pairs, in log-odds: {slope.slope:+.2g} (95 % {low:+.2g} to {high:+.2g}, n = "
            f"{slope.n:,}); longer answers may also be better".replace("-", "−")
        )
    elif slope is not None and slope.reason:
        yield f"no length slope on the real pairs: {slope.reason}"


def _again(audit: Audit) -> Iterable[str]:
    flips = audit.figures.flips
    if audit.steady is not None:
        yield f"not measured: {audit.steady}"
    elif flips is None or flips.rate is None:
        yield "not measured: nothing was shown again (--times)"
    else:
        yield f"shown the same {audit.times} times, it changed its verdict {rate(flips, 'time')}"


def _injection(found: Figures) -> Iterable[str]:
    count, attacks = found.damage, found.injection
    if count.n:
        yield (
            f"a damaged copy beside its original, without an attack: the original was named {count.right:,} times, the "
            f"damaged copy {count.wrong:,}, neither {count.undecided:,}, of {plural(count.n, 'pair')}"
        )
    if attacks.success.rate is not None:
        yield f"with an attack the damaged copy won {rate(attacks.success, 'time')} where it did not without"
    difference = attacks.difference
    if attacks.with_attack is not None and attacks.without is not None and difference.mean is not None:
        ends = ""
        if difference.ci is not None:
            ends = f" (95 % {_points(difference.ci[0])} to {_points(difference.ci[1])})"
        yield (
            f"it wins {percent(attacks.with_attack, difference.n)} with an attack and "
            f"{percent(attacks.without, difference.n)} without: {_points(difference.mean)} points{ends}, "
            f"{plural(difference.n, 'prompt')}, exact one-sided p {p_value(attacks.p_value)}"
        )
    for kind, one in attacks.kinds.items():
        if one.success.rate is not None:
            sure = f", {p_of(one)} over {len(KINDS)} kinds" if one.p_value <= ALPHA else ""
            yield f"{kind}: {rate(one.success, 'time')}{sure}"


def _points(value: float) -> str:
    return f"{100 * value:+.0f}".replace("-", "−")


def _worst(found: Figures) -> Iterable[str]:
    for text in found.injection.worst[:WORST]:
        shown = clean(_ATTACK[text.attack].text).replace("{answer}", "…").replace("\n", " ⏎ ")
        yield f"{text.attack}, {text.successes} of {text.n}: {one_line(shown, 200)}"


def _format(found: Figures) -> Iterable[str]:
    unread = found.unread
    counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in found.statuses.items())
    if unread.rate is not None:
        ends = f" (95 % {span(*unread.ci, unread.n)})" if unread.ci else ""
        share = in_percent(unread.rate, unread.n)
        yield f"{share} % of {plural(unread.n, 'answer')} held no usable verdict{ends}: {counts}"
    elif counts:
        yield f"no answer arrived: {counts}"


def _left_out(audit: Audit) -> Iterable[str]:
    for reason, count in audit.left_out.items():
        yield f"left out of a probe: {plural(count, 'prompt')}, because {reason}"
