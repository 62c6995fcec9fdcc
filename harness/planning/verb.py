"""`harness plan`: a question in, a plan out; nothing is built, asked or written."""

from __future__ import annotations

import json
import sys

from harness.planning.plan import make
from harness.planning.question import Question
from harness.planning.words import render


def verb(asked: Question, *, as_json: bool) -> int:
    """Print the plan; exit code 0. Raises InputError for 2."""
    plan = make(asked)
    if as_json:
        sys.stdout.write(json.dumps(plan.as_json(), ensure_ascii=False, indent=2, allow_nan=False) + "\n")
    else:
        sys.stdout.write(render(plan))
    return 0
