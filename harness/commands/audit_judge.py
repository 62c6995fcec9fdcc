"""`harness audit-judge JUDGE --suite S`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.commands.options import Concurrency, Json, JudgeMode, JudgeTemplate, MaxCost
from harness.commands.options import judge_mode as mode_of

if TYPE_CHECKING:
    from harness.models.spec import Spec

Resolve = Callable[["Spec", Callable[[str, int, int], None]], "Spec"]


def audit_judge_with(resolve: Resolve) -> Callable[..., Any]:
    """The verb; `resolve` turns recipe/… specs into what they made, which nothing below the command line knows."""

    def audit_judge(
        judge: Annotated[str, typer.Argument(metavar="JUDGE", help="The judge: openai/…, hf/…, reward/…, rubric.")],
        suite: Annotated[str, typer.Option(help="Whose prompts and contestants give the responses.")],
        candidate: Annotated[str | None, typer.Option(help="Another candidate than the suite's.")] = None,
        baseline: Annotated[str | None, typer.Option(help="Another baseline than the suite's.")] = None,
        times: Annotated[int, typer.Option(min=1, max=100, help="How often the same presentation is shown.")] = 3,
        limit: Annotated[int | None, typer.Option(min=1, help="Ask only N prompts, drawn by category.")] = None,
        seed: Annotated[int | None, typer.Option(help="The audit's seed (default: the suite's).")] = None,
        judge_mode: JudgeMode = None,
        judge_template: JudgeTemplate = None,
        concurrency: Concurrency = 32,
        max_cost: MaxCost = None,
        out: Annotated[
            Path | None, typer.Option(help="Keep every verdict here; the same command on it goes on.")
        ] = None,
        as_json: Json = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be asked; ask nothing.")] = False,
    ) -> None:
        """What leads a judge astray: place, length, chance, answers that tell it what to say; exit 1 on a finding."""
        from harness.audit import verb
        from harness.launch import Options

        options = Options(
            candidate=candidate,
            baseline=baseline,
            judge_mode=mode_of(judge_mode),
            judge_template=judge_template,
            repeats=1,
            limit=limit,
            seed=seed,
            concurrency=concurrency,
            max_cost=max_cost,
        )
        wanted = verb.Wanted(judge=judge, suite=suite, options=options, times=times, out=out, as_json=as_json)
        raise typer.Exit(verb.dry_run(wanted) if dry_run else verb.audit_judge(wanted, resolve=resolve))

    return audit_judge
