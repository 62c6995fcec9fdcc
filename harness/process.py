"""How a process computes on a CPU: threads that sleep while they wait, memory that is not handed back at once."""

from __future__ import annotations

import os
import sys

# glibc's names for what `mallopt` sets, and what it is set to: more than a batch needs, less than anyone misses.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_MEMORY = {_MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 512 << 20, _TOP_PAD: 64 << 20}


def patient_threads() -> None:
    """Have torch's threads sleep, not spin, while they wait for each other; call it before torch is first imported.

    On a machine whose cores are shared, spinning makes the steps of a small model ten times slower.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def kept_memory() -> None:
    """Have glibc keep what a forward pass lets go for the next one; elsewhere nothing happens.

    By default every pass gives its pages back and faults them in again, a fifth of the time of a small model. What the
    environment sets itself (MALLOC_…) stands.
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    import ctypes

    set_one = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_one is not None:
        for name, value in _MEMORY.items():
            set_one(ctypes.c_int(name), ctypes.c_int(value))


def handed_back() -> None:
    """Have glibc give the system back what is free now, so that what is held is used; elsewhere nothing happens."""
    if sys.platform != "linux":
        return
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(0))
