"""Finished runs to ask again, and what stands in their folders.

The command is the real one with its real arguments, exit codes and streams, in this process: it loads once, not in
every test. What has to do with processes is tested with one of its own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.cli import main
from tests.command import Done, environment, world
from tests.harness.test_run import judge
from tests.loopback import policy
from tests.loopback.server import Loopback
from tests.published import lines, write_lines

FIXED = [{"kind": "form", "pattern": r"Dish \d+ simmers.*rests\."}]


def harness(*arguments: str | Path, env: Mapping[str, str]) -> Done:
    """Run `harness …` with nothing but this environment."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    kept, handler, argv = dict(os.environ), signal.getsignal(signal.SIGTERM), sys.argv
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["harness", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.argv = argv
        signal.signal(signal.SIGTERM, handler)
        os.environ.clear()
        os.environ.update(kept)
    return Done(code=code, out=out.getvalue(), err=err.getvalue())


def steady() -> Loopback:
    """A judge that always says the same of the same texts."""
    return Loopback(policy=judge)


def wavering(share: float = 0.2) -> Loopback:
    """A judge that says anything on a share of its calls, though its temperature is 0."""
    return Loopback(policy=policy.wavering(judge, share))


def answering() -> Loopback:
    """One address for two contestants, openai/good and anthropic/poor, and for the judge who tells them apart."""

    def says(request: dict[str, Any]) -> Any:
        if "<<<ANSWER A>>>" in json.dumps(request):
            return judge(request)
        number = re.findall(r"\d+", policy.texts(request)[-1])[0]
        good, poor = f"Dish {number} simmers slowly with onions and rests.", f"Dish {number} is cooked."
        return good if request["model"] == "good" else poor

    return Loopback(policy=says)


def finished(tmp_path: Path, server: Loopback, n: int = 24, *, judges: str = "[openai/judge]", **more: Any) -> Path:
    """A complete run by these judges, with a rubric where one is named."""
    suite = world(tmp_path, n, judges=judges, **more)
    if "rubric" in judges:
        rows = [row | {"checks": FIXED} for row in lines(tmp_path / "prompts.jsonl")]
        write_lines(tmp_path / "prompts.jsonl", rows)
    done = harness("run", suite, "--out", tmp_path / "run", env=environment(tmp_path, server.url))
    # 3: a judge of these few words may fail the control pairs.
    assert done.code in (0, 3), done.err
    return tmp_path / "run"


def again(run: Path, server: Loopback | None, *arguments: str | Path, json: bool = True) -> Done:
    """`harness rerun RUN …`."""
    more = ["--json"] if json else []
    url = server.url if server is not None else None
    return harness("rerun", run, *arguments, *more, env=environment(run.parent, url))


def manifest(run: Path) -> dict[str, Any]:
    return json.loads((run / "manifest.json").read_text())


def edit(path: Path, **keys: Any) -> None:
    """Change keys of the first line of a JSONL file."""
    rows = lines(path)
    rows[0] |= keys
    write_lines(path, rows)


def contents(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}


def verify(run: Path, *arguments: str, server: Loopback | None = None) -> Done:
    """`harness rerun RUN --verify …`, at the address the run knew its judge by."""
    known = run.parent / "url"
    url = server.url if server is not None else known.read_text() if known.exists() else None
    return harness("rerun", run, "--verify", *arguments, env=environment(run.parent, url))


def differences(run: Path) -> list[str]:
    """What a replay finds different; it must be something."""
    done = verify(run, "--json")
    assert done.code == 1, done.err
    assert done.json["outcome"] == "different"
    return [found["what"] for found in done.json["differences"]]
