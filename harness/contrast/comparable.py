"""Whether two sides measure the same thing: every reason why they do not, and what has to be said where they do.

Three sorts of reasons: those that nothing lifts, those that an unpaired comparison lifts (other prompts), and those
that `--allow-mixed` turns into notes (other suites, judges, templates, baselines).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.contrast.measured import Named, Side
from harness.report.numerals import listed, one_line, plural

NO_JUDGE = "no judge of it counts, so that it has no scores; judge it again"


def other_kind(a: Side, b: Side) -> str:
    """What sides of different kinds are told; nothing else can then be said of them."""
    return f"holds {_kind(b)}, while {a.path} holds {_kind(a)}; compare like with like"


def _kind(side: Side) -> str:
    return {"pairwise": "verdicts of a comparison", "scores": "scores", "predictions": "predictions"}[side.kind]


def hopeless(a: Side, b: Side) -> list[str]:
    """Reasons that nothing lifts, each naming its side."""
    found = []
    for side in (a, b):
        if side.kind != "predictions" and not side.facts.counting:
            found.append(f"{side.path}: {NO_JUDGE}")
        elif not side.scores:
            found.append(f"{side.path}: none of its {plural(side.total, 'prompt')} has a usable score")
    return found


def other_prompts(a: Side, b: Side) -> list[str]:
    """Reasons why a prompt of one side has no partner in the other: other ids, other texts, other gold labels."""
    found = []
    only_a, only_b = _without(a.prompts, b.prompts), _without(b.prompts, a.prompts)
    if only_a or only_b:
        lacks = [
            f"{len(ids)} of {plural(side.total, 'prompt')} of {side.path} ({_few(ids)})"
            for side, ids in ((a, only_a), (b, only_b))
            if ids
        ]
        found.append(f"the prompts differ: the other side does not have {' and '.join(lacks)}")
    for what, mine, theirs in (("text", b.facts.texts, a.facts.texts), ("gold label", b.facts.labels, a.facts.labels)):
        changed = _changed(theirs or {}, mine or {})
        if changed:
            verb = "has" if len(changed) == 1 else "have"
            found.append(f"{plural(len(changed), 'prompt')} ({_few(changed)}) {verb} another {what} than in {a.path}")
    return found


def _without(ids: Iterable[str], others: Iterable[str]) -> list[str]:
    known = set(others)
    return [name for name in ids if name not in known]


def _changed(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in a.keys() & b.keys() if a[name] != b[name])


def _few(ids: Iterable[str]) -> str:
    return listed([repr(one_line(name, 40)) for name in sorted(ids)], 3)


def mixed(a: Side, b: Side) -> list[str]:
    """Reasons why the same prompts were measured in different ways: suites, judges, templates, baselines."""
    return [*_suites(a, b), *_judges(a, b), *_templates(a, b), *_baselines(a, b)]


def _suites(a: Side, b: Side) -> Iterator[str]:
    mine, other = b.facts.suite, a.facts.suite
    if mine is not None and other is not None and mine != other:
        yield f"the suites differ: {mine!r} here, {other!r} in {a.path}"


def _judges(a: Side, b: Side) -> Iterator[str]:
    mine, other = b.facts, a.facts
    if {*mine.judges} != {*other.judges}:
        yield f"the judges differ: {_names(mine.judges)} here, {_names(other.judges)} in {a.path}"
    elif {*mine.counting} != {*other.counting}:
        failed = "; ".join(
            f"{listed(sorted(side.facts.unusable))} {_failed(side)} in {side.path}"
            for side in (a, b)
            if side.facts.unusable
        )
        yield f"the judges that count differ: {failed}"


def _failed(side: Side) -> str:
    return "gave no score" if side.kind == "scores" else "failed the control pairs"


def _names(judges: Iterable[str]) -> str:
    return listed(sorted(judges), 4) or "none"


def _templates(a: Side, b: Side) -> Iterator[str]:
    for judge in _changed(a.facts.templates, b.facts.templates):
        mine, other = b.facts.templates[judge], a.facts.templates[judge]
        yield f"another version of {judge}'s template or weights (SHA-256 {mine[:12]} here, {other[:12]} in {a.path})"


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


def remarks(a: Side, b: Side) -> list[str]:
    """What a reader must know although the two can be compared."""
    found = [f"INCOMPLETE: {side.path} has not asked all it was to ask" for side in (a, b) if not side.facts.complete]
    for side in (a, b):
        found += [f"{side.path}: {note}" for note in side.notes]
        if side.facts.unusable and {*a.facts.unusable} == {*b.facts.unusable}:
            found.append(f"{side.path}: {listed(side.facts.unusable)} {_failed(side)} and does not count")
    for name in _changed(a.facts.settings, b.facts.settings):
        found.append(f"{name} differs: {a.facts.settings[name]} in {a.path}, {b.facts.settings[name]} in {b.path}")
    if a.kind == "pairwise":
        found += _unknown(a, b)
    one, two = a.facts.candidate, b.facts.candidate
    if one is not None and two is not None and one.fingerprint and one.fingerprint == two.fingerprint:
        found.append("both sides are the same candidate (equal fingerprints); any difference is chance")
    return found


def _unknown(a: Side, b: Side) -> Iterator[str]:
    vague = [str(side.path) for side in (a, b) if side.facts.baseline is None]
    if vague:
        is_are = "is a judgments file" if len(vague) == 1 else "are judgments files"
        yield (
            f"{' and '.join(vague)} {is_are}: nothing there says which baseline and which prompt texts were "
            "compared; they are taken to be the same"
        )
