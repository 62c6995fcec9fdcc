"""Makes a stretch of training repeatable, and puts everything back: seeds, threads, deterministic kernels, log noise.

Training libraries seed and configure the whole process; outside this context nothing of it remains.
"""

from __future__ import annotations

import contextlib
import os
import random
import warnings
from collections.abc import Iterator

from harness.errors import InputError
from harness.process import kept_memory


@contextlib.contextmanager
def steady(seed: int, threads: int | None, *, exact: bool = True) -> Iterator[None]:
    """Seed every generator, use `threads` threads and, to be `exact`, deterministic kernels; restore all at the end."""
    import numpy
    import torch

    kept_memory()
    before = random.getstate(), numpy.random.get_state(), torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    filling = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    # cuBLAS is deterministic only with a fixed workspace, which it reads from here when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with torch.random.fork_rng(), quiet():
        try:
            random.seed(seed)
            numpy.random.seed(seed)
            torch.manual_seed(seed)
            torch.set_num_threads(threads or before[2])
            torch.use_deterministic_algorithms(exact)
            # It guards against reading memory before writing it, and costs a third of the time of small models.
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
            yield
        finally:
            random.setstate(before[0])
            numpy.random.set_state(before[1])
            torch.set_num_threads(before[2])
            torch.use_deterministic_algorithms(deterministic)
            torch.utils.deterministic.fill_uninitialized_memory = filling  # type: ignore[attr-defined]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' logs and progress bars off the terminal, where ours stand."""
    import datasets
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    their_bars = datasets.are_progress_bars_disabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
        if not their_bars:
            datasets.enable_progress_bars()


def device_name(given: str) -> str:
    """The device that a recipe's `device` means on this machine. Raises InputError where it is not there."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if given == "auto":
        return next(name for name, found in there.items() if found)
    if not there[given]:
        raise InputError(f"device: {given!r} is not on this machine; use auto or cpu")
    return given
