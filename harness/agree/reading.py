"""From runs and judgments files, several together, to the verdicts of every judge on every prompt.

Refuses what does not compare the same two contestants, a judgment that stands in two inputs, and what cannot agree with
anything: one judge, judges without a common prompt, verdicts of which none is usable.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.agree.rows import Row, read_rows, row_of
from harness.collect import Found, find, is_complete, notes_of
from harness.errors import InputError, Problem
from harness.folder import read_manifest
from harness.report.numerals import listed, plural

# The refusals of `analyze`, which takes the same inputs together.
from harness.several import most_frequent, named, same_comparison


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """What a judge was shown of one prompt, as far as a run's folder holds it: one text per turn."""

    turns: tuple[str, ...]
    candidate: tuple[str, ...] | None
    baseline: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """Everything that was read. `judges` and `prompts` are sorted: no order of lines or files can be told from it.

    `categories` and `clusters` hold the prompts that have one; `texts` the prompts of runs. `notes` say what a reader
    must know beside the figures.
    """

    title: str
    rows: tuple[Row, ...]
    judges: tuple[str, ...]
    prompts: tuple[str, ...]
    categories: Mapping[str, str]
    clusters: Mapping[str, str]
    texts: Mapping[str, Texts]
    notes: tuple[str, ...]
    complete: bool


def load(paths: Sequence[Path]) -> Inputs:
    """Read runs (the last line of a key counts) and judgments files. Raises InputError, with every problem found."""
    runs: dict[Path, Found] = {}
    files: dict[Path, list[Row]] = {}
    problems: list[Problem | str] = []
    for path in dict.fromkeys(paths):
        try:
            if path.is_dir():
                runs[path] = _run(path)
            else:
                files[path] = _file(path)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)  # type: ignore[arg-type]
    same_comparison(runs)
    by_path = {path: [row_of(j) for j in runs[path].judgments] if path in runs else files[path] for path in paths}
    problems += [*(_repeated(paths, by_path) if len(paths) > 1 else []), *_other_contestants(files)]
    if problems:
        raise InputError(problems)  # type: ignore[arg-type]
    return _inputs(paths, [row for rows in by_path.values() for row in rows], list(runs.values()))


def _run(path: Path) -> Found:
    suite = read_manifest(path)["suite"]
    kind = suite.get("kind", "pairwise") if isinstance(suite, dict) else "pairwise"
    if kind != "pairwise":
        what = f"is a run of kind {kind!r}; agree counts wins, losses and ties: give runs of pairs, or judgments files"
        raise InputError([Problem(path=str(path), what=what)])
    return find(path)


def _file(path: Path) -> list[Row]:
    if path.suffix == ".html" and not path.exists():
        what = f"there is no such file; to write the page there: harness agree … --html > {path}"
        raise InputError([Problem(path=str(path), what=what)])
    return read_rows(path)


def _repeated(paths: Sequence[Path], by_path: Mapping[Path, Sequence[Row]]) -> list[Problem]:
    """Judgments that stand in two inputs (or in one that was given twice): one sentence for every two inputs."""
    origin: dict[tuple[object, ...], Path] = {}
    twice: dict[tuple[Path, Path], list[Row]] = defaultdict(list)
    for path in paths:
        for row in by_path[path]:
            if (first := origin.setdefault(row[:4], path)) is not path:
                twice[path, first].append(row)
    given = Counter(paths)
    said = [
        Problem(path=str(path), what=f"was given {times} times; give it once")
        for path, times in given.items()
        if times > 1
    ]
    for (path, first), rows in twice.items():
        if path == first:
            continue
        what = f"the judgment {named(rows[0].key())} stands already in {first}; keep one of them"
        more = f" (and {plural(len(rows) - 1, 'more judgment')} of these files)" if len(rows) > 1 else ""
        said.append(Problem(path=str(path), what=what + more))
    return said


def _other_contestants(files: Mapping[Path, Sequence[Row]]) -> list[Problem]:
    """The first prompt for which two lines name other contestants, where lines name any."""
    known: dict[str, tuple[tuple[str, str], Path]] = {}
    for path, rows in files.items():
        for row in rows:
            if row.contestants is None:
                continue
            there, first = known.setdefault(row.id, (row.contestants, path))
            if there != row.contestants:
                found, other = (" against ".join(map(repr, pair)) for pair in (row.contestants, there))
                what = (
                    f"prompt {row.id!r} compares {found}, in {first} {other}; other comparisons are not one: "
                    "give judgments of the same candidate and baseline"
                )
                return [Problem(path=str(path), what=what)]
    return []


def _inputs(paths: Sequence[Path], rows: list[Row], runs: Sequence[Found]) -> Inputs:
    judges = sorted({row.judge for row in rows} | {judge for found in runs for judge in found.judges})
    if len(judges) < 2:
        who = f"one judge, {judges[0]!r}" if judges else "no judge"
        raise InputError(
            [Problem(path=str(paths[0]), what=f"holds {who}; agreement needs two: add another judge's file")]
            if len(paths) == 1
            else f"these inputs hold {who}; agreement needs two: add another judge's judgments of the same prompts"
        )
    _usable(rows)
    known = {prompt.id for found in runs for prompt in found.prompts}
    categories, several = most_frequent((row.id, row.category) for row in rows if row.id not in known)
    clusters, torn = most_frequent((row.id, row.cluster) for row in rows if row.id not in known)
    categories |= {p.id: p.category for found in runs for p in found.prompts if p.category is not None}
    clusters |= {p.id: p.cluster for found in runs for p in found.prompts if p.cluster is not None}
    notes = [note for found in runs for note in notes_of(found)]
    for count, what in ((several, "categories"), (torn, "clusters")):
        if count:
            notes.append(f"{plural(count, 'prompt')} with several {what}: the most frequent one counts")
    complete = all(is_complete(found) for found in runs)
    if not complete:
        notes.append("a run here is incomplete: the figures rest on what is there")
    return Inputs(
        title=paths[0].name if len(paths) == 1 else f"{len(paths)} inputs taken together",
        rows=tuple(rows),
        judges=tuple(judges),
        prompts=tuple(sorted({row.id for row in rows})),
        categories=categories,
        clusters=clusters,
        texts=_texts(runs),
        notes=tuple(dict.fromkeys(notes)),
        complete=complete,
    )


def _usable(rows: Sequence[Row]) -> None:
    """Raise InputError where no verdict is usable, or no two judges have one on the same prompt."""
    scored: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.winner is not None:
            scored[row.id].add(row.judge)
    if not scored:
        counts = Counter(row.status for row in rows).most_common()
        said = listed([f"{count:,} {status}" for status, count in counts])
        raise InputError(f"none of {plural(len(rows), 'judgment')} is usable ({said or 'there is none'}); judge again")
    if max(map(len, scored.values())) < 2:
        examples: dict[str, str] = {}
        for prompt in sorted(scored):
            for judge in scored[prompt]:
                examples.setdefault(judge, prompt)
        shown = listed([f"{judge} {examples[judge]!r}" for judge in sorted(examples)], 3)
        raise InputError(
            f"no two judges have a usable verdict on the same prompt (the first of each: {shown}); "
            "agreement is counted on prompts with the same id: check that the ids mean the same"
        )


def _texts(runs: Sequence[Found]) -> dict[str, Texts]:
    """The first sample's texts of every prompt; where several runs hold it, of the first run by name."""
    found: dict[str, Texts] = {}
    for run in sorted(runs, key=lambda run: run.job.suite.name):
        for prompt in run.prompts:
            texts = []
            for role in ("candidate", "baseline"):
                record = run.responses.get((prompt.id, role, 0))
                texts.append(record.texts() if record is not None else None)
            found.setdefault(prompt.id, Texts(turns=prompt.turns, candidate=texts[0], baseline=texts[1]))
    return found
