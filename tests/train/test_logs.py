"""What a training leaves for people to look at: TensorBoard's log, the history, the loss curve."""

import os

import pytest

pytest.importorskip("torch")

from PIL import Image

from harness.errors import InputError
from tests.train.small import answers, losses, recipe, rows_of, train


def test_tensorboard_gets_the_losses_that_the_history_has(tmp_path, base):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    made = train(recipe(tmp_path, base, answers(40), log=None, data={"validation": {"share": 0.2}}, save={"every": 4}))
    logged = EventAccumulator(str(made / "logs")).Reload()
    assert [event.value for event in logged.Scalars("train/loss")] == pytest.approx(losses(made))
    validation = [row["validation_loss"] for row in rows_of(made) if "validation_loss" in row]
    assert [event.value for event in logged.Scalars("eval/loss")] == pytest.approx(validation)


def test_each_training_logs_into_its_own_folder(tmp_path, base):
    first = train(recipe(tmp_path / "a", base, answers(12), log=None))
    second = train(recipe(tmp_path / "b", base, answers(12), log=None, seed=6))
    assert len(list((first / "logs").iterdir())) == len(list((second / "logs").iterdir())) == 1
    assert "TENSORBOARD_LOGGING_DIR" not in os.environ


def test_an_empty_log_leaves_none(tmp_path, base):
    assert not (train(recipe(tmp_path, base, answers(12), log=[])) / "logs").exists()


def test_a_logger_that_is_not_installed_is_a_problem_that_names_it(tmp_path, base):
    with pytest.raises(InputError, match="log: wandb is not installed; pip install wandb"):
        train(recipe(tmp_path, base, answers(12), log=["wandb"]))


def test_the_loss_curve_is_a_picture(tmp_path, base):
    with Image.open(train(recipe(tmp_path, base, answers(12))) / "loss.png") as picture:
        assert picture.size == (840, 480)
        assert len(picture.convert("L").getcolors()) > 10
