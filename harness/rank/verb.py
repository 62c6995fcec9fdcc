"""`harness rank`: runs into a ranking, or a round robin and its ranking; arguments in, exit code out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from harness import folder
from harness import suite as suites
from harness.errors import HarnessError, InputError, RunStopped
from harness.models.meter import Meter
from harness.models.recorded import file_sha256
from harness.models.spec import Spec
from harness.progress import showing
from harness.rank import words
from harness.rank.field import Contestant, Field, Key, gather
from harness.rank.play import Played, Player
from harness.rank.robin import Robin, file_of, robin_of, runs_of
from harness.rank.standings import Standings, standings

FIGURES = "ranking.json"
Resolve = Callable[[Spec, Callable[[str, int, int], None]], Spec]


def rank_runs(paths: Sequence[Path], *, allow_mixed: bool, as_json: bool) -> int:
    """Rank the contestants of runs, and of whole rankings: exit code 0, 3 or 4; raises InputError for 2."""
    found = standings(gather(runs_of(paths), allow_mixed=allow_mixed))
    _show(found, as_json=as_json)
    if not found.field.complete:
        print("incomplete; the ranking rests on what is there", file=sys.stderr)
        return RunStopped.exit_code
    return _judged(found)


def round_robin(
    given: str,
    specs: Sequence[str],
    judges: Sequence[str],
    *,
    out: Path,
    limit: int | None,
    seed: int | None,
    concurrency: int,
    resolve: Resolve,
    as_json: bool,
) -> int:
    """Have everyone answer and every pair judged, and rank them: exit code 0, 3, 4 or 130; raises InputError for 2."""
    suite = suites.load(suites.locate(given))
    robin = robin_of(suite, specs, judges, limit=limit, seed=seed, concurrency=concurrency)
    meter = Meter()
    with showing(meter) as progress:
        played = Player(
            robin=robin,
            out=out,
            resolve=lambda spec: resolve(spec, progress.moved),
            meter=meter,
            progress=progress,
        ).play()
    if isinstance(played.stopped, InputError):
        raise played.stopped
    found = standings(_field(robin, played, out))
    folder.write_whole(out / FIGURES, folder.as_json(found.as_json()))
    _show(found, as_json=as_json)
    return _ended(played, found, out)


def _field(robin: Robin, played: Played, out: Path) -> Field:
    """The field of the pairs that are there, with everyone in it."""
    roster: dict[Key, Contestant] = {
        (file_sha256(file) if (file := file_of(out, place)).exists() else spec,): Contestant(spec=spec, name=spec)
        for place, spec in enumerate(robin.specs)
    }
    if played.runs:
        field = gather(played.runs, allow_mixed=True, roster=roster)
    else:
        field = Field(
            suite=robin.suite.name,
            seed=robin.suite.seed,
            contestants=tuple(roster.values()),
            meetings=(),
            clusters={},
            counting=(),
            unusable=(),
            complete=False,
            notes=(),
        )
    lacking = played.pairs - len(played.runs)
    note = f"INCOMPLETE: {lacking} of {played.pairs} pairs have not been judged; the same command goes on"
    return replace(field, complete=played.complete, notes=((note,) if lacking else ()) + field.notes)


def _ended(played: Played, found: Standings, out: Path) -> int:
    if isinstance(played.stopped, HarnessError):
        print(f"error: {played.stopped}", file=sys.stderr)
    print(out / FIGURES, file=sys.stderr)
    if isinstance(played.stopped, KeyboardInterrupt):
        print(f"interrupted; the same command goes on in {out}", file=sys.stderr)
        return 130
    if not played.complete:
        print(f"incomplete; the same command goes on in {out}, and asks nothing twice", file=sys.stderr)
        return RunStopped.exit_code
    return _judged(found)


def _judged(found: Standings) -> int:
    """3 where control pairs left no usable judge, as `harness run`."""
    return 3 if found.field.unusable and not found.field.counting else 0


def _show(found: Standings, *, as_json: bool) -> None:
    if as_json:
        text = json.dumps(found.as_json(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    else:
        text = words.render(found)
    sys.stdout.write(text)
    sys.stdout.flush()
