"""`harness analyze` on a predictions file: from its lines to the contract's object and the report.

Such a file holds one model's predictions. Several are refused: `harness compare` holds them against each other.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness import folder
from harness.classify import words
from harness.classify.report import ClassifyReport
from harness.classify.summary import summarize
from harness.classify.wrong import wrong_of
from harness.contrast.written import remarks
from harness.errors import InputError, Problem
from harness.folder import as_json as json_text
from harness.folder import write_whole
from harness.records import PredictionRecord, gather


def analyze(paths: Sequence[Path], *, out: Path | None, as_json: bool) -> int:
    """`harness analyze` of one predictions file; exit code 0, InputError with every problem of the file."""
    if out is not None:
        folder.free(out)
    if len(paths) > 1:
        what = "predictions are one model's, so that files of them are analyzed one by one; `harness compare` holds two"
        raise InputError([Problem(path=str(paths[1]), what=f"{what} against each other")])
    report = of_file(paths[0])
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write(out, report)
    show(report, as_json=as_json)
    return 0


def of_file(path: Path) -> ClassifyReport:
    """The report of a predictions file. Raises InputError with every problem of it."""
    records, problems = gather(path, PredictionRecord, check=check)
    if not records and not problems:
        problems = [Problem(path=str(path), what="is empty; it needs at least one JSON object a line")]
    if problems:
        raise InputError(problems)
    summary = summarize(records, remarks=tuple(remarks(records)))
    return ClassifyReport(title=(path.name,), summary=summary, wrong=wrong_of(records))


def check(record: PredictionRecord) -> Iterator[str]:
    """What is wrong with a prediction that its keys alone do not show."""
    latency = getattr(record, "latency_s", None)
    if latency is not None and (isinstance(latency, bool) or not isinstance(latency, int | float) or latency < 0):
        yield f"latency_s: a time in seconds is a number from 0 up, found {latency!r}"


def as_object(report: ClassifyReport) -> dict[str, Any]:
    """The contract's object with what there is to doubt."""
    return report.summary.as_json(words.doubts(report.summary))


def write(run: Path, report: ClassifyReport) -> None:
    """Write summary.json, report.md and report.html into a folder."""
    from harness.classify.markdown import render
    from harness.classify.page import pieces

    write_whole(run / "summary.json", json_text(as_object(report)))
    write_whole(run / "report.md", render(report))
    write_whole(run / "report.html", pieces(report))


def show(report: ClassifyReport, *, as_json: bool) -> None:
    """Print a report: for a terminal, or as the contract's object."""
    if as_json:
        text = json.dumps(as_object(report), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    else:
        from harness.classify import text as terminal

        text = terminal.render(report)
    sys.stdout.write(text)
    sys.stdout.flush()
