"""From runs of pairs to one field: who met whom on which prompts, and what came out.

Contestants are told apart by fingerprint and shown by spec. Refuses runs that do not measure the same thing (suites,
prompts, judges, templates), all reasons together, and fewer than three contestants.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from harness.collect import Found, control_rights, find, is_complete, panel_in
from harness.contrast.comparable import mixed, other_prompts
from harness.contrast.measured import Side
from harness.contrast.reading import of_run
from harness.decision import control_counts, counting, position_decides
from harness.errors import InputError, Problem
from harness.figures import deciding_scores, judge_result
from harness.records import JudgmentRecord
from harness.report.numerals import listed, plural

FEWEST = 3
Key = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Contestant:
    """Who answered: its spec as given, and the name it is shown by (the spec, told apart where two share one)."""

    spec: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Meeting:
    """Two contestants, by their places in the field: prompt scores in [0, 1], 1 for `a`, of the prompts they met on.

    `prompts` is how many they were to meet on.
    """

    a: int
    b: int
    scores: Mapping[str, float]
    prompts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """All contestants and all their meetings. `counting` are the judges that the scores rest on.

    `clusters` holds the prompts that have one. `notes` are sentences on what may be wrong, missing or not comparable.
    """

    suite: str
    seed: int
    contestants: tuple[Contestant, ...]
    meetings: tuple[Meeting, ...]
    clusters: Mapping[str, str]
    counting: tuple[str, ...]
    unusable: tuple[str, ...]
    complete: bool
    notes: tuple[str, ...]

    @property
    def prompts(self) -> tuple[str, ...]:
        """Every prompt on which any two met, sorted."""
        return tuple(sorted({prompt for meeting in self.meetings for prompt in meeting.scores}))


def gather(paths: Sequence[Path], *, allow_mixed: bool, roster: Mapping[Key, Contestant] | None = None) -> Field:
    """The field of one run or more. Raises InputError with every reason why they are none.

    `roster` holds the contestants where they are known beforehand, also those that no run has yet.
    """
    found = _found(paths)
    sides = [of_run(path, run) for path, run in found.items()]
    reasons = [Problem(path=str(side.path), what=why) for side in sides[1:] for why in _differs(sides[0], side)]
    problems = [] if allow_mixed else [replace(p, what=f"{p.what}; --allow-mixed says it instead") for p in reasons]
    problems += [
        Problem(path=str(path), what="compares a contestant with itself, which ranks nothing; leave it out")
        for path, run in found.items()
        if _keys(run)[0] == _keys(run)[1]
    ]
    if problems:
        raise InputError(problems)
    contestants = roster or _contestants(found.values())
    if len(contestants) < FEWEST:
        raise InputError(
            f"a ranking needs {FEWEST} contestants, and these runs have {len(contestants)} "
            f"({listed([one.name for one in contestants.values()])}); `harness analyze` says what two of them differ by"
        )
    return _field(found, sides, contestants, [f"mixed (--allow-mixed): {reason}" for reason in reasons])


def _found(paths: Sequence[Path]) -> dict[Path, Found]:
    found: dict[Path, Found] = {}
    problems: list[Problem] = []
    for path in paths:
        if any(path.resolve() == known.resolve() for known in found):
            problems.append(Problem(path=str(path), what="is given twice; name each run once"))
            continue
        try:
            found[path] = find(path)
        except InputError as error:
            problems += [p if isinstance(p, Problem) else Problem(path=str(path), what=p) for p in error.problems]
    if problems:
        raise InputError(problems)
    return found


def _differs(a: Side, b: Side) -> list[str]:
    """Why two runs do not measure the same thing. Whom they compare, and who fails the control pairs, is looked at
    over all runs."""
    first, other = (
        replace(side, facts=replace(side.facts, baseline=None, counting=(), unusable=())) for side in (a, b)
    )
    return [*other_prompts(first, other), *mixed(first, other)]


def _keys(run: Found) -> tuple[Key, Key]:
    """What tells the run's candidate and baseline from others. One file may hold the responses of both."""
    known = run.manifest.get("fingerprints", {})
    specs = {"candidate": run.job.candidate, "baseline": run.job.baseline}
    prints = {role: str(known.get(role) or spec.text) for role, spec in specs.items()}
    shared = prints["candidate"] == prints["baseline"] and specs["candidate"].kind == "recorded"
    a, b = ((prints[role], role) if shared else (prints[role],) for role in ("candidate", "baseline"))
    return a, b


def _contestants(runs: Iterable[Found]) -> dict[Key, Contestant]:
    """Everyone, in order of appearance; those that share a spec carry the beginning of their fingerprints."""
    specs: dict[Key, str] = {}
    for run in runs:
        for key, spec in zip(_keys(run), (run.job.candidate, run.job.baseline), strict=True):
            specs.setdefault(key, spec.text)
    shared = Counter(specs.values())
    return {
        key: Contestant(spec=spec, name=f"{spec} ({' '.join(key)[:8]})" if shared[spec] > 1 else spec)
        for key, spec in specs.items()
    }


def _field(
    found: Mapping[Path, Found], sides: Sequence[Side], contestants: Mapping[Key, Contestant], notes: Sequence[str]
) -> Field:
    """The field of runs that can be held together. Judges count or not by their control pairs in all runs."""
    judges = list(dict.fromkeys(judge for run in found.values() for judge in run.judges))
    rights: dict[str, list[bool | None]] = defaultdict(list)
    for run in found.values():
        for judge, values in control_rights(run).items():
            rights[judge] += values
    unusable = tuple(judge for judge, count in control_counts(rights).items() if not count.usable)
    gold = next((run.job.suite.panel_gold for run in found.values() if run.job.suite.panel_gold is not None), None)
    count = counting(judges, unusable, gold)
    open_ends = [str(path) for path, run in found.items() if not is_complete(run)]
    first = next(iter(found.values())).job.suite
    return Field(
        suite=first.name,
        seed=first.seed,
        contestants=tuple(contestants.values()),
        meetings=_meetings(found.values(), list(contestants), count),
        clusters={p.id: p.cluster for run in found.values() for p in run.job.suite.prompts if p.cluster is not None},
        counting=count,
        unusable=unusable,
        complete=not open_ends,
        notes=(
            *notes,
            *([f"INCOMPLETE: {listed(open_ends, 3)}; `harness resume RUN` goes on"] if open_ends else []),
            *_same_names(contestants.values()),
            *_blind(found.values(), count),
            *_of_runs(found, sides),
        ),
    )


def _meetings(runs: Iterable[Found], keys: Sequence[Key], count: Sequence[str]) -> tuple[Meeting, ...]:
    """Every pair that met. Where two runs have one pair, a prompt's score is the mean of both."""
    scores: dict[tuple[int, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    asked: dict[tuple[int, int], set[str]] = defaultdict(set)
    for run in runs:
        a, b = (keys.index(key) for key in _keys(run))
        pair, turned = ((a, b), False) if a < b else ((b, a), True)
        ids = [prompt.id for prompt in run.job.suite.prompts]
        asked[pair] |= set(ids)
        rows = _rows(run, [judge for judge in count if judge in run.judges])
        for prompt, score in (deciding_scores(rows, ids, panel_in(run)) if rows else {}).items():
            scores[pair][prompt].append(1 - score if turned else score)
    return tuple(
        Meeting(a=a, b=b, scores={p: fmean(sorted(s)) for p, s in scores[a, b].items()}, prompts=len(asked[a, b]))
        for a, b in sorted(asked)
    )


def _rows(run: Found, judges: Sequence[str]) -> dict[str, list[JudgmentRecord]]:
    rows: dict[str, list[JudgmentRecord]] = {judge: [] for judge in judges}
    for judgment in run.judgments:
        if judgment.judge in rows:
            rows[judgment.judge].append(judgment)
    return rows


def _same_names(contestants: Iterable[Contestant]) -> list[str]:
    twice = sorted(spec for spec, many in Counter(one.spec for one in contestants).items() if many > 1)
    return [f"{spec} stands for different contestants (their fingerprints differ)" for spec in twice]


def _blind(runs: Iterable[Found], count: Sequence[str]) -> list[str]:
    """Judges that contradict themselves or follow the position: a ranking by them is little but noise."""
    pairs: Counter[str] = Counter()
    agreeing: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    led: Counter[str] = Counter()
    for run in runs:
        ids = [prompt.id for prompt in run.job.suite.prompts]
        for judge, rows in _rows(run, count).items():
            result, scores = judge_result(rows, ids)
            judged[judge] += bool(rows)
            led[judge] += result.led_by_position
            for score in scores.values():
                pairs[judge] += score.pairs
                agreeing[judge] += score.agreeing
    said = []
    for judge in count:
        if 2 * agreeing[judge] < pairs[judge]:
            share = f"{agreeing[judge]} of {pairs[judge]} response pairs"
            said.append(f"{judge} contradicts itself: its two orders agree on {share}")
        elif position_decides(led[judge], judged[judge]):
            where = f"{led[judge]} of {plural(judged[judge], 'run')}"
            said.append(f"{judge} follows the position: in {where} one slot wins nearly always, whoever stands there")
    return said


def _of_runs(found: Mapping[Path, Found], sides: Sequence[Side]) -> list[str]:
    """What the runs themselves have to say; once where all of them say it."""
    said: dict[str, list[str]] = defaultdict(list)
    for side in sides:
        for note in dict.fromkeys(side.notes):
            said[note].append(str(side.path))
    for path, run in found.items():
        if run.leakage is not None and run.leakage.ids:
            leaked = plural(len(run.leakage.ids), "prompt")
            said[f"{leaked} of {run.leakage.prompts} stand in the training data of its contestants"].append(str(path))
    return [note if len(paths) == len(found) else f"{listed(paths, 3)}: {note}" for note, paths in said.items()]
