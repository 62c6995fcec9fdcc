"""Real `harness` processes that start at once: each is forked from one that has the training libraries imported.

Importing them takes many times as long as the small trainings of these tests. What is forked here runs the command's
own `main` in a process of its own, with its own environment, and can be killed.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.command import Done, environment


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A command that was started."""

    pid: int
    out: Path
    err: Path


class Stem:
    """The process that others are forked from."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(folder, OMP_WAIT_POLICY="PASSIVE", HF_HOME=str(folder / "hub")),
            # Whatever runs the tests in the background may have told its children to pass over Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def start(self, *arguments: str | Path, checkpoints: Path, room: int | None = None, **env: str) -> Running:
        """Start `harness …` and return at once. `room` is how many bytes of memory it may take."""
        self._count += 1
        place = self._folder / str(self._count)
        running = {"out": str(place.with_suffix(".out")), "err": str(place.with_suffix(".err"))}
        told = {
            "arguments": [*map(str, arguments)],
            "env": {"HARNESS_CHECKPOINTS": str(checkpoints), **env},
            "room": room,
        }
        return Running(
            pid=int(self._ask({"start": {**told, **running}})), out=Path(running["out"]), err=Path(running["err"])
        )

    def wait(self, running: Running) -> Done:
        """Wait for a command. No traceback is ever acceptable."""
        code = int(self._ask({"wait": running.pid}))
        done = Done(code=code, out=running.out.read_text(), err=running.err.read_text())
        assert "Traceback" not in done.err, done.err
        return done

    def run(self, *arguments: str | Path, checkpoints: Path, room: int | None = None, **env: str) -> Done:
        """Run `harness …` and wait."""
        return self.wait(self.start(*arguments, checkpoints=checkpoints, room=room, **env))

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _ask(self, order: Mapping[str, Any]) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def until(seen: Callable[[], object], patience: float = 60.0) -> None:
    """Wait until something is there."""
    end = time.monotonic() + patience
    while not seen():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.002)


def import_all() -> None:
    """Import what trainings need, and have the garbage collector pass it over from now on.

    Every training asks the collector to look through everything, which would take as long as the training.
    """
    trainers = ("sft_trainer", "dpo_trainer", "reward_trainer")
    for name in ("torch", "datasets", "matplotlib.figure", "peft", *(f"trl.trainer.{name}" for name in trainers)):
        import_module(name)
    gc.freeze()


def _serve() -> None:
    """Fork a process for every order that comes."""
    import_all()
    import_module("harness.cli")
    import_module("train.verb")
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            _be(**order["start"])
        print(pid, flush=True)


def _be(arguments: list[str], env: dict[str, str], out: str, err: str, room: int | None) -> None:
    """Be the command, in a process that has just been forked."""
    from harness.cli import main

    code: Any = 1
    try:
        os.setsid()
        os.environ.update(env)
        for stream, path in ((1, out), (2, err)):
            os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644), stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if room is not None:
            taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (taken + room, resource.RLIM_INFINITY))
        sys.argv = ["harness", *arguments]
        main()
    except SystemExit as error:
        code = error.code or 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
