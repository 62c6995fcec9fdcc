"""`harness agree RUN|FILE…`: the figures as text, as the contract's object, or as one page."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.agree.measured import Agreement, measure
from harness.agree.reading import load
from harness.errors import InputError


def agree(paths: Sequence[Path], *, gold: str | None, as_json: bool, as_html: bool) -> int:
    """Print how far the judges agree. Exit code 0; raises InputError with every problem of every input."""
    if as_json and as_html:
        raise InputError("--json and --html both go to stdout; give one of them")
    found = measure(load(paths), gold)
    for piece in _pieces(found, as_json=as_json, as_html=as_html):
        sys.stdout.write(piece)
    sys.stdout.flush()
    if not found.inputs.complete:
        print("incomplete: a run here is not whole; figures rest on what is there", file=sys.stderr)
    return 0


def _pieces(found: Agreement, *, as_json: bool, as_html: bool) -> Iterable[str]:
    if as_json:
        from harness.agree.written import as_json as written

        return [json.dumps(written(found), ensure_ascii=False, indent=2, allow_nan=False), "\n"]
    if as_html:
        from harness.agree.page import pieces

        return pieces(found)
    from harness.agree.text import render

    return [render(found)]
