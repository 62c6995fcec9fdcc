"""What each verb of the command line does, from arguments to exit code."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness import collect, folder, several
from harness import suite as suites
from harness.carrying import ended
from harness.errors import InputError, Problem
from harness.goal import exit_code, gravest
from harness.job import from_manifest
from harness.launch import Options, carry_out, conclude, plan_job, same_inputs, settled_judges
from harness.models.budget import budget
from harness.models.cache import ReplyCache
from harness.models.meter import Meter
from harness.models.recorded import load_responses
from harness.models.spec import Spec, parse
from harness.plan import control_count, limited, presentations
from harness.preferences import preferences
from harness.progress import showing
from harness.records import PredictionRecord, Record, ScoreRecord, kind_of, read_lines
from harness.report.columns import wrap
from harness.report.data import Report
from harness.report.leakage import leaked_ids, leaked_line
from harness.suite import Suite
from harness.summary import Summary
from harness.workshop import Workshop
from judges.types import Prompt

# From here on reading takes long enough to be announced.
LARGE = 10_000_000

Resolve = Callable[[Spec, Callable[[str, int, int], None]], Spec]


def run(
    given: str,
    options: Options,
    *,
    out: Path | None,
    as_json: bool,
    resolve: Resolve,
    fail_on_leakage: bool = False,
) -> int:
    """`harness run`: exit code 0, 1 (leakage, where that is asked for), 3, 4 or 130; raises InputError for 2."""
    path = suites.locate(given)
    kind = _kind(path, options)
    if kind == "classify":
        from harness.classify import verb as labels

        return labels.run(path, options, out=out, as_json=as_json, resolve=resolve, gate=fail_on_leakage)
    if kind == "matrix":
        from harness.matrix import verb as matrix

        return matrix.run(path, options, out=out, as_json=as_json, resolve=resolve, gate=fail_on_leakage)
    suite = suites.load(path)
    if suite.kind == "score":
        from harness.scoring import verb

        return verb.run(suite, options, out=out, as_json=as_json, resolve=resolve, gate=fail_on_leakage)
    if suite.kind == "perplexity":
        from harness.perplexity import verb as losses

        return losses.run(suite, options, out=out, as_json=as_json, resolve=resolve, gate=fail_on_leakage)
    return run_suite(suite, options, out=out, as_json=as_json, resolve=resolve, fail_on_leakage=fail_on_leakage)


def _kind(path: Path, options: Options) -> str:
    """The kind of a suite. Raises InputError where the command line gives what suites of that kind do not have."""
    kind = suites.kind_of(path)
    if options.variant is not None and kind != "matrix":
        raise InputError(f"--variant {options.variant!r}: only matrix suites have variants, and this suite is {kind}")
    if options.check_batching is not None and kind != "score":
        raise InputError(f"--check-batching belongs to score suites, and this suite is {kind}; leave it out")
    if options.changes and kind not in ("classify", "matrix"):
        raise InputError(
            f"--set {options.changes[0]!r}: it changes classify and matrix suites, and this suite is {kind}; use its "
            "own options, or a copy of its file"
        )
    return kind


def run_suite(
    suite: Suite,
    options: Options,
    *,
    out: Path | None,
    as_json: bool,
    resolve: Resolve,
    fail_on_leakage: bool = False,
) -> int:
    """Run a suite that is read already; exit codes as `run`."""
    if out is not None:
        folder.free(out)
    meter = Meter()
    with showing(meter) as progress:
        job, cast, manifest, workshop = plan_job(
            suite, options, lambda spec: resolve(spec, progress.moved), meter=meter, say=progress.say
        )
        place = out or folder.default_out(suite.name, manifest)
        with folder.create(place, manifest) as path:
            progress.say(f"{suite.name}: {len(job.suite.prompts)} prompts, judged by {', '.join(cast.names)} → {path}")
            stopped = carry_out(job, cast, workshop, path, progress)
            report, stopped = conclude(path, {**manifest, "tokens": meter.tokens_json()}, stopped)
    return _finish(path, report, stopped, as_json=as_json, fail_on_leakage=fail_on_leakage)


def resume(
    path: Path, *, concurrency: int, as_json: bool, max_cost: float | None = None, resolve: Resolve | None = None
) -> int:
    """`harness resume`: goes on from what is on disk; exit codes as `run`. `max_cost` is what this command may pay.

    `resolve` turns the recipes of a matrix's cells into checkpoints.
    """
    kind = folder.kind_of(path)
    if kind == "classify":
        from harness.classify import verb as labels

        return labels.resume(path, concurrency=concurrency, as_json=as_json, max_cost=max_cost)
    if kind == "matrix":
        from harness.matrix import verb as matrix

        return matrix.resume(path, concurrency=concurrency, as_json=as_json, resolve=resolve)
    if kind == "score":
        from harness.scoring import verb

        return verb.resume(path, concurrency=concurrency, as_json=as_json, max_cost=max_cost)
    if folder.kind_of(path) == "perplexity":
        from harness.perplexity import verb as losses

        return losses.resume(path, concurrency=concurrency, as_json=as_json)
    spending = budget(max_cost)
    with folder.reopen(path) as manifest:
        job = from_manifest(manifest)
        meter = Meter()
        with showing(meter) as progress:
            workshop = Workshop(concurrency=concurrency, meter=meter, say=progress.say, budget=spending)
            cast = workshop.cast(job)
            same_inputs(manifest, workshop, path)
            stopped = carry_out(job, cast, workshop, path, progress)
            tokens = meter.tokens_json(manifest.get("tokens"))
            report, stopped = conclude(path, {**manifest, "tokens": tokens}, stopped)
    return _finish(path, report, stopped, as_json=as_json)


def _finish(
    path: Path, report: Report, stopped: BaseException | None, *, as_json: bool, fail_on_leakage: bool = False
) -> int:
    summary = report.summary

    def verdict() -> int:
        gate = _leakage_gate(summary) if fail_on_leakage else 0
        return gravest([gate, exit_code(summary.goal), 3 if summary.unusable and not summary.counting else 0])

    show = partial(_show, report, as_json=as_json)
    return ended(path, stopped, complete=summary.complete, as_json=as_json, show=show, verdict=verdict)


def _leakage_gate(summary: Summary) -> int:
    """What --fail-on-leakage says: exit code 1 where a prompt leaked, 3 where nothing could be compared, else 0."""
    if summary.leakage is None:
        print(
            "leakage cannot be told: no training data are known of candidate or baseline; "
            "`harness leakage --train FILE` compares the files you have",
            file=sys.stderr,
        )
        return 3
    for line in leaked_line(summary):
        more = "`harness leakage --train CHECKPOINT` names each with its example"
        print(f"leakage: {line}: {leaked_ids(summary)}; {more}", file=sys.stderr)
        return 1
    if summary.leakage.finding.unknown:
        print(
            "leakage: nothing found in what is known; not known are the training data of "
            f"{', '.join(summary.leakage.finding.unknown)}",
            file=sys.stderr,
        )
    return 0


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        text = json.dumps(report.summary.as_json(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    else:
        from harness.report import text as terminal

        text = terminal.render(report)
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def dry_run(given: str, options: Options, *, as_json: bool) -> int:
    """`harness run --dry-run`: what would be asked, from the suite alone. Nothing is built, opened or written."""
    path = suites.locate(given)
    kind = _kind(path, options)
    if kind == "classify":
        from harness.classify import verb as labels

        return labels.dry_run(path, options, as_json=as_json, print_plan=_planned)
    if kind == "matrix":
        from harness.matrix import verb as matrix

        return matrix.dry_run(path, options, as_json=as_json)
    suite = suites.load(path)
    if suite.kind == "perplexity":
        from harness.perplexity import verb as losses

        return losses.dry_run(suite, options, as_json=as_json)
    seed = suite.seed if options.seed is None else options.seed
    prompts = limited(suite.prompts, options.limit, seed)
    held = _held(suite, options, prompts)
    repeats = {
        prompt.id: prompt.repeats or options.repeats or suite.repeats or held.get(prompt.id, 1) for prompt in prompts
    }
    cells = presentations(prompts, repeats, suite.orders, seed)
    specs = settled_judges(suite, options)
    if suite.kind == "score":
        from harness.scoring import verb

        return _planned(verb.dry_run(suite, options, prompts, repeats, specs), as_json=as_json)
    asking = [spec for spec in specs if spec.kind in ("openai", "anthropic")]
    controls = 2 * control_count(len(prompts))
    value: dict[str, Any] = {
        "suite": suite.name,
        "n_prompts": len(prompts),
        "candidate": options.candidate or suite.candidate,
        "baseline": options.baseline or suite.baseline,
        **({"goal": str(suite.goal)} if suite.goal is not None else {}),
        "judges": [spec.text for spec in specs],
        "modes": {spec.text: spec.asking.mode for spec in specs if spec.asking.mode is not None},
        "responses": 2 * sum(repeats.values()),
        "presentations": len(cells),
        "control_verdicts": controls if any(spec.kind not in ("control", "recorded") for spec in specs) else 0,
        "calls": len(asking) * (len(cells) + controls),
    }
    said = "Presentations and control verdicts are counted for each judge; identical responses are ties without a call."
    return _planned(value, said, as_json=as_json)


def _planned(value: dict[str, Any], *said: str, as_json: bool) -> int:
    """Print what would be asked; exit code 0."""
    if as_json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    else:
        for name, shown in value.items():
            print(wrap(_told(shown), first=f"{name.replace('_', ' '):<18}", rest=" " * 18))
        who = "judges" if "judges" in value else "a model"
        for line in (*said, f"Calls are those to {who} behind an API; cached replies are not asked again."):
            print(wrap(line, rest="  "))
        if any(str(value.get(role)).startswith("recipe/") for role in ("candidate", "baseline")):
            print("A recipe's checkpoint is trained first where it is not there yet.")
    return 0


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} in {mode} mode" for name, mode in value.items()) or "no language model judges"
    if value is None:
        return "none"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _held(suite: Suite, options: Options, prompts: Sequence[Prompt]) -> dict[str, int]:
    """Samples of every prompt that both sides hold, where both are recorded; nothing otherwise."""
    counts: list[dict[str, int]] = []
    for role, given, own in (
        ("candidate", options.candidate, suite.candidate),
        ("baseline", options.baseline, suite.baseline),
    ):
        text = given or own
        if text is None or not text.startswith("recorded/"):
            return {}
        spec = parse(text, role=role, folder=Path() if given else suite.folder)  # type: ignore[arg-type]
        file = load_responses(spec.path, role, prompts)  # type: ignore[arg-type]
        counts.append({prompt.id: file.samples(prompt.id) for prompt in prompts})
    return {prompt.id: min(count[prompt.id] for count in counts) for prompt in prompts}


def analyze(
    paths: Sequence[Path],
    *,
    out: Path | None,
    equivalence: float | None,
    as_json: bool,
    fail_on_leakage: bool = False,
) -> int:
    """`harness analyze`: figures of one run, or of runs and judgments files taken together.

    Exit code 0, or what the leakage gate says where that is asked for.
    """
    runs = [path for path in paths if path.is_dir()]
    if any(_of_scores(path) for path in paths):
        from harness.scoring import verb

        if equivalence is not None or fail_on_leakage:
            raise InputError("--equivalence and --fail-on-leakage belong to comparisons; scores have neither")
        return verb.analyze(paths, out=out, as_json=as_json)
    kinds = {folder.kind_of(path) for path in runs}
    if kinds & {"classify", "matrix"}:
        if len(paths) > 1 or equivalence is not None or fail_on_leakage:
            kind = " or ".join(sorted({"classify", "matrix"} & kinds))
            raise InputError(f"a {kind} run is analyzed alone, without --equivalence and --fail-on-leakage")
        if "classify" in kinds:
            from harness.classify import verb as labels

            return labels.analyze(paths[0], out=out, as_json=as_json)
        from harness.matrix import verb as matrix

        return matrix.analyze(paths[0], as_json=as_json)
    if any(_holds(path, PredictionRecord) for path in paths):
        from harness.classify import files as predictions

        if equivalence is not None or fail_on_leakage:
            raise InputError("--equivalence and --fail-on-leakage belong to comparisons; predictions have neither")
        return predictions.analyze(paths, out=out, as_json=as_json)
    if any(path.is_dir() and folder.kind_of(path) == "perplexity" for path in paths):
        from harness.perplexity import verb as losses

        if len(paths) > 1 or equivalence is not None or fail_on_leakage:
            raise InputError("a perplexity run is analyzed alone, without --equivalence and --fail-on-leakage")
        return losses.analyze(paths[0], out=out, as_json=as_json)
    if equivalence is not None and not 0 < equivalence < 0.5:
        raise InputError(
            f"--equivalence is a half-width around 1/2, more than 0 and less than 0.5, found {equivalence:g}"
        )
    if equivalence is not None and runs:
        raise InputError("--equivalence belongs to judgments files; a run has its suite's own")
    if out is not None:
        folder.free(out)
    size = sum(
        file.stat().st_size
        for path in paths
        for file in (path.glob("*.jsonl") if path.is_dir() else [path])
        if file.exists()
    )
    if size > LARGE:
        print(f"reading {size / 1e6:,.0f} MB of judgments", file=sys.stderr, flush=True)
    if len(paths) == 1 and runs:
        found = collect.find(runs[0])
        report = collect.report_of(found, collect.summary_of(found, complete=collect.is_complete(found)))
    else:
        own = [collect.find(path).job.suite.equivalence for path in runs]
        report = several.together(paths, equivalence=equivalence or min(own, default=0.05))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        collect.write(out, report)
    _show(report, as_json=as_json)
    return _leakage_gate(report.summary) if fail_on_leakage else 0


def _of_scores(path: Path) -> bool:
    """Whether a path is a score run, or a file whose first line is a score."""
    return folder.kind_of(path) == "score" if path.is_dir() else _holds(path, ScoreRecord)


def _holds(path: Path, record: type[Record]) -> bool:
    """Whether a path is a file whose first line is such a record."""
    if not path.is_file():
        return False
    first = next((value for _, value in read_lines(path)), None)
    return isinstance(first, dict) and kind_of(first) is record


def write_preferences(run: Path, *, out: Path, as_json: bool) -> int:
    """`harness preferences`: writes the pairs and says what was dropped and why."""
    found = collect.find(run)
    summary = collect.summary_of(found, complete=collect.is_complete(found))
    pairs, dropped = preferences(found.job.suite.prompts, found.responses, found.judgments, summary.counting)
    if out.exists():
        raise InputError([Problem(path=str(out), what="is there already; give another file")])
    folder.write_whole(out, (json.dumps(pair.as_json(), ensure_ascii=False) + "\n" for pair in pairs))
    value = {"pairs": len(pairs), "dropped": dict(sorted(dropped.items())), "complete": summary.complete}
    if as_json:
        sys.stdout.write(json.dumps(value, indent=2) + "\n")
    else:
        print(
            f"{len(pairs)} preference pairs in {out}, judged by {', '.join(summary.counting) or 'nobody that counts'}"
        )
        for reason, count in sorted(dropped.items()):
            print(f"{count:>5} comparisons dropped: {reason}")
    if not summary.complete:
        print(f"the run is incomplete: `harness resume {run}` goes on", file=sys.stderr)
    return 0 if summary.counting else 3


def cache_stats(*, as_json: bool) -> int:
    """`harness cache stats`."""
    with contextlib.closing(ReplyCache.open()) as cache:
        stats = cache.stats()
    if as_json:
        sys.stdout.write(json.dumps(stats, ensure_ascii=False, indent=2) + "\n")
    else:
        for name, value in stats.items():
            print(f"{name:<10}{value}")
    return 0


def cache_clear() -> int:
    """`harness cache clear`."""
    with contextlib.closing(ReplyCache.open()) as cache:
        print(f"{cache.clear()} cached answers removed")
    return 0


def cache_verify() -> int:
    """`harness cache verify`: exit 1 where an answer cannot be trusted."""
    with contextlib.closing(ReplyCache.open()) as cache:
        problems = cache.verify()
        entries = cache.stats()["entries"]
    for problem in problems:
        print(problem)
    print(f"{entries} cached answers checked, {len(problems)} problems", file=sys.stderr)
    return 1 if problems else 0
