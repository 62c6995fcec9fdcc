"""Runs every benchmark and writes its table into BENCHMARKS.md; exit 1 where a bound is missed.

Names given run those alone, and only their tables are replaced.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness.process import patient_threads
from tests.bench import (
    agree,
    agreement,
    anchor,
    encoder,
    forgetting,
    generation,
    judging,
    leakage,
    parity,
    rare,
    real,
    rewards,
    speed,
    statistics,
)
from tests.bench.carried import Absent
from tests.bench.measure import Section, machine

PAGE = Path(__file__).resolve().parents[2] / "BENCHMARKS.md"
HEAD = """# Benchmarks

Every figure was measured by `make bench`, or by the command under its title, on the machine named there; a ratio was
measured side by side in one run. Times on shared machines vary; the ratios are what to compare.
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
            f"{section.how} Measured on {machine()}.",
            "",
            "| what | measured | bound | kept |",
            "| --- | --- | --- | --- |",
            *rows,
        ]
    )


def replaced(page: str, tables: Mapping[str, str]) -> str:
    """A page with these tables by title in place of its own, and after its own where they are new."""
    _, *known = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    found = {text.partition("\n")[0].removeprefix("## "): text.strip() for text in known} | dict(tables)
    return "\n".join([HEAD, *(f"{text}\n" for text in found.values())])


def main() -> int:
    # As the command itself does, for whatever is measured in this process.
    patient_threads()
    wanted = sys.argv[1:]
    sections = []
    for benchmark in (
        *speed.ALL,
        *statistics.ALL,
        *leakage.ALL,
        *agreement.ALL,
        *agree.ALL,
        *judging.ALL,
        *generation.ALL,
        *rewards.ALL,
        *anchor.ALL,
        *parity.ALL,
        *encoder.ALL,
        *forgetting.ALL,
        *rare.ALL,
        *real.ALL,
    ):
        if wanted and benchmark.__name__ not in wanted:
            continue
        try:
            with tempfile.TemporaryDirectory() as folder:
                sections.append(benchmark(Path(folder)))
        except Absent as reason:
            # Its table stays as it was.
            print(f"{benchmark.__name__}: left out: {reason}", file=sys.stderr)
            continue
        print(table(sections[-1]), "\n", flush=True)
        page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        PAGE.write_text(replaced(page, {sections[-1].title: table(sections[-1])}), encoding="utf-8")
    return int(any(not row.kept for section in sections for row in section.rows))


if __name__ == "__main__":
    sys.exit(main())
