"""The command line of `harness plan` within this process: a start of Python for each of many plans would be slow."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.cli import app

READ = ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "HARNESS_PRICES")


def plan(*arguments: Any, env: Mapping[str, str], cwd: Path | None = None) -> str:
    """What the command prints; it must end with exit code 0. Raises what the command would report."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out:
        for name in READ:
            patch.delenv(name, raising=False)
            if name in env:
                patch.setenv(name, env[name])
        if cwd is not None:
            patch.chdir(cwd)
        assert app(["plan", *map(str, arguments)], standalone_mode=False) == 0
    return out.getvalue()


def planned(*arguments: Any, env: Mapping[str, str]) -> dict[str, Any]:
    """The object of `--json`."""
    found: dict[str, Any] = json.loads(plan(*arguments, "--json", env=env))
    return found
