"""The collapse alarm speaks when it must, and not before."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.classes import confusion, macro_f1
from train.encoder.collapse import Alarm, Look, collapsed, majority_macro_f1

FLOOR = 0.5


def told(*figures, floor=FLOOR, alarm=None, every=10, planned=100):
    looks = [Look(step=every * place, figure=figure) for place, figure in enumerate(figures, 1)]
    return collapsed(looks, floor, planned, alarm or Alarm(), "accuracy")


def test_two_looks_at_the_floor_stop_the_training():
    assert told(0.7, 0.8, 0.5) is None
    assert told(0.7, 0.8, 0.5, 0.5) == (
        "collapse: accuracy is 50.0% at step 40 of 100, at or below the 50.0% that always answering the most frequent "
        "label would get, 2 evaluations running"
    )


def test_a_third_below_the_best_stops_it_too():
    assert told(0.9, 0.61, 0.61) is None
    assert told(0.9, 0.6, 0.6, 0.6) == (
        "collapse: accuracy is 60.0% at step 40 of 100, 33% below its best of 90.0%, 2 evaluations running"
    )


def test_the_first_fifth_of_the_steps_is_passed_over():
    assert told(0.1, 0.1) is None
    assert told(0.1, 0.1, 0.1) is None
    assert told(0.1, 0.1, 0.1, 0.1) is not None
    assert told(0.1, 0.1, 0.1, 0.1, alarm=Alarm(after=0.4)) is None


def test_one_good_look_between_takes_it_back():
    assert told(0.8, 0.8, 0.5, 0.7, 0.5) is None


def test_two_different_reasons_running_are_enough():
    assert told(0.9, 0.9, 0.58, 0.5) is not None


def test_how_many_looks_and_how_far_are_keys():
    assert told(0.9, 0.9, 0.5, 0.5, alarm=Alarm(looks=3)) is None
    assert told(0.9, 0.9, 0.5, 0.5, 0.5, alarm=Alarm(looks=3)) is not None
    assert told(0.9, 0.9, 0.7, 0.7, alarm=Alarm(drop=0.2)) is not None


def test_nothing_is_said_of_no_or_one_look():
    assert told() is None
    assert told(0.1, every=50) is None


@given(st.lists(st.floats(0.51, 1.0), min_size=1, max_size=20))
def test_figures_above_the_floor_and_two_thirds_of_the_best_never_stop(figures):
    if min(figures) > 2 / 3 * max(figures) + 1e-6:
        assert told(*figures, every=4) is None


@pytest.mark.parametrize(("counts"), [(50, 50), (70, 20, 10), (1, 1, 1, 7)])
def test_the_macro_f1_of_the_most_frequent_label(counts):
    gold = [str(label) for label, count in enumerate(counts) for _ in range(count)]
    label = str(int(np.argmax(counts)))
    expected = macro_f1(confusion(gold, [label] * len(gold)))
    assert expected is not None
    assert math.isclose(majority_macro_f1(max(counts) / sum(counts), len(counts)), expected, rel_tol=1e-12)
