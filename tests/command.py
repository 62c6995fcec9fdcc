"""Runs the real command, with an environment that holds nothing of this machine's."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from tests.published import write_lines

KEY = "sk-test-0123456789abcdef"
KEPT = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "TMPDIR")


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


def environment(tmp_path: Path, server: str | None = None, **more: str) -> dict[str, str]:
    """A clean environment with its own cache; with a loopback server's address, both providers point there."""
    found = {name: os.environ[name] for name in KEPT if name in os.environ}
    found |= {"HARNESS_CACHE_DIR": str(tmp_path / "cache"), "PYTHONUTF8": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "80"}
    if server is not None:
        found |= {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{server}/v1"}
        found |= {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server}
    return found | more


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "harness.cli", *map(str, arguments)]


def harness(
    *arguments: str | Path, env: Mapping[str, str], cwd: Path | None = None, timeout: float = 120, apart: bool = False
) -> Done:
    """Run `harness …` and wait. No traceback is ever acceptable.

    The command's own `main` is called in this process, with its arguments, environment and folder and nothing else of
    the test's: starting an interpreter takes longer than most commands. `apart` starts one all the same, as whoever
    calls it from another thread gets it.
    """
    if not apart and threading.current_thread() is threading.main_thread():
        return within(list(map(str, arguments)), env, cwd)
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, env=dict(env), cwd=cwd, timeout=timeout, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Done(code=done.returncode, out=done.stdout, err=done.stderr)


def within(arguments: Sequence[str], env: Mapping[str, str], cwd: Path | None) -> Done:
    """Call the command line in this process; what it raises beyond an exit is raised."""
    from harness.cli import main

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code: int | str | None = 0
    handler = signal.getsignal(signal.SIGTERM)
    with ExitStack() as around:
        around.enter_context(mock.patch.dict(os.environ, env, clear=True))
        around.enter_context(mock.patch.object(sys, "argv", ["harness", *arguments]))
        around.enter_context(mock.patch.object(sys, "stdin", around.enter_context(Path(os.devnull).open())))
        around.enter_context(chdir(cwd or Path.cwd()))
        around.enter_context(redirect_stdout(out))
        around.enter_context(redirect_stderr(err))
        around.callback(signal.signal, signal.SIGTERM, handler)
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    texts = [stream.buffer.getvalue().decode("utf-8") for stream in (out, err)]  # type: ignore[attr-defined]
    return Done(code=code if isinstance(code, int) else int(code is not None), out=texts[0], err=texts[1])


def world(folder: Path, n: int = 12, *, better: float = 0.75, judges: str = "[openai/judge]") -> Path:
    """A suite with recorded responses: the candidate's is the fuller answer on a share of the prompts."""
    folder.mkdir(parents=True, exist_ok=True)
    prompts, candidate, baseline = [], [], []
    for place in range(n):
        name = f"p{place:03d}"
        full = f"Dish {place} simmers slowly with onions, carrots and thyme until everything is tender, then rests."
        thin = f"Dish {place} is cooked."
        wins = place < better * n
        prompts.append({"id": name, "prompt": f"How is dish {place} made?", "category": "odd" if place % 2 else "even"})
        candidate.append({"id": name, "response": full if wins else thin})
        baseline.append({"id": name, "response": thin if wins else full})
    write_lines(folder / "prompts.jsonl", prompts)
    write_lines(folder / "candidate.jsonl", candidate)
    write_lines(folder / "baseline.jsonl", baseline)
    suite = folder / "suite.yaml"
    suite.write_text(
        "name: dishes\nprompts: prompts.jsonl\ncandidate: recorded/candidate.jsonl\n"
        f"baseline: recorded/baseline.jsonl\njudges: {judges}\nseed: 3\n"
    )
    return suite


def interruptible() -> None:
    """In the child: a shell's background job ignores SIGINT, and hands that on to the tests it runs."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
