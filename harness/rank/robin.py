"""What a round robin is: its suite, contestants and judges, checked before anything is opened, and its folder.

DIR/manifest.json says what is ranked, DIR/responses/K.jsonl holds what contestant K answered, DIR/I-vs-J is the run of
a pair. Refuses fewer than three contestants, one named twice, judges that read recorded verdicts (which are about one
pair), and a folder that ranks something else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from harness.errors import InputError, Problem
from harness.folder import MANIFEST, read_manifest
from harness.launch import Options
from harness.models.contestant import Question
from harness.models.spec import parse
from harness.plan import limited
from harness.rank.field import FEWEST
from harness.suite import Suite, override

RESPONSES = "responses"


@dataclass(frozen=True, kw_only=True, slots=True)
class Robin:
    """What is to be ranked. `suite` has the prompts that are asked and the seed, `full` is the suite as it was read."""

    suite: Suite
    full: Suite
    specs: tuple[str, ...]
    judges: tuple[str, ...]
    limit: int | None
    concurrency: int

    def options(self, candidate: str, baseline: str) -> Options:
        """The command line of one pair's run."""
        return Options(
            candidate=candidate,
            baseline=baseline,
            judges=self.judges,
            limit=self.limit,
            seed=self.suite.seed,
            concurrency=self.concurrency,
        )

    @property
    def asked(self) -> dict[str, Any]:
        """What has to be the same for a ranking to be gone on with."""
        bare = replace(self.suite, folder=Path(), candidate=None, baseline=None, judges=())
        state = json.dumps(asdict(bare), sort_keys=True, default=str)
        return {
            "suite": {"kind": "ranking", "name": self.suite.name, "sha256": hashlib.sha256(state.encode()).hexdigest()},
            "judges": list(self.judges or self.suite.judges),
            "limit": self.limit,
            "seed": self.suite.seed,
        }

    def questions(self, repeats: Mapping[str, int]) -> list[Question]:
        """Everything a contestant is asked; `repeats` are the samples of every prompt."""
        return [
            Question(prompt=prompt, sample=sample, sampling=override(self.suite.sampling, prompt.sampling))
            for prompt in self.suite.prompts
            for sample in range(repeats[prompt.id])
        ]


def robin_of(
    suite: Suite, specs: Sequence[str], judges: Sequence[str], *, limit: int | None, seed: int | None, concurrency: int
) -> Robin:
    """What a command line asks for. Raises InputError with every reason why it is no ranking."""
    problems = []
    if len(specs) < FEWEST:
        problems.append(f"a ranking needs {FEWEST} contestants, found {len(specs)}; give --contestant SPEC for each")
    twice = [spec for spec in dict.fromkeys(specs) if specs.count(spec) > 1]
    problems += [f"the contestant {spec!r} is given twice; name each once" for spec in twice]
    texts, where = (tuple(judges), Path()) if judges else (suite.judges, suite.folder)
    problems += [
        f"{text!r} holds verdicts on one pair's responses, and a round robin has many pairs; give a judge that is asked"
        for text in texts
        if parse(text, role="judge", folder=where).kind == "recorded"
    ]
    if problems:
        raise InputError("; ".join(problems))
    for spec in specs:
        parse(spec, role="candidate")
    seed = suite.seed if seed is None else seed
    return Robin(
        suite=replace(suite, seed=seed, prompts=limited(suite.prompts, limit, seed)),
        full=suite,
        specs=tuple(specs),
        judges=tuple(judges),
        limit=limit,
        concurrency=concurrency,
    )


def same(robin: Robin, manifest: Mapping[str, Any], out: Path) -> None:
    """Raise InputError where the folder `out` with this manifest ranks something else, saying all that differs."""
    if manifest.get("kind") != "ranking":
        raise InputError([Problem(path=str(out), what="holds a run, not a ranking; give another --out")])
    was, now = manifest, robin.asked
    specs = [one["spec"] for one in manifest["contestants"]]
    differs = {
        "contestants": f"the contestants {', '.join(specs)}" if specs != list(robin.specs) else None,
        "judges": f"the judges {', '.join(was['judges'])}" if was["judges"] != now["judges"] else None,
        "limit": f"--limit {was['limit']}" if was["limit"] is not None else "no --limit",
        "seed": f"--seed {was['seed']}",
        "suite": f"another suite, or another state of it ({was['suite']['name']!r})",
    }
    said = [f"it ranks {differs['contestants']}"] if differs["contestants"] else []
    said += [f"it was begun with {differs[key]}" for key in ("judges", "limit", "seed") if was[key] != now[key]]
    # A limit or a seed draws other prompts, so that the state of the suite differs with them.
    if was["suite"] != now["suite"] and was["limit"] == now["limit"] and was["seed"] == now["seed"]:
        said.append(f"it was begun with {differs['suite']}")
    if said:
        raise InputError([Problem(path=str(out), what=f"{one}; give the same, or another --out") for one in said])


def file_of(out: Path, place: int) -> Path:
    """Where the answers of a contestant lie; in names of files contestants count from 1."""
    return out / RESPONSES / f"{place + 1}.jsonl"


def pairs_of(contestants: int, out: Path) -> Iterator[tuple[int, int, Path]]:
    """Every pair with the folder of its run."""
    for i, j in combinations(range(contestants), 2):
        yield i, j, out / f"{i + 1}-vs-{j + 1}"


def runs_of(paths: Sequence[Path]) -> list[Path]:
    """These folders, a ranking's being all its pairs. Raises InputError where a ranking is not complete."""
    found: list[Path] = []
    for path in paths:
        # What is no folder of ours is told by whoever reads it as a run.
        manifest = read_manifest(path) if (path / MANIFEST).exists() else {}
        if manifest.get("kind") != "ranking":
            found.append(path)
        elif manifest["complete"]:
            found += [run for _, _, run in pairs_of(len(manifest["contestants"]), path)]
        else:
            what = "is a ranking that is not complete; the command that began it (`harness rank --suite …`) goes on"
            raise InputError([Problem(path=str(path), what=what)])
    return found
