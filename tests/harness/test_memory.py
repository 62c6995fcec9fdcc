"""Peak memory is that of what was done last, not of the process's whole life."""

import subprocess
import sys

import pytest

from harness import memory

MIB = 1 << 20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems cannot set a peak back")
def test_a_peak_begins_anew():
    held = bytearray(b"x" * (200 * MIB))
    before = memory.peak(reset=memory.reset())["process"]
    del held
    assert memory.reset()
    after = memory.peak(reset=True)["process"]
    assert after < before - 150 * MIB


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems cannot set a peak back")
def test_what_was_let_go_and_kept_for_later_does_not_count():
    # A process of its own: what glibc keeps is set for good.
    program = """
from harness import memory, process
process.kept_memory()
memory.reset()
before = memory.peak(reset=True)["process"]
held = [bytearray(b"x" * (1 << 20)) for _ in range(200)]
del held
memory.reset()
print(memory.peak(reset=True)["process"] - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 50 * MIB


def test_without_a_reset_the_figure_is_named_as_the_whole_life_s():
    assert set(memory.peak(reset=False)) - {"cuda"} == {"process_lifetime"}
