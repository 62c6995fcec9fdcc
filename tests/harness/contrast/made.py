"""Sides to compare, as real files: predictions, scores, judgments, and a run made by the real command."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.contrast.verb import compare
from harness.errors import InputError
from harness.models.spec import parse
from harness.perplexity.job import LossJob, to_manifest
from harness.suite import load
from tests.command import Done, environment, harness, world
from tests.harness.scoring import made as scoring
from tests.harness.test_run import judge
from tests.loopback.server import Loopback
from tests.published import lines, write_lines


def predictions(path: Path, right: Iterable[bool], *, prefix: str = "p", **more: Any) -> Path:
    """A predictions file: every prompt's label is "yes", predicted so where it is right."""
    records = [
        {"id": f"{prefix}{place:04d}", "label": "yes", "prediction": "yes" if one else "no", **more}
        for place, one in enumerate(right)
    ]
    return write_lines(path, records)


def judgments(path: Path, winners: Iterable[str | None], *, judge: str = "recorded", **more: Any) -> Path:
    """A judgments file of one judge: a winner a prompt, or None where it gave no verdict."""
    records = [
        {"id": f"p{place:03d}", "judge": judge, "winner": winner, "status": "ok" if winner else "invalid_parse", **more}
        for place, winner in enumerate(winners)
    ]
    return write_lines(path, records)


def scores(path: Path, values: Iterable[float | None], *, judge: str = "grader", turn: int = 1, **more: Any) -> Path:
    """A scores file of one judge: a rating a prompt, or None where it gave none."""
    records = [
        {
            "id": f"p{place:03d}",
            "judge": judge,
            "turn": turn,
            "score": value,
            "status": "ok" if value is not None else "invalid_parse",
            **more,
        }
        for place, value in enumerate(values)
    ]
    return write_lines(path, records)


def joined(path: Path, *parts: Path) -> Path:
    """Several files as one."""
    return write_lines(path, [record for part in parts for record in lines(part)])


def run(folder: Path, *, n: int = 40, better: float = 0.75) -> Path:
    """A finished pairwise run, judged over the wire, whose baseline is the same for every `better`."""
    suite = world(folder, n, better=better)
    same_baseline(folder)
    with Loopback(policy=judge) as server:
        done = harness("run", suite, "--out", folder / "run", "--json", env=environment(folder, server.url))
    assert done.code == 0, done.err
    return folder / "run"


def same_baseline(folder: Path) -> None:
    """Let the baseline say the same everywhere, and only the candidate differ."""
    rows = lines(folder / "baseline.jsonl")
    middling = "Dish {} simmers slowly with onions until everything is tender."
    answers = [row | {"response": middling.format(int(row["id"][1:]))} for row in rows]
    write_lines(folder / "baseline.jsonl", answers)


def checked(folder: Path, checks: Callable[[int], list[dict[str, Any]]], *, n: int = 16) -> Path:
    """A finished run of the rubric, whose prompts declare these checks by their place."""
    suite = world(folder, n, judges="[rubric]")
    prompts = lines(folder / "prompts.jsonl")
    write_lines(folder / "prompts.jsonl", [prompt | {"checks": checks(place)} for place, prompt in enumerate(prompts)])
    done = harness("run", suite, "--out", folder / "run", "--json", env=environment(folder))
    assert done.code == 0, (done.code, done.json["decision"], done.err)
    return folder / "run"


def changed(run: Path, to: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A copy of a run whose manifest says something else."""
    shutil.copytree(run, to)
    manifest = json.loads((to / "manifest.json").read_text(encoding="utf-8"))
    change(manifest)
    (to / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return to


def graded(folder: Path, n: int = 12) -> tuple[Path, Path]:
    """Two finished score runs, graded over the wire: of a candidate, and of one that is a point or two better."""
    scoring.suite(folder, n, judges=scoring.MIX)
    for name in ("plain", "strong", "old"):
        answers = [f"{name} says: dish {place}, baked slowly." for place in range(n)]
        rows = [{"id": f"p{place:02d}", "responses": [one, one]} for place, one in enumerate(answers)]
        write_lines(folder / f"{name}.jsonl", rows)

    def rate(request: dict[str, Any], text: str) -> dict[str, Any]:
        better = 1 + scoring.number(request, 3) // 2 if "strong says" in text else 0
        return {"rating": 4 + scoring.number(request, 5) + better, "reasoning": "As it is."}

    with Loopback(policy=scoring.policy(rate)) as server:
        kitchen = scoring.Kitchen(folder, server)
        for name in ("plain", "strong"):
            done = kitchen.run(
                name, "--candidate", f"recorded/{name}.jsonl", "--baseline", "recorded/old.jsonl", "--json"
            )
            assert done.code == 0, done.err
    return folder / "plain", folder / "strong"


def losses(folder: Path, nll: Sequence[float | None], **changed: Any) -> Path:
    """A perplexity run of texts in two categories, whose candidate's losses are these sums; None: not a number.

    `tokens` and `targets` are of every document, `window` of the run; `candidate` is who was measured.
    """
    tokens = changed.get("tokens", [20] * len(nll))
    folder.mkdir(parents=True)
    rows = [
        {"id": f"d{place:02d}", "text": f"Dish {place} is baked.", "category": ("even", "odd")[place % 2]}
        for place in range(len(nll))
    ]
    write_lines(folder / "texts.jsonl", rows)
    (folder / "suite.yaml").write_text("name: dishes\nkind: perplexity\nprompts: texts.jsonl\ncandidate: hf/a\n")
    suite = load(folder / "suite.yaml")
    max_length, stride = changed.get("window", (64, 32))
    name = changed.get("candidate", "hf/a")
    job = LossJob(
        suite=replace(suite, max_length=max_length, stride=stride),
        candidate=parse(name, role="candidate"),
        baseline=None,
        full=len(nll),
    )
    manifest = to_manifest(job, extra={"fingerprints": {"candidate": name}, "device": "cpu in float32", "notes": []})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    lines_ = [
        {
            "id": row["id"],
            "tokens": count,
            "loss": None if total is None else total / count,
            "nll": total,
            "bytes": 80,
            "windows": 1,
            "status": "not_finite" if total is None else "ok",
            "targets": changed.get("targets", "t") + row["id"],
            "category": row["category"],
        }
        for row, total, count in zip(rows, nll, tokens, strict=True)
    ]
    write_lines(folder / "losses.jsonl", lines_)
    return folder


def told(*arguments: str | Path) -> Done:
    """`harness compare` in this process: paths, `--judge NAME`, `--json`, `--allow-mixed`, `--unpaired`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--judge", action="append", dest="judges", default=[])
    for name in ("--json", "--allow-mixed", "--unpaired"):
        parser.add_argument(name, action="store_true")
    given = parser.parse_intermixed_args([str(one) for one in arguments])
    options = {"allow_mixed": given.allow_mixed, "unpaired": given.unpaired, "as_json": given.json}
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = compare(given.paths, judges=given.judges, **options)
        except InputError as error:
            code = error.exit_code
            print(error, file=sys.stderr)
    return Done(code=code, out=out.getvalue(), err=err.getvalue())
