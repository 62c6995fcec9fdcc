"""What a process is told before torch is there, and that memory is kept."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

COUNT = """
import resource, sys, numpy
from harness.process import kept_memory
if sys.argv[1] == "kept":
    kept_memory()
def work():
    for _ in range(5):
        held = [numpy.ones(2_500_000) for _ in range(10)]
        del held
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
TOLD = """
import os, sys
if sys.argv[1]:
    sys.modules["torch"] = None
from harness.process import patient_threads
patient_threads()
print(os.environ.get("OMP_WAIT_POLICY"))
"""


def said(script, argument, **env):
    kept = {name: own for name, own in os.environ.items() if not name.startswith(("MALLOC_", "OMP_WAIT"))}
    done = subprocess.run([sys.executable, "-c", script, argument], env=kept | env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's own")
def test_kept_memory_is_not_faulted_in_again():
    assert int(said(COUNT, "kept")) < 1000 < 10_000 < int(said(COUNT, "as it is"))
    # What somebody has set stands.
    assert int(said(COUNT, "kept", MALLOC_TRIM_THRESHOLD_="1048576")) > 10_000


def test_threads_are_told_to_wait_only_before_torch():
    assert said(TOLD, "") == "PASSIVE"
    assert said(TOLD, "torch is there") == "None"
    assert said(TOLD, "", OMP_WAIT_POLICY="ACTIVE") == "ACTIVE"
