"""A finished score run, made once for all tests that only look at it or go on from it."""

from __future__ import annotations

import pytest

from tests.harness.scoring.made import MIX, SIDES, Kitchen, policy, suite
from tests.loopback import Loopback


@pytest.fixture(scope="session")
def kitchen(tmp_path_factory):
    """A server, and a finished run "first" of two judges on 1-10."""
    folder = tmp_path_factory.mktemp("kitchen")
    suite(folder, judges=MIX)
    with Loopback(policy=policy()) as server:
        made = Kitchen(folder, server)
        done = made.run("first", *SIDES, "--json")
        assert (done.code, done.err.count("Traceback")) == (0, 0)
        made.first, made.first_asked = done.json, made.asked
        yield made
