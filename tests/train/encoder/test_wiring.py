"""What a recipe says reaches the trainer: every option of losses, draws and heads, against values worked by hand."""

import pytest

pytest.importorskip("torch")

from tests.train.encoder.small import TWO, recipe, task, train
from tests.train.small import same
from train.encoder.callbacks import alarm_of
from train.encoder.collapse import Alarm
from train.encoder.data import draws, form_of, losses_of
from train.encoder.losses import HeadLoss
from train.encoder.recipe import load

LATE = {"after": 0.99}
ONE = {"epochs": None, "steps": 1, "schedule": "constant"}


def test_every_head_has_the_loss_that_the_recipe_gives_it(tmp_path):
    own = {"gamma": 2.0, "smoothing": 0.05, "class_weights": "inverse_frequency", "multipliers": {"cold": 3.0}}
    path = recipe(
        tmp_path,
        None,
        90,
        task=TWO,
        loss={"gamma": 0.5, "weight": 0.7},
        losses={"heat": {**own, "cap": 4.0, "weight": 1.3}},
    )
    items = task(path)
    hot, of_all = (
        [item.labels["heat"] for item in each].count("hot") / len(each) for each in (items.train, items.all())
    )
    assert hot != of_all
    taste, heat = losses_of(load(path).keys, items)
    assert taste == HeadLoss(gamma=0.5, weight=0.7)
    assert (heat.gamma, heat.smoothing, heat.weight) == (2.0, 0.05, 1.3)
    # The rare label's 1 ÷ (2 × share) × 3 is more than the cap; the training items alone are counted.
    assert heat.class_weights == (4.0, pytest.approx(1 / (2 * hot), rel=1e-12))


def test_draws_are_weighed_by_the_training_items_and_capped(tmp_path):
    more = {"inverse_frequency": ["heat"], "multipliers": {"taste": {"sour": 2.0}}, "cap": 8.0}
    path = recipe(tmp_path, None, 90, task=TWO, oversample=more)
    items = task(path)
    heats = [item.labels["heat"] for item in items.train]
    rarer = {"hot": 1.0, "cold": heats.count("hot") / heats.count("cold")}
    assert 4.0 < rarer["cold"] < 8.0
    expected = [
        min(8.0, rarer[item.labels["heat"]] * (2.0 if item.labels["taste"] == "sour" else 1.0)) for item in items.train
    ]
    assert draws(load(path).keys, items).tolist() == pytest.approx(expected)


def test_heads_have_the_shape_that_the_recipe_gives_them(tmp_path):
    path = recipe(tmp_path, None, 30, head={"pooling": "attention", "depth": 3, "width": 7, "dropout": 0.3})
    found = form_of(load(path).keys, task(path))
    assert (found.pooling, found.depth, found.width, found.dropout) == ("attention", 3, 7, 0.3)
    assert (found.max_length, found.choices) == (32, False)


def test_the_alarm_has_every_key_of_the_recipe(tmp_path):
    path = recipe(tmp_path, None, 4, collapse={"after": 0.3, "drop": 0.25, "looks": 3})
    assert alarm_of(load(path).keys) == Alarm(after=0.3, drop=0.25, looks=3)
    assert alarm_of(load(path, ["collapse=null"]).keys) is None
    assert alarm_of(load(recipe(tmp_path, None, 4)).keys) == Alarm(after=0.2, drop=1 / 3, looks=2)


def test_r_drop_that_warms_up_begins_as_if_it_were_not_there(tmp_path, bert):
    """α is 0 in the first step of a warm-up; without one the first step already differs."""
    plain = train(recipe(tmp_path / "plain", bert, training=ONE, collapse=LATE))
    warm = train(recipe(tmp_path / "warm", bert, training=ONE, collapse=LATE, rdrop={"alpha": 5, "warmup_epochs": 9}))
    cold = train(recipe(tmp_path / "cold", bert, training=ONE, collapse=LATE, rdrop={"alpha": 5}))
    assert same(plain, warm)
    assert not same(plain, cold)


def test_every_member_is_trained_from_its_own_seed(tmp_path):
    path = recipe(tmp_path, None, 4, seeds=[8, 9], split={"holdout": None, "folds": 2})
    assert [(one.keys.seed, one.keys.split.fold) for _, one in load(path).members()] == [(8, 0), (8, 1), (9, 0), (9, 1)]
