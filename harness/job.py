"""A job: one comparison that is to be run, as a value, and as the manifest it is written down in.

`run` makes a job from a suite and the command line; `resume` makes the same job again from the manifest alone.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.errors import InputError
from harness.goal import Goal
from harness.models.spec import Asking, Spec
from harness.suite import Suite, override
from judges.types import Criterion, Prompt, Sampling

PACKAGES = (
    "judge-harness", "anthropic", "openai", "numpy", "scipy", "statsmodels", "torch", "transformers", "peft", "trl"
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One comparison: the suite with the prompts that are really asked, and who answers and judges.

    `repeats` holds the number of samples of every prompt; `full` how many prompts the suite has without --limit;
    with `stop_early` judges are asked only until the question is decided. `nonce` is part of every cache key, so that a
    rerun is really asked again; an ordinary run has none.
    """

    suite: Suite
    candidate: Spec
    baseline: Spec
    judges: tuple[Spec, ...]
    repeats: Mapping[str, int]
    full: int
    stop_early: bool = False
    nonce: str = ""

    def sampling_of(self, prompt: Prompt) -> Sampling:
        """The suite's sampling with the prompt's own on top."""
        return override(self.suite.sampling, prompt.sampling)


def to_manifest(job: Job, *, fingerprints: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a job that has not begun. `fingerprints` are added under their names as they are."""
    return {
        "complete": False,
        "suite": suite_json(job.suite),
        "candidate": spec_json(job.candidate),
        "baseline": spec_json(job.baseline),
        "judges": [spec_json(judge) for judge in job.judges],
        "repeats": dict(job.repeats),
        "prompts_in_suite": job.full,
        "stop_early": job.stop_early,
        "nonce": job.nonce,
        "seeds": {"suite": job.suite.seed},
        **fingerprints,
        "versions": versions(),
        "git": git_state(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def from_manifest(manifest: Mapping[str, Any]) -> Job:
    """The job a manifest describes. Raises InputError where the manifest is not whole, or a ranking's."""
    if manifest.get("kind") == "audit":
        raise InputError("this is a judge's audit, not a run; the same `harness audit-judge … --out` goes on with it")
    suite = manifest.get("suite")
    kind = suite.get("kind", "pairwise") if isinstance(suite, Mapping) else "pairwise"
    if kind != "pairwise":
        raise InputError(f"this is a run of kind {kind!r}, not of comparisons; `harness analyze` shows it")
    if manifest.get("kind") == "ranking":
        raise InputError(
            "this is a ranking, not a run; `harness rank DIR` shows it, and its pairs lie inside as I-vs-J"
        )
    try:
        return Job(
            suite=suite_of(manifest["suite"]),
            candidate=spec_of(manifest["candidate"]),
            baseline=spec_of(manifest["baseline"]),
            judges=tuple(spec_of(judge) for judge in manifest["judges"]),
            repeats=dict(manifest["repeats"]),
            full=int(manifest["prompts_in_suite"]),
            stop_early=bool(manifest.get("stop_early", False)),
            nonce=str(manifest.get("nonce", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the run's manifest.json is not whole ({error}); it cannot be gone on with") from None


def suite_json(suite: Suite) -> dict[str, Any]:
    """A suite as a manifest holds it."""
    found = {**asdict(suite), "folder": str(suite.folder)}
    # A suite without a goal is written as before there were any: its digest stays what it was.
    return found if suite.goal is not None else {key: value for key, value in found.items() if key != "goal"}


def suite_of(raw: Mapping[str, Any]) -> Suite:
    """The suite that a manifest holds. Raises KeyError, TypeError or ValueError where it holds none."""
    suite = dict(raw)
    suite["folder"] = Path(suite["folder"])
    suite["judges"] = tuple(suite["judges"])
    # What runs of an earlier version do not hold has its default.
    suite["asking"] = {name: Asking(**asking) for name, asking in suite.get("asking", {}).items()}
    suite["goal"] = Goal(**suite["goal"]) if suite.get("goal") is not None else None
    suite["criteria"] = tuple(Criterion(**criterion) for criterion in suite.get("criteria", ()))
    suite["prompts"] = tuple(_prompt(prompt) for prompt in suite["prompts"])
    for key in ("sampling", "judge_sampling"):
        suite[key] = Sampling(**suite[key])
    return Suite(**suite)


def _prompt(raw: Mapping[str, Any]) -> Prompt:
    return Prompt(**{**raw, **{key: tuple(raw[key]) for key in ("turns", "reference", "checks")}})


def spec_json(spec: Spec) -> dict[str, Any]:
    """A spec as a manifest holds it, its folder absolute."""
    whole = asdict(spec)
    whole["folder"] = str(spec.folder.resolve())
    return whole


def spec_of(raw: Mapping[str, Any]) -> Spec:
    """The spec that a manifest holds. Raises KeyError or TypeError where it holds none."""
    known = {key: raw[key] for key in ("text", "kind", "rest", "endpoint")}
    return Spec(**known, folder=Path(raw["folder"]), asking=Asking(**raw.get("asking", {})))


def versions() -> dict[str, str]:
    """The versions of this program and of what its answers depend on, as installed; nothing is imported."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state() -> dict[str, Any] | None:
    """Commit and cleanliness of the repository the command runs in; None where there is none."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "dirty": bool(_git("status", "--porcelain", "--untracked-files=no"))}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def distinct(names: Sequence[str], what: str) -> None:
    """Raise InputError where a name stands twice."""
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise InputError(f"the {what} {', '.join(map(repr, twice))} is given twice; name each once")
