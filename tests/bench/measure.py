"""Timing whole processes, and the machine they ran on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One measured line: what, the figure as text, the bound it is held against, and whether it keeps it."""

    what: str
    figure: str
    bound: str
    kept: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A table of BENCHMARKS.md with the sentence that says how it was measured."""

    title: str
    how: str
    rows: tuple[Row, ...]


def seconds(arguments: Sequence[str], env: Mapping[str, str]) -> float:
    """Wall time of a whole process. Raises CalledProcessError where it fails (3 says what it found of a judge)."""
    started = time.perf_counter()
    done = subprocess.run(arguments, env=dict(env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    took = time.perf_counter() - started
    if done.returncode not in (0, 3):
        raise subprocess.CalledProcessError(done.returncode, arguments)
    return took


def peak_mib(arguments: Sequence[str], env: Mapping[str, str]) -> float:
    """Peak resident memory of a whole process in MiB."""
    program = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=dict(env), check=True, capture_output=True, text=True
    )
    return int(done.stdout) / (1024 if sys.platform != "darwin" else 1024**2)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median with the lowest and highest."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def signed(value: float, digits: int = 3, times: float = 1) -> str:
    """A difference with its sign, "+0.042" or "−0.042"; what rounds to nothing has a plus."""
    text = f"{times * value:+.{digits}f}"
    return text.replace("-", "−") if float(text) else f"+{0:.{digits}f}"


@contextmanager
def server(*arguments: str):
    """A loopback server in a process of its own; yields its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.loopback", *arguments], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout is not None
    try:
        address = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert address is not None
        yield address[0]
    finally:
        process.terminate()
        process.wait(10)


def machine() -> str:
    """Processor, cores, memory and Python."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.+)", info.read_text()) if info.exists() else []
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    name = names[0] if names else platform.processor()
    return f"{name}, {os.cpu_count()} cores, {gib:.0f} GiB, Python {platform.python_version()}"
