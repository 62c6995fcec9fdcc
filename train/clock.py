"""Takes the time of a training over all its sessions, and writes it down whatever ends it (`time.json`)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from harness.checkpoints import spent

ENCODERS, CAUSAL = ("train.encoder.trainer", "peft"), ("transformers.trainer", "datasets", "peft")
TRAINERS = {"dpo": "dpo", "reward": "reward"}
Mark = Callable[[], None]
"""Writes the time so far, so that a process that is killed loses what came after at most."""


def load_libraries(kind: str) -> None:
    """Import what a training of a kind needs, which takes seconds once a process and is no training."""
    own = ENCODERS if kind == "encoder" else (*CAUSAL, f"trl.trainer.{TRAINERS.get(kind, 'sft')}_trainer")
    for name in own:
        import_module(name)


@contextlib.contextmanager
def timed(place: Path, device: str, *, goes_on: bool) -> Iterator[Mark]:
    """Add what happens within to the time of the training in a folder, however it ends.

    With `goes_on` earlier sessions count; without, the weights begin anew and so does their time. A disk that takes no
    file is not the training's trouble: the time is not known then.
    """
    before = spent.read(place) if goes_on else spent.NONE
    began = time.monotonic()

    def mark() -> None:
        # Where the time of an earlier session is lost, a sum without it would be wrong.
        if before is not None:
            with contextlib.suppress(OSError):
                spent.write(place, before.after(time.monotonic() - began, device))

    if not goes_on:
        (place / spent.FILE).unlink(missing_ok=True)
    try:
        yield mark
    finally:
        mark()
