"""Runs every benchmark and writes BENCHMARKS.md; exit 1 where a bound is missed. Names given run those alone."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.bench import anchor, forgetting, leakage, speed, statistics
from tests.bench.measure import Section, machine

PAGE = Path(__file__).resolve().parents[2] / "BENCHMARKS.md"
HEAD = """# Benchmarks

Every figure was measured by `make bench` on the machine named here; a ratio was measured side by side in one run.
Times on shared machines vary; the ratios are what to compare.
"""


def table(section: Section) -> str:
    rows = [
        f"| {row.what} | {row.figure} | {row.bound} | {'yes' if row.kept else 'NO'} |"
        if row.bound
        else f"| {row.what} | {row.figure} | | |"
        for row in section.rows
    ]
    return "\n".join(
        [
            f"## {section.title}",
            "",
            section.how,
            "",
            "| what | measured | bound | kept |",
            "| --- | --- | --- | --- |",
            *rows,
        ]
    )


def main() -> int:
    wanted = sys.argv[1:]
    sections = []
    for benchmark in (*speed.ALL, *statistics.ALL, *leakage.ALL, *anchor.ALL, *forgetting.ALL):
        if wanted and benchmark.__name__ not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            sections.append(benchmark(Path(folder)))
        print(table(sections[-1]), "\n", flush=True)
    if not wanted:
        PAGE.write_text(
            "\n".join([HEAD, f"Machine: {machine()}.", "", *(table(s) + "\n" for s in sections)]), encoding="utf-8"
        )
    return int(any(not row.kept for section in sections for row in section.rows))


if __name__ == "__main__":
    sys.exit(main())
