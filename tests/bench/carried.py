"""Recipes, suites and files that a benchmark writes, put through the real command; and what a benchmark lacks."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.command import environment, harness
from tests.published import DATA

HOURS = 3 * 3600.0


class Absent(Exception):
    """What a benchmark needs is not on this machine; the message says what, and how to get it."""


def data(*parts: str) -> Path:
    """A file of ../shared/data. Raises Absent where it is not there."""
    path = DATA.joinpath(*parts)
    if not path.is_file():
        raise Absent(f"needs {'/'.join(parts)} of ../shared/data, which is not here")
    return path


def written(path: Path, keys: Mapping[str, Any]) -> Path:
    """A recipe or a suite as YAML."""
    path.write_text(yaml.safe_dump(dict(keys), sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def trained(folder: Path, keys: Mapping[str, Any], *, threads: int | None = None) -> Path:
    """Write a recipe and `harness train` it; the folder of what came out. Raises RuntimeError where it does not end."""
    path = written(folder / f"{keys['name']}.yaml", keys)
    more = {} if threads is None else {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    began = time.perf_counter()
    made = said(folder, "train", path, **more)
    print(f"{keys['name']}: trained in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return Path(made.strip().removeprefix("hf/"))


def said(folder: Path, *arguments: str | Path, **more: str) -> str:
    """What `harness …` prints, its checkpoints in a folder. Raises RuntimeError where it does not exit with 0."""
    # Accelerators are chosen as they are for anybody.
    seen = {name: os.environ[name] for name in ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH") if name in os.environ}
    env = environment(folder, HARNESS_CHECKPOINTS=str(folder / "checkpoints"), **seen, **more)
    done = harness(*arguments, env=env, cwd=folder, timeout=HOURS, apart=True)
    if done.code != 0:
        raise RuntimeError(f"harness {' '.join(map(str, arguments))} exited with {done.code}: {done.err[-2000:]}")
    return done.out
