"""The pieces of a curve: losses of a history, the rule that keeps a step, the plot in characters."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.checkpoints.keeping import rule, surplus
from harness.checkpoints.shelf import training
from harness.curve.losses import Losses, at, losses, read
from harness.curve.plot import Dot, plot
from harness.curve.pruning import pruning
from harness.curve.stages import parse_steps
from harness.errors import InputError
from tests.harness.checkpoints import shelves

ROWS = [
    {"step": 0, "epoch": 0, "validation_loss": 4.0},
    {"step": 50, "epoch": 1, "loss": 3.0},
    {"step": 100, "epoch": 2, "loss": 2.0, "validation_loss": 2.5},
    {"step": 120, "epoch": 3, "loss": None},
]


def test_a_validation_loss_is_of_its_step_and_a_training_loss_the_last_before():
    assert at(ROWS, 100) == Losses(training=2.0, validation=2.5, logged=100)
    assert at(ROWS, 120) == Losses(training=2.0, validation=None, logged=100)
    assert at(ROWS, 60) == Losses(training=3.0, validation=None, logged=50)
    assert at(ROWS, 0) == Losses(training=None, validation=4.0, logged=None)
    assert at([], 5) == Losses()


@pytest.mark.parametrize("text", ["", "{", "{}", "[1, null]", '[{"loss": 1}]', '[{"step": "a"}]', '[{"step": NaN}]'])
def test_a_history_that_is_none_has_no_rows(tmp_path, text):
    (tmp_path / "history.json").write_text(text)
    assert read(tmp_path / "history.json") == []


def test_a_saved_step_without_a_history_has_its_training_s_else_its_manifest_s(tmp_path):
    place = shelves.step(tmp_path / "soup", 100, loss=1.25, validation_loss=1.5)
    made = training(tmp_path / "soup").steps[0].manifest
    assert losses(place, made, 100) == Losses(training=1.25, validation=1.5, logged=100)
    (tmp_path / "soup/history.json").write_text(json.dumps(ROWS))
    assert losses(place, made, 100) == Losses(training=2.0, validation=2.5, logged=100)
    assert losses(None, made, 100) == Losses()


@settings(max_examples=25, deadline=None)
@given(count=st.integers(2, 5), data=st.data())
def test_the_rule_keeps_what_is_chosen_and_nothing_else(tmp_path_factory, count, data):
    folder = tmp_path_factory.mktemp("shelf") / "soup"
    for place in range(count):
        shelves.step(folder, 10 * (place + 1))
    steps = training(folder).steps
    chosen = data.draw(st.lists(st.sampled_from(steps), min_size=1, max_size=count, unique_by=lambda one: one.step))
    found = pruning([one.path for one in chosen])
    assert (found is None) == (len(chosen) == len(steps))
    if found is None:
        return
    words = shlex.split(found)
    assert words[:5] == ["harness", "checkpoints", "prune", str(folder), "--keep"]
    assert {one.step for one in steps} - {one.step for one in chosen} == {
        one.step for one in surplus(steps, rule(words[5], None))
    }


def test_a_training_s_end_is_named_by_the_step_of_its_weights(tmp_path):
    shelves.step(tmp_path / "soup", 100)
    end = shelves.adapter(tmp_path / "end", steps_done=290, weights_step=100)
    for item in end.iterdir():
        item.rename(tmp_path / "soup" / item.name)
    shelves.step(tmp_path / "soup", 290)
    found = pruning([tmp_path / "soup"])
    assert found is not None and found.endswith("--keep step:100")


def test_where_nothing_would_go_or_nothing_is_known_there_is_no_command(tmp_path):
    shelves.step(tmp_path / "soup", 100)
    assert pruning([tmp_path / "soup/checkpoint-100"]) is None
    assert pruning([tmp_path / "soup/checkpoint-300"]) is None
    assert pruning([tmp_path / "stew/checkpoint-100"]) is None
    assert pruning([Path("hub/model")]) is None
    shelves.step(tmp_path / "stew", 200)
    assert pruning([tmp_path / "soup/checkpoint-100", tmp_path / "stew/checkpoint-200"]) is None


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12),
    steps=st.sets(st.integers(0, 10**9), min_size=12, max_size=12),
    width=st.integers(60, 120),
)
def test_a_plot_keeps_to_its_width_and_names_its_first_and_last_step(values, steps, width):
    listed = sorted(steps)[: len(values)]
    dots = [Dot(step=step, value=value, ci=(value - 1, value + 1)) for step, value in zip(listed, values, strict=True)]
    lines = plot({"●": dots}, lambda value: f"{value:.2f}", width=width)
    assert max(map(len, lines)) <= width
    assert any("●" in line for line in lines)
    assert lines[-1].split()[0] == str(listed[0]) and lines[-1].split()[-1] == str(listed[-1])


def test_equal_values_have_a_plot_and_one_step_has_none():
    lines = plot({"t": [Dot(step=1, value=2.0), Dot(step=2, value=2.0)]}, lambda value: f"{value:.1f}", width=60)
    assert sum(line.count("t") for line in lines) == 2 and sum("2.0" in line for line in lines) == 1
    assert plot({"t": [Dot(step=1, value=2.0)]}, str) == []
    assert plot({}, str) == []


def test_steps_are_whole_numbers_with_commas():
    assert parse_steps(None) == () and parse_steps("100, 200,290") == (100, 200, 290)
    for text in ("", "1,,2", "a", "-1,2", "1.5,2"):
        with pytest.raises(InputError, match="--step takes whole numbers"):
            parse_steps(text)
