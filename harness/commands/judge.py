"""`harness judge`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.commands.options import Concurrency, Json, JudgeMode, JudgeTemplate, MaxCost, PanelRule
from harness.commands.options import judge_mode as mode_of
from harness.commands.options import panel_rule as rule_of

if TYPE_CHECKING:
    from harness.models.spec import Spec

Resolve = Callable[["Spec", Callable[[str, int, int], None]], "Spec"]


def judge_with(resolve: Resolve) -> Callable[..., Any]:
    """The verb; `resolve` turns recipe/… judges into what they made, which nothing below the command line knows."""

    def judge(
        candidate: Annotated[str, typer.Option(help="What is tested: recorded/FILE.")],
        baseline: Annotated[str, typer.Option(help="What it is tested against: recorded/FILE, maybe the same.")],
        judge: Annotated[list[str], typer.Option(help="A judge; may be given several times.")],
        prompts: Annotated[
            Path | None, typer.Option(help="What was answered: a prompts file or a suite (default: the lines say it).")
        ] = None,
        out: Annotated[Path | None, typer.Option(help="The run's folder (default: runs/saved/TIME).")] = None,
        limit: Annotated[int | None, typer.Option(min=1, help="Judge only N prompts, drawn by category.")] = None,
        seed: Annotated[int | None, typer.Option(help="The run's seed.")] = None,
        judge_mode: JudgeMode = None,
        judge_template: JudgeTemplate = None,
        panel: PanelRule = None,
        concurrency: Concurrency = 32,
        max_cost: MaxCost = None,
        as_json: Json = False,
    ) -> None:
        """Judge saved outputs of two contestants, without a suite file; the run's folder is one like any other."""
        from harness import verbs
        from harness.launch import Options
        from harness.saved import saved

        suite = saved(candidate, baseline, judge, prompts=prompts)
        options = Options(
            candidate=candidate,
            baseline=baseline,
            judges=tuple(judge),
            judge_mode=mode_of(judge_mode),
            judge_template=judge_template,
            panel=rule_of(panel),
            limit=limit,
            seed=seed,
            concurrency=concurrency,
            max_cost=max_cost,
        )
        raise typer.Exit(verbs.run_suite(suite, options, out=out, as_json=as_json, resolve=resolve))

    return judge
