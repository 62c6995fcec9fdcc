"""Peak memory is that of what was done last, not of the process's whole life."""

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


def test_without_a_reset_the_figure_is_named_as_the_whole_life_s():
    assert set(memory.peak(reset=False)) - {"cuda"} == {"process_lifetime"}
