"""Whether two sides measure the same thing: every reason why they do not.

Three sorts of reasons: those that nothing lifts, those that an unpaired comparison lifts (other prompts), and those
that `--allow-mixed` turns into notes (other suites, judges, templates, baselines, checks, references). What has to be
said where they do compare stands in `remarks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from harness.contrast.grades import ends_of
from harness.contrast.measured import Kind, Named, Side, Yardstick
from harness.report.numerals import listed, one_line, plural

UNPAIRED = "--unpaired compares the two without pairs"
DESPITE = "--allow-mixed compares nevertheless and says so"
NO_JUDGE = "no judge of it counts, so that it has no scores; judge it again"
UNJUDGED: frozenset[Kind] = frozenset({"predictions", "losses"})


def other_kind(a: Side, b: Side) -> str:
    """What sides of different kinds are told; nothing else can then be said of them."""
    return f"holds {_kind(b)}, while {a.path} holds {_kind(a)}; compare like with like"


def _kind(side: Side) -> str:
    return "verdicts of a comparison" if side.kind == "pairwise" else side.kind


def noun(side: Side) -> str:
    """What a side's scores are of."""
    return "document" if side.kind == "losses" else "prompt"


def hopeless(a: Side, b: Side) -> list[str]:
    """Reasons that nothing lifts, each naming its side."""
    found = []
    for side in (a, b):
        if side.kind not in UNJUDGED and not side.facts.counting:
            found.append(f"{side.path}: {NO_JUDGE}")
        elif not side.scores:
            found.append(f"{side.path}: none of its {plural(side.total, noun(side))} has a usable score")
    if a.scale is not None and b.scale is not None and a.scale != b.scale:
        found.append(f"grades on {ends_of(b.scale)} here and on {ends_of(a.scale)} in {a.path} have no difference")
    return found


def other_prompts(a: Side, b: Side) -> list[str]:
    """Reasons why a prompt of one side has no partner in the other: other ids, texts, system messages, gold labels."""
    found = []
    only_a, only_b = _without(a.prompts, b.prompts), _without(b.prompts, a.prompts)
    if only_a or only_b:
        lacks = [
            f"{len(ids)} of {plural(side.total, noun(side))} of {side.path} ({few(ids)})"
            for side, ids in ((a, only_a), (b, only_b))
            if ids
        ]
        found.append(f"the {noun(a)}s differ: the other side does not have {' and '.join(lacks)}")
    for what, mine, theirs in (
        ("text", b.facts.texts, a.facts.texts),
        ("system message", b.facts.systems, a.facts.systems),
        ("gold label", b.facts.labels, a.facts.labels),
    ):
        ids = changed(theirs or {}, mine or {})
        if ids:
            verb = "has" if len(ids) == 1 else "have"
            found.append(f"{plural(len(ids), noun(a))} ({few(ids)}) {verb} another {what} than in {a.path}")
    return found


def _without(ids: Iterable[str], others: Iterable[str]) -> list[str]:
    known = set(others)
    return [name for name in ids if name not in known]


def changed(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """The names that stand on both sides with another value."""
    return sorted(name for name in a.keys() & b.keys() if a[name] != b[name])


def few(ids: Iterable[str]) -> str:
    """The first ids, quoted, and how many more there are."""
    return listed([repr(one_line(name, 40)) for name in sorted(ids)], 3)


def mixed(a: Side, b: Side) -> list[str]:
    """Reasons why the same prompts were measured in different ways, the suites' first."""
    return [reason for reasons in MIXES.values() for reason in reasons(a, b)]


def what_mixes(a: Side, b: Side) -> list[str]:
    """What `mixed` gives reasons for, by name."""
    return [name for name, reasons in MIXES.items() if any(True for _ in reasons(a, b))]


def _suites(a: Side, b: Side) -> Iterator[str]:
    mine, other = b.facts.suite, a.facts.suite
    if mine is not None and other is not None and mine != other:
        yield f"the suites differ: {mine!r} here, {other!r} in {a.path}"


def _judges(a: Side, b: Side) -> Iterator[str]:
    mine, other = b.facts, a.facts
    here, there = (
        [name for name in judges if not name.startswith("control/")] for judges in (mine.judges, other.judges)
    )
    # A judge with a known bias never counts: with or without it the sides measure the same.
    if {*here} != {*there}:
        yield f"the judges differ: {_names(here)} here, {_names(there)} in {a.path}"
    elif {*mine.counting} != {*other.counting}:
        failed = "; ".join(
            f"{listed(sorted(side.facts.unusable))} {failed_by(side)} in {side.path}"
            for side in (a, b)
            if side.facts.unusable
        )
        yield f"the judges that count differ: {failed}"


def failed_by(side: Side) -> str:
    """Why a judge of this side does not count."""
    return "gave no score" if side.kind == "scores" else "failed the control pairs"


def _names(judges: Iterable[str]) -> str:
    return listed(sorted(judges), 4) or "none"


def _templates(a: Side, b: Side) -> Iterator[str]:
    for judge in changed(a.facts.templates, b.facts.templates):
        both = zip_longest(*(side.facts.templates[judge].split("+") for side in (b, a)), fillvalue="none")
        mine, other = next((mine, other) for mine, other in both if mine != other)
        yield f"another version of {judge}'s template or weights (SHA-256 {mine[:12]} here, {other[:12]} in {a.path})"


def _ways(a: Side, b: Side) -> Iterator[str]:
    how = "measured" if a.kind == "losses" else "judged"
    for what in changed(a.facts.ways, b.facts.ways):
        yield f"{what} {how} otherwise: {b.facts.ways[what]} here, {a.facts.ways[what]} in {a.path}"


def _baselines(a: Side, b: Side) -> Iterator[str]:
    mine, other = b.facts.baseline, a.facts.baseline
    if mine is None or other is None or mine.fingerprint == other.fingerprint:
        return
    if _same_answers(a, b):
        return
    if mine.spec == other.spec:
        yield (
            f"a baseline that changed under the same name, {mine.spec} "
            f"({_print(mine)} here, {_print(other)} in {a.path})"
        )
    else:
        yield f"the baselines differ: {mine.spec} here, {other.spec} in {a.path}"


def _same_answers(a: Side, b: Side) -> bool:
    """Whether recorded baselines answered every common prompt alike, whatever else their files hold."""
    common = a.facts.answers.keys() & b.facts.answers.keys() & {*a.prompts} & {*b.prompts}
    return bool(common) and all(a.facts.answers[name] == b.facts.answers[name] for name in common)


def _print(contestant: Named) -> str:
    return f"fingerprint {contestant.fingerprint[:12]}" if contestant.fingerprint else "no fingerprint"


def _checks(a: Side, b: Side) -> Iterator[str]:
    if "checks" in a.facts.reads | b.facts.reads:
        yield from other_yardstick(a, b, "checks")


def _references(a: Side, b: Side) -> Iterator[str]:
    if "references" in a.facts.reads | b.facts.reads:
        yield from other_yardstick(a, b, "references")


def other_yardstick(a: Side, b: Side, what: Yardstick) -> Iterator[str]:
    """That prompts are the same and what answers to them are held against is not."""
    mine, other = (side.facts.checks if what == "checks" else side.facts.references for side in (b, a))
    # Another prompt under the same id is another prompt, whatever its checks; `other_prompts` says it.
    others = {*changed(a.facts.texts or {}, b.facts.texts or {}), *changed(a.facts.systems, b.facts.systems)}
    ids = [name for name in changed(other, mine) if name not in others]
    if ids:
        yield f"other {what} under the same ids as in {a.path}: {few(ids)}"


MIXES: Mapping[str, Callable[[Side, Side], Iterator[str]]] = {
    "suites": _suites,
    "judges": _judges,
    "judges' templates": _templates,
    "ways of judging": _ways,
    "baselines": _baselines,
    "checks": _checks,
    "references": _references,
}
