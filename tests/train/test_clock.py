"""How long a training took: over all its sessions, whatever ended them."""

import json
import time

import pytest

from harness.checkpoints import spent
from harness.checkpoints.spent import Spent
from harness.classify.written import training_of
from train.clock import timed


def took(place, seconds, *, goes_on):
    with timed(place, "cpu", goes_on=goes_on):
        time.sleep(seconds)
    return spent.read(place)


def test_sessions_that_go_on_add_up_and_one_that_begins_anew_does_not(tmp_path):
    first = took(tmp_path, 0.02, goes_on=False)
    assert (first.sessions, first.device) == (1, "cpu") and 0.02 <= first.seconds < 0.5
    second = took(tmp_path, 0.02, goes_on=True)
    assert second.sessions == 2 and second.seconds >= first.seconds + 0.02
    assert took(tmp_path, 0.0, goes_on=False).sessions == 1


def test_what_interrupts_a_training_keeps_its_time(tmp_path):
    with pytest.raises(KeyboardInterrupt), timed(tmp_path, "cpu", goes_on=False):
        raise KeyboardInterrupt
    assert spent.read(tmp_path).sessions == 1


def test_a_mark_on_the_way_is_on_disk_and_counts_once(tmp_path):
    with timed(tmp_path, "cpu", goes_on=False) as mark:
        mark()
        on_the_way = spent.read(tmp_path)
        mark()
    assert on_the_way.sessions == 1
    assert spent.read(tmp_path).sessions == 1


def test_a_sum_without_an_earlier_session_is_not_known(tmp_path):
    assert took(tmp_path, 0.0, goes_on=True) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"seconds": "x", "sessions": 1}', '{"seconds": -1, "sessions": 1}',
                                  '{"seconds": NaN, "sessions": 1}'])  # fmt: skip
def test_a_broken_file_is_no_time(tmp_path, text):
    (tmp_path / "time.json").write_text(text)
    assert spent.read(tmp_path) is None


def test_an_ensemble_took_what_its_members_took_together(tmp_path):
    for name, seconds in (("seed-0", 2.0), ("seed-1", 3.5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "heads.json").write_text("{}")
        spent.write(tmp_path / name, Spent(seconds=seconds, sessions=1, device="cpu"))
    (tmp_path / "ensemble.json").write_text(json.dumps({"members": ["seed-0", "seed-1"]}))
    assert training_of(tmp_path) == {"seconds": 5.5, "sessions": 2, "device": "cpu"}
    (tmp_path / "seed-1" / "time.json").unlink()
    assert training_of(tmp_path) is None
    assert spent.together([]) is None
