"""Judging against a slow server, the cache, start-up, and the analysis of many judgments."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from statistics import median

from tests.bench.measure import Row, Section, peak_mib, seconds, server, spread
from tests.command import command, environment, world

PROMPTS = 1000
PAIRS = 5


def judging(folder: Path) -> Section:
    """2,000 presentations of recorded responses at 50 ms and 100 connections, beside a bare loop of the same SDK."""
    suite = world(folder, PROMPTS)
    small = world(folder / "small", 20)
    ours, bare, cached, cached_small = [], [], [], []
    with server("--latency", "0.05", "--policy", "longest") as address:
        for turn in range(PAIRS):
            env = environment(folder / str(turn), address)
            bare.append(seconds([sys.executable, "-m", "tests.bench.bare", str(suite), "100"], env))
            ours.append(seconds(_run(suite, folder / f"run{turn}"), env))
            cached.append(seconds(_run(suite, folder / f"again{turn}"), env))
            seconds(_run(small, folder / f"small{turn}"), env)
            cached_small.append(seconds(_run(small, folder / f"smallagain{turn}"), env))
    ratios = [a / b for a, b in zip(ours, bare, strict=True)]
    each = [1000 * (a - b) / (2 * (PROMPTS - 20)) for a, b in zip(cached, cached_small, strict=True)]
    return Section(
        title="Judging",
        how=(
            "1,000 prompts of recorded responses in both orders by one `openai/…` judge, whole processes with journal, "
            "cache and reports, against a loopback server that answers after 50 ms, 100 connections; the bare loop "
            f"sends the same 2,000 requests through the same SDK. {PAIRS} interleaved pairs, median (lowest–highest). "
            "The run sends 40 control requests more."
        ),
        rows=(
            Row(what="bare SDK loop, s", figure=spread(bare), bound="", kept=True),
            Row(what="`harness run`, s", figure=spread(ours), bound="", kept=True),
            Row(what="ratio", figure=spread(ratios), bound="≤ 1.5", kept=median(ratios) <= 1.5),
            Row(what="again from the cache, s", figure=spread(cached), bound="", kept=True),
            Row(
                what="cached, ms a judgment, start-up apart",
                figure=spread(each),
                bound="≤ 0.5",
                kept=median(each) <= 0.5,
            ),
        ),
    )


def _run(suite: Path, out: Path) -> list[str]:
    return command("run", suite, "--out", out, "--concurrency", "100")


def start_up(folder: Path) -> Section:
    """`harness --help`."""
    env = environment(folder)
    times = [seconds(command("--help"), env) for _ in range(9)]
    row = Row(what="`harness --help`, s", figure=spread(times), bound="≤ 0.4", kept=median(times) <= 0.4)
    return Section(title="Start-up", how="Whole processes, 9 times, median (lowest–highest).", rows=(row,))


def analysis(folder: Path, n: int = 100_000) -> Section:
    """`harness analyze` over many recorded judgments."""
    path = folder / "judgments.jsonl"
    rng = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for place in range(n):
            order = ("candidate_first", "baseline_first")[place % 2]
            record = {
                "id": f"p{place // 4}",
                "judge": f"judge-{place // 2 % 2}",
                "order": order,
                "verdict": rng.choice(["A", "B", "tie"]),
                "status": "ok",
                "category": f"c{place // 4 % 8}",
                "reply": "The first answer is fuller and keeps every condition. The second leaves one out.",
            }
            file.write(json.dumps(record) + "\n")
    env = environment(folder)
    arguments = command("analyze", path, "--json")
    times = [seconds(arguments, env) for _ in range(3)]
    with_report = seconds(command("analyze", path, "--out", folder / "report"), env)
    memory = peak_mib(arguments, env)
    return Section(
        title="Analysis",
        how=f"`harness analyze` over {n:,} judgments of two judges on {n // 4:,} prompts, whole processes.",
        rows=(
            Row(what="seconds", figure=spread(times), bound="≤ 10", kept=median(times) <= 10),
            Row(what="seconds with summary and both reports written", figure=f"{with_report:.2f}", bound="", kept=True),
            Row(what="peak memory, MiB", figure=f"{memory:.0f}", bound="≤ 500 MB", kept=memory * 1.048576 <= 500),
        ),
    )


ALL = (judging, start_up, analysis)
