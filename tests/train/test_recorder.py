"""The history says what happened at which step, in one row a step, by names that readers know; the plot draws it."""

import json

import pytest

from train.plot import plot
from train.recorder import History


def filled():
    history = History()
    history.add(0, 0.0, {"eval_loss": 3.0, "eval_perplexity": 20.1, "eval_runtime": 5})
    history.add(1, 0.1, {"loss": 2.9, "grad_norm": 1, "learning_rate": 0.1, "num_tokens": 8})
    history.add(4, 0.4, {"loss": 2.5})
    history.add(4, 0.4, {"eval_loss": 2.75, "eval_win_rate": 0.5})
    history.add(5, 0.5, {"train_runtime": 3.0})
    return history


def test_figures_of_one_step_stand_in_one_row_and_what_no_reader_knows_is_left_out():
    assert filled().rows == [
        {"step": 0, "epoch": 0.0, "validation_loss": 3.0, "perplexity": 20.1},
        {"step": 1, "epoch": 0.1, "loss": 2.9, "grad_norm": 1.0, "learning_rate": 0.1},
        {"step": 4, "epoch": 0.4, "loss": 2.5, "validation_loss": 2.75, "win_rate": 0.5},
    ]


def test_the_figures_of_a_step_stand_beside_those_before_training():
    assert filled().at(4) == {
        "validation_loss_before": 3.0,
        "perplexity_before": 20.1,
        "loss": 2.5,
        "validation_loss": 2.75,
        "win_rate": 0.5,
    }
    assert filled().at(3) == {"validation_loss_before": 3.0, "perplexity_before": 20.1}
    assert History().at(3) == {}


def test_without_a_look_before_training_nothing_is_called_before():
    history = History()
    history.add(2, 0.2, {"eval_loss": 3.0})
    assert history.at(2) == {"validation_loss": 3.0}


def test_a_history_is_read_as_it_was_written(tmp_path):
    filled().write(tmp_path / "history.json")
    assert (
        History.read(tmp_path / "history.json").rows
        == filled().rows
        == json.loads((tmp_path / "history.json").read_text())
    )


def test_the_same_history_is_the_same_picture(tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("a.png", "b.png"):
        plot(filled().rows, "small, 4 of 5 steps", 4, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    plot(filled().rows, "small, 4 of 5 steps", None, tmp_path / "c.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "c.png").read_bytes()


def test_where_nothing_was_measured_nothing_is_drawn(tmp_path):
    plot([{"step": 1, "win_rate": 0.5}], "small", None, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_a_loss_below_zero_or_without_end_does_not_break_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    rows = [{"step": 1, "loss": float("inf")}, {"step": 2, "loss": float("nan")}, {"step": 3, "loss": 2.0}]
    plot(rows, "small", 3, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
