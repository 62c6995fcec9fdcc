"""The command line: the only place that knows every room. Parses arguments, calls one function each, says what came.

Turns recipe/… specs into hf/… specs through `train`. Progress and messages go to stderr; figures to stdout.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness import __version__
from harness.commands import agree, audit_judge, cache, check, checkpoints, compare, curve, judge, plan, rank, rerun
from harness.commands.options import Concurrency, Json, JudgeMode, JudgeTemplate, MaxCost, PanelRule
from harness.commands.options import judge_mode as mode_of
from harness.commands.options import panel_rule as rule_of
from harness.errors import HarnessError, InputError
from harness.process import patient_threads

if TYPE_CHECKING:
    from harness.models.spec import Spec


class _Verbs(typer.core.TyperGroup):
    """All verbs; Ctrl-C, which typer would turn into a bare exit code, is said."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Verbs,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Is this checkpoint better than what I had? Blind, order-balanced comparisons with honest intervals.",
)
app.add_typer(cache.app, name="cache")
app.add_typer(checkpoints.app, name="checkpoints")

FailOnLeakage = Annotated[bool, typer.Option("--fail-on-leakage", help="Exit 1 where a prompt was trained on.")]


def _version(value: bool) -> None:
    if value:
        typer.echo(f"judge-harness {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    return


@app.command()
def run(
    suite: Annotated[str, typer.Argument(help="A suite file, or the name of a bundled suite (in_domain).")],
    candidate: Annotated[str | None, typer.Option(help="What is tested: hf/BASE+ADAPTER, recorded/FILE, …")] = None,
    baseline: Annotated[str | None, typer.Option(help="What it is tested against.")] = None,
    judge: Annotated[list[str] | None, typer.Option(help="A judge; may be given several times.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder (default: runs/SUITE/TIME).")] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Generations a prompt.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only N prompts, drawn by category.")] = None,
    seed: Annotated[int | None, typer.Option(help="The run's seed (default: the suite's).")] = None,
    judge_mode: JudgeMode = None,
    judge_template: JudgeTemplate = None,
    panel: PanelRule = None,
    concurrency: Concurrency = 32,
    as_json: Json = False,
    fail_on_leakage: FailOnLeakage = False,
    stop_early: Annotated[
        bool, typer.Option("--stop-early", help="Ask judges only until the question is decided.")
    ] = False,
    max_cost: MaxCost = None,
    check_batching: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Score suites: answer N greedy prompts again, alone, and compare."),
    ] = None,
    variant: Annotated[str | None, typer.Option(help="A variant of a matrix suite (quick).")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key of a classify or matrix suite: split.seed=3.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be asked; ask nothing.")] = False,
) -> None:
    """Compare a candidate with a baseline on a suite, and say what the comparison allows to be said."""
    from harness import verbs
    from harness.launch import Options

    options = Options(
        candidate=candidate,
        baseline=baseline,
        judges=tuple(judge or ()),
        judge_mode=mode_of(judge_mode),
        judge_template=judge_template,
        panel=rule_of(panel),
        repeats=repeats,
        limit=limit,
        seed=seed,
        concurrency=concurrency,
        stop_early=stop_early,
        max_cost=max_cost,
        check_batching=check_batching,
        variant=variant,
        changes=tuple(changes or ()),
    )
    if dry_run:
        raise typer.Exit(verbs.dry_run(suite, options, as_json=as_json))
    code = verbs.run(suite, options, out=out, as_json=as_json, resolve=resolve_recipe, fail_on_leakage=fail_on_leakage)
    raise typer.Exit(code)


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A training recipe.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key: training.epochs=3; may be given several times.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last saved step.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be trained; train nothing.")] = False,
) -> None:
    """Make a recipe's checkpoint, its base first; print the spec that loads it."""
    from harness.models.weights import require_extra

    require_extra(repr(str(recipe)))
    from train import verb

    if dry_run:
        raise typer.Exit(verb.dry_run(recipe, changes or ()))
    raise typer.Exit(verb.train(recipe, changes or (), checkpoints=checkpoints.checkpoints_folder(), resume=resume))


@app.command()
def resume(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    concurrency: Concurrency = 32,
    max_cost: MaxCost = None,
    as_json: Json = False,
) -> None:
    """Go on with a run that was interrupted; nothing that is answered on disk is asked again."""
    from harness import verbs

    code = verbs.resume(run, concurrency=concurrency, as_json=as_json, max_cost=max_cost, resolve=resolve_recipe)
    raise typer.Exit(code)


@app.command()
def analyze(
    files: Annotated[list[Path], typer.Argument(help="A run's folder, or a judgments, scores or predictions file.")],
    out: Annotated[Path | None, typer.Option(help="Also write summary.json and both reports into this folder.")] = None,
    equivalence: Annotated[
        float | None, typer.Option(help="Half-width around 1/2 that counts as equivalent (files; default 0.05).")
    ] = None,
    as_json: Json = False,
    fail_on_leakage: FailOnLeakage = False,
) -> None:
    """The figures of a run, or of judgments that were made elsewhere."""
    from harness import verbs

    code = verbs.analyze(files, out=out, equivalence=equivalence, as_json=as_json, fail_on_leakage=fail_on_leakage)
    raise typer.Exit(code)


app.command()(agree.agree)
app.command()(compare.compare)
app.command()(check.check)
app.command()(plan.plan)
app.command()(rerun.rerun)


@app.command()
def preferences(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The preferences file to write.")],
    as_json: Json = False,
) -> None:
    """Turn a run's consistent outcomes into chosen and rejected responses, in TRL's preference format."""
    from harness import verbs

    raise typer.Exit(verbs.write_preferences(run, out=out, as_json=as_json))


@app.command()
def leakage(
    train: Annotated[list[Path], typer.Option(help="A training file or saved index; may be given several times.")],
    suite: Annotated[str, typer.Option(help="The suite, or prompts file, that is to be asked.")],
    as_json: Json = False,
) -> None:
    """Find a suite's prompts in training data, word for word or nearly so; exit 1 where there are any."""
    from harness.leakage import verb

    raise typer.Exit(verb(train, suite, as_json=as_json))


@app.command()
def validate(files: Annotated[list[Path], typer.Argument(help="Suites, recipes or JSONL files.")]) -> None:
    """Check files without running them; every problem on a line of its own."""
    from harness.validate import problems_in

    say = partial(typer.echo, err=True)
    problems = [problem for path in files for problem in problems_in(path, check_recipe, say)]
    for problem in problems:
        typer.echo(str(problem))
    if not problems:
        typer.echo(f"{len(files)} file{'s' if len(files) > 1 else ''} checked: no problem found", err=True)
    raise typer.Exit(2 if problems else 0)


def resolve_recipe(spec: Spec, on_progress: Callable[[str, int, int], None]) -> Spec:
    """A recipe/… spec as the hf/… or reward/… spec of its checkpoint, built first where it is not there yet."""
    if spec.kind != "recipe":
        return spec
    from dataclasses import replace

    from harness.models.weights import require_extra

    require_extra(repr(spec.text))
    from train.build import ensure

    try:
        built = ensure(spec.path, checkpoints=checkpoints.checkpoints_folder().resolve(), on_progress=on_progress)
    except KeyboardInterrupt:
        print(f"training {spec.path} was broken off; what is kept of it is gone on with", file=sys.stderr)
        raise
    kind, _, rest = built.partition("/")
    return replace(spec, kind="reward" if kind == "reward" else "hf", rest=rest, folder=Path())


app.command("judge")(judge.judge_with(resolve_recipe))
app.command("audit-judge")(audit_judge.audit_judge_with(resolve_recipe))
app.command("rank")(rank.rank_with(resolve_recipe))
app.command("curve")(curve.curve_with(resolve_recipe))


def check_recipe(path: Path, *, data: bool = True) -> None:
    """Raise InputError with every problem of a recipe, of an encoder's also with those of its `data`."""
    from train.anyrecipe import check

    check(path, data=data)


def main() -> None:
    """The `harness` command. Every failure is one sentence and an exit code; nothing prints a traceback."""
    # Whoever asks the program to end gets what Ctrl-C gets: everything kept, and the way to go on.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    patient_threads()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a dash must not lose the figures.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except HarnessError as error:
        sys.exit(_fail(error))
    except KeyboardInterrupt:
        # Before a verb has begun.
        sys.exit(130)
    except BrokenPipeError:
        # The reader closed early (`| head`); python would complain once more while flushing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"error: {place}{error.strerror or error}", file=sys.stderr)
        sys.exit(4)
    except Exception as error:
        if (code := _usage(error)) is not None:
            sys.exit(code)
        raise


def _usage(error: Exception) -> int | None:
    """Wrong usage as Typer words it; None where the error is no usage error."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if callable(show) and isinstance(code, int):
        show()
        return 2
    return 130 if type(error).__name__ == "Abort" else None


def _fail(error: HarnessError) -> int:
    found = error.problems if isinstance(error, InputError) else (str(error),)
    for problem in found:
        # A problem of a file begins with its place, as `validate` prints it.
        print(f"error: {problem}" if isinstance(problem, str) else str(problem), file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    main()
