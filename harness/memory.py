"""The most memory that this process has held since it was last asked, as far as the system tells."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from harness.process import handed_back

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
# Linux: "5" sets the peak back to what is held now (proc(5), clear_refs).
_RESET = "5"


def reset() -> bool:
    """Let the peak begin anew; False where the system cannot, and `peak` then tells of the process's whole life.

    What was let go before, and is merely kept for later, is handed back first.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    gc.collect()
    handed_back()
    try:
        _CLEAR.write_text(_RESET)
    except OSError:
        return False
    return True


def peak(*, reset: bool) -> dict[str, int]:
    """Bytes by holder: `process` since the reset, or `process_lifetime` without one, and `cuda` where it was used."""
    found = {"process": _high_water()} if reset else {"process_lifetime": _lifetime()}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        found["cuda"] = int(torch.cuda.max_memory_allocated())
    return found


def _high_water() -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _lifetime() -> int:
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
