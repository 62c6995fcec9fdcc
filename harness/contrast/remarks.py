"""What a reader must know although two sides compare: what is not whole, what was set otherwise, what is chance.

It refuses nothing; `comparable` does.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.contrast.comparable import changed, failed_by, few, other_prompts, other_yardstick, what_mixes
from harness.contrast.measured import Side
from harness.report.numerals import listed, plural


def remarks(a: Side, b: Side) -> list[str]:
    """Everything of that sort, a sentence each."""
    found = [f"INCOMPLETE: {side.path} has not asked all it was to ask" for side in (a, b) if not side.facts.complete]
    for side in (a, b):
        found += [f"{side.path}: {note}" for note in side.notes]
        if side.facts.unusable and {*a.facts.unusable} == {*b.facts.unusable}:
            found.append(f"{side.path}: {listed(side.facts.unusable)} {failed_by(side)} and does not count")
    found += [*_unread(a, b), *_settings(a, b).values()]
    if a.kind == "pairwise":
        found += _unknown(a, b)
    return [*found, *_same_candidate(a, b)]


def by_position(side: Side) -> str | None:
    """That the slots decided in a side as much as the answers did; None where they did not."""
    facts = side.facts
    if not facts.position_decides:
        return None
    whose = "its" if len(facts.blind) == 1 else "their"
    return (
        f"the verdicts of {listed(facts.blind, 3)} in {side.path} follow the position ({whose} two orders agree on "
        "fewer than half of the prompts, or one slot wins nearly always)"
    )


def _unread(a: Side, b: Side) -> Iterator[str]:
    """Other checks or references that no judge who counts was shown: no reason to refuse, but worth a word."""
    if "checks" not in a.facts.reads | b.facts.reads:
        yield from (f"{said}; no judge that counts reads them" for said in other_yardstick(a, b, "checks"))
    if "references" not in a.facts.reads | b.facts.reads:
        yield from (f"{said}; no judge that counts reads them" for said in other_yardstick(a, b, "references"))


def _settings(a: Side, b: Side) -> dict[str, str]:
    """What was set otherwise, by name: of all prompts, and where that is the same, of single ones."""
    one, two = a.facts, b.facts
    found = {
        name: f"{name} differs: {one.settings[name]} in {a.path}, {two.settings[name]} in {b.path}"
        for name in changed(one.settings, two.settings)
    }
    for name, ids in (
        ("sampling", changed(one.samplings, two.samplings)),
        ("samples a prompt", changed(one.repeats, two.repeats)),
    ):
        if ids and name not in found:
            who = f"{plural(len(ids), 'prompt')} ({few(ids)})"
            found[name] = f"{name} differs for {who} between {a.path} and {b.path}"
    return found


def _unknown(a: Side, b: Side) -> Iterator[str]:
    vague = [str(side.path) for side in (a, b) if side.facts.baseline is None]
    if vague:
        is_are = "is a judgments file" if len(vague) == 1 else "are judgments files"
        yield (
            f"{' and '.join(vague)} {is_are}: nothing there says which baseline and which prompt texts were "
            "compared; they are taken to be the same"
        )


def _same_candidate(a: Side, b: Side) -> Iterator[str]:
    """That the candidates are one, and whether chance alone can then make a difference."""
    one, two = a.facts.candidate, b.facts.candidate
    if one is None or two is None or not one.fingerprint or one.fingerprint != two.fingerprint:
        return
    same = "both sides are the same candidate (equal fingerprints)"
    others = [*(["prompts"] if other_prompts(a, b) else []), *what_mixes(a, b), *sorted(_settings(a, b))]
    if others:
        yield f"{same}, and this is not the same: {listed(others)}; a difference may come of that as well as of chance"
    else:
        yield f"{same}; any difference is chance"
