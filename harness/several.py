"""Several runs and judgments files as one comparison. Refuses what does not compare the same two contestants."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.collect import Found, control_rights, find, is_complete, notes_of
from harness.errors import InputError, Problem
from harness.leakage.guard import ROLES, Finding
from harness.records import JudgmentRecord, read
from harness.report.data import Comparison, Report
from harness.run import UNANSWERED
from harness.summary import summarize


def together(paths: Sequence[Path], *, equivalence: float) -> Report:
    """The report of several inputs at once: runs (the last line of a key counts) and judgments files.

    Raises InputError on broken lines, contradictions, a key that stands in two inputs, and on runs that compared other
    things. Incomplete runs, their control verdicts and their unscored prompts count as in each run alone.
    """
    runs = {path: find(path) for path in paths if path.is_dir()}
    same_comparison(runs)
    records: dict[Any, JudgmentRecord] = {}
    origin: dict[Any, Path] = {}
    problems: list[Problem] = []
    for path in paths:
        for record in runs[path].judgments if path in runs else read(path, JudgmentRecord):
            key = record.key()
            if key in records:
                what = f"the judgment {named(key)} stands already in {origin[key]}; keep one of them"
                problems.append(Problem(path=str(path), what=what))
            records[key], origin[key] = record, path
    if problems:
        raise InputError(problems)
    return _report_of_records(list(records.values()), paths, equivalence, list(runs.values()))


def same_comparison(runs: Mapping[Path, Found]) -> None:
    """Raise InputError where two runs compared other contestants, or asked other texts under one id."""
    first: tuple[Path, Found] | None = None
    for path, found in runs.items():
        if first is None:
            first = (path, found)
            continue
        for what in ("candidate", "baseline"):
            if found.manifest["fingerprints"].get(what) != first[1].manifest["fingerprints"].get(what):
                said = f"its {what} is not that of {first[0]}; other comparisons are not one: take each alone"
                raise InputError([Problem(path=str(path), what=said)])
        known = {prompt.id: prompt.turns for prompt in first[1].job.suite.prompts}
        for prompt in found.job.suite.prompts:
            if known.get(prompt.id, prompt.turns) != prompt.turns:
                said = f"prompt {prompt.id!r} has another text than in {first[0]}; take each alone"
                raise InputError([Problem(path=str(path), what=said)])


def named(key: Iterable[Any]) -> str:
    return "(" + ", ".join(str(part) for part in key if part is not None) + ")"


def most_frequent(pairs: Iterable[tuple[str, str | None]]) -> tuple[dict[str, str], int]:
    """Every prompt's label, the most frequent where its lines carry several; and how many do."""
    counts = Counter(pair for pair in pairs if pair[1] is not None)
    found: dict[str, tuple[int, str]] = {}
    several: set[str] = set()
    for (prompt, label), count in counts.items():
        rank = (-count, str(label))
        if prompt in found:
            several.add(prompt)
        found[prompt] = min(rank, found.get(prompt, rank))
    return {prompt: label for prompt, (_, label) in found.items()}, len(several)


def _categories_of(records: Sequence[JudgmentRecord]) -> tuple[dict[str, str | None], list[str]]:
    """Every prompt's category, the most frequent where its lines carry several; and a note where they do."""
    seen: dict[str, Counter[str]] = {record.id: Counter() for record in records}
    for record in records:
        if record.category is not None:
            seen[record.id][record.category] += 1
    chosen = {
        prompt: min(counts, key=lambda name: (-counts[name], name)) if counts else None
        for prompt, counts in sorted(seen.items())
    }
    several = sum(len(counts) > 1 for counts in seen.values())
    note = f"{several} prompts carry several categories; each counts in its most frequent one"
    return chosen, [note] if several else []


def _leakage_of(runs: Sequence[Found]) -> Finding | None:
    """What leaked in any of these runs, which compared the same contestants."""
    held = [(found, finding) for found in runs if (finding := found.leakage) is not None]
    if not held:
        return None
    exact = dict.fromkeys(prompt for _, finding in held for prompt in finding.exact)
    near = dict.fromkeys(prompt for _, finding in held for prompt in finding.near if prompt not in exact)
    prompts = {prompt.id for found, _ in held for prompt in found.job.suite.prompts}
    seen = {
        role: tuple(dict.fromkeys(prompt for _, finding in held for prompt in finding.seen.get(role, ())))
        for role in ROLES
    }
    widest = max((finding for _, finding in held), key=lambda finding: finding.examples)
    return replace(widest, exact=tuple(exact), near=tuple(near), prompts=len(prompts), seen=seen)


def _report_of_records(
    records: Sequence[JudgmentRecord], paths: Sequence[Path], equivalence: float, runs: Sequence[Found]
) -> Report:
    prompts, notes = _categories_of(records)
    prompts |= {prompt.id: prompt.category for found in runs for prompt in found.prompts}
    clusters, torn = most_frequent((record.id, record.cluster) for record in records)
    if torn:
        notes.append(f"{torn} prompts carry several clusters; each counts in its most frequent one")
    clusters |= {p.id: p.cluster for found in runs for p in found.prompts if p.cluster is not None}
    if any(found.stopped is not None for found in runs):
        notes.append("a run here stopped as soon as it was decided: plain intervals do not allow for that")
    by_pair: dict[tuple[str, int], list[JudgmentRecord]] = defaultdict(list)
    for record in records:
        by_pair[record.id, record.repeat].append(record)
    # A known-bias judge decides nothing, so what it lacks leaves nothing open.
    open_ends = any(r.status in UNANSWERED for r in records if not r.judge.startswith("control/")) and not runs
    rights: dict[str, list[bool | None]] = defaultdict(list)
    for found in runs:
        for judge, values in control_rights(found).items():
            rights[judge] += values
        notes += notes_of(found)
    rules = {(found.job.suite.panel, found.job.suite.panel_gold) for found in runs}
    rule, gold = next(iter(rules)) if len(rules) == 1 else ("majority", None)
    if len(rules) > 1:
        notes.append("these runs have other panel rules; here the majority decides")
    summary = summarize(
        records,
        prompts=prompts,
        judges=sorted({record.judge for record in records} | {judge for found in runs for judge in found.judges}),
        control_rights=rights,
        complete=not open_ends and all(is_complete(found) for found in runs),
        equivalence=equivalence,
        notes=list(dict.fromkeys(notes)),
        leakage=_leakage_of(runs),
        clusters=clusters,
        rule=rule,
        gold=gold,
    )
    comparisons = tuple(
        Comparison(id=prompt, repeat=repeat, category=prompts[prompt], judgments=tuple(rows))
        for (prompt, repeat), rows in sorted(by_pair.items())
    )
    title = paths[0].stem if len(paths) == 1 else f"{len(paths)} inputs taken together"
    facts = {"files": ", ".join(path.name for path in paths), "equivalence": f"1/2 ± {equivalence:g}"}
    return Report(title=title, summary=summary, comparisons=comparisons, facts=facts)
