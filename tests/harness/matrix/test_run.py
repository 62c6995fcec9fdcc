"""The loop over cells: what is done is kept, what fails is recorded, the rest go on; a resume does what is missing."""

from __future__ import annotations

import json
import shutil

import pytest

from harness.classify.written import RESULTS
from harness.errors import InputError, RunStopped
from harness.matrix.run import CELLS, FOLDERS, RUN, Standing, carry_out, standings_of, told
from harness.matrix.suite import load
from harness.matrix.watch import eta, progress_line
from tests.harness.matrix.test_suite import written


def ended(into, *told):
    """What a cell's run leaves behind."""
    (into / RUN).mkdir(parents=True, exist_ok=True)
    (into / RUN / RESULTS).write_text("{}")
    return told


class Quiet:
    """Hears everything and shows nothing."""

    def __init__(self):
        self.said = []

    def update(self, standings):
        self.last = dict(standings)

    def say(self, text):
        self.said.append(text)


@pytest.fixture
def suite(tmp_path):
    return load(written(tmp_path), "quick")


def test_a_cell_that_fails_is_recorded_and_the_rest_go_on(tmp_path, suite):
    broken, strange = suite.cells()[1], suite.cells()[2]

    def carry(cell, into):
        if cell == broken:
            raise RunStopped("out of memory on one item")
        if cell == strange:
            raise ZeroDivisionError("a library's own")
        return ended(into, 0.5, (0.4, 0.6))

    watch = Quiet()
    found = carry_out(tmp_path, suite, carry, watch)
    assert [own.state for own in found.values()] == ["done", "failed", "failed", "done"]
    assert found[broken].reason == "out of memory on one item"
    assert found[strange].reason == "ZeroDivisionError: a library's own"
    assert len(watch.said) == 4
    assert standings_of(tmp_path, suite.cells()) == found


def test_a_resume_does_only_what_is_missing(tmp_path, suite):
    asked = []

    def carry(cell, into):
        asked.append(cell)
        if len(asked) == 2:
            raise InputError("a file is missing")
        return ended(into, 0.5, None)

    carry_out(tmp_path, suite, carry, Quiet())
    failed = asked[1]
    asked.clear()
    found = carry_out(tmp_path, suite, carry, Quiet())
    assert asked == [failed]
    assert {own.state for own in found.values()} == {"done"}


def test_an_interruption_keeps_what_is_done(tmp_path, suite):
    def carry(cell, into):
        if cell == suite.cells()[2]:
            raise KeyboardInterrupt
        return ended(into, 0.5, None)

    with pytest.raises(KeyboardInterrupt):
        carry_out(tmp_path, suite, carry, Quiet())
    states = [own.state for own in standings_of(tmp_path, suite.cells()).values()]
    assert states == ["done", "done", "waiting", "waiting"]


def test_a_torn_line_is_a_cell_that_was_not_ended_and_spoils_no_other(tmp_path, suite):
    first, second, *_ = suite.cells()
    whole = json.dumps({"cell": first.name, "state": "done", "seconds": 1.0})
    (tmp_path / CELLS).write_text(whole + '\n{"cell": "' + second.name)
    assert standings_of(tmp_path, suite.cells())[second].state == "waiting"
    ended(tmp_path / FOLDERS / first.name)
    assert standings_of(tmp_path, suite.cells())[first].state == "done"
    carry_out(tmp_path, suite, lambda cell, into: ended(into, 0.5, None), Quiet())
    assert {own.state for own in standings_of(tmp_path, suite.cells()).values()} == {"done"}


def test_what_is_left_is_told_from_cells_of_the_same_mode(suite):
    zero, few, other, last = suite.cells()
    assert (zero.mode, few.mode, other.mode, last.mode) == ("zero-shot", "few-shot", "zero-shot", "few-shot")
    done = Standing(state="done", seconds=10.0)
    longer = Standing(state="done", seconds=60.0)
    assert eta({zero: done, few: longer, other: Standing(), last: Standing()}) == 70.0
    assert eta({zero: Standing(), few: Standing()}) is None
    line = progress_line({zero: done, few: longer, other: Standing(state="failed"), last: Standing()})
    assert line == "2 of 4 cells done, 1 failed, about 60 s left"


def test_a_standing_in_words():
    assert told(Standing(state="done", seconds=12.0, accuracy=0.5, ci=(0.25, 0.75))) == (
        "accuracy 50.0 % (25.0 to 75.0) in 12 s"
    )
    assert told(Standing(state="failed", reason="no room")) == "failed: no room"


@pytest.mark.parametrize("broken", ["gone", "torn", "not a cell"])
def test_a_cell_whose_results_are_not_whole_is_run_again(tmp_path, suite, broken):
    carry_out(tmp_path, suite, lambda cell, into: ended(into, 0.5, None), Quiet())
    first = suite.cells()[0]
    results = tmp_path / FOLDERS / first.name / RUN / RESULTS
    if broken == "gone":
        shutil.rmtree(tmp_path / FOLDERS / first.name)
    elif broken == "torn":
        results.write_text('{"n": 1')
    else:
        (tmp_path / CELLS).write_text((tmp_path / CELLS).read_text() + '[1]\n"x"\n{"cell": 3}\n')
    asked = []
    found = carry_out(tmp_path, suite, lambda cell, into: (asked.append(cell), ended(into, 0.5, None))[1], Quiet())
    assert asked == ([] if broken == "not a cell" else [first])
    assert {own.state for own in found.values()} == {"done"}
