"""Matrix suites: which cells there are, and what each of them is set to."""

from __future__ import annotations

import json

import pytest

from harness.errors import InputError
from harness.matrix.suite import from_json, load
from harness.matrix.written import absolute_spec, encoder_recipe, task_keys
from tests.published import write_lines

TASK = {"files": "items.jsonl", "text": "text", "label": "label"}
SUITE = {
    "name": "small",
    "kind": "matrix",
    "tasks": {"one": {"task": TASK}, "two": {"task": TASK, "template": "label"}},
    "models": {"bert": {"encoder": "hf/bert"}, "big": {"language": "hf/big"}, "api": {"language": "openai/api"}},
    "modes": {"fine-tune": {}, "zero-shot": None, "few-shot": {"method": {"shots": 3}}, "lora": {"recipe": {"a": 1}}},
    "exclude": [{"model": "api", "mode": "lora"}],
    "cells": [
        {"task": "two", "recipe": {"training": {"epochs": 5}}},
        {"model": "bert", "recipe": {"training": {"rate": 2}}},
    ],
    "variants": {"quick": {"limit": 9, "tasks": ["one"], "modes": ["zero-shot", "few-shot"]}},
}


def written(tmp_path, **changes):
    path = tmp_path / "suite.yaml"
    path.write_text(json.dumps({**SUITE, **changes}))
    rows = [{"text": f"text {place}", "label": "xy"[place % 2]} for place in range(24)]
    write_lines(tmp_path / "items.jsonl", rows)
    return path


def cell(suite, name):
    return next(cell for cell in suite.cells() if cell.name == name)


def test_modes_meet_models_of_their_kind_and_what_is_excluded_is_left_out(tmp_path):
    names = [str(cell) for cell in load(written(tmp_path)).cells()]
    assert len(names) == 2 * (1 + 3 + 2)
    assert "bert · one · fine-tune" in names
    assert not [name for name in names if name.startswith("api") and "lora" in name]


def test_settings_of_cells_lie_on_those_of_their_mode(tmp_path):
    suite = load(written(tmp_path))
    assert suite.settings(cell(suite, "big__two__lora")).recipe == {"a": 1, "training": {"epochs": 5}}
    assert suite.settings(cell(suite, "bert__two__fine-tune")).recipe == {"training": {"epochs": 5, "rate": 2}}
    assert suite.settings(cell(suite, "big__one__few-shot")).method == {"shots": 3, "seed": 0}
    assert suite.settings(cell(suite, "big__two__zero-shot")).method == {"template": "label"}


def test_a_variant_is_a_smaller_matrix_and_the_command_line_s_limit_is_above_it(tmp_path):
    suite = load(written(tmp_path), "quick")
    assert len(suite.cells()) == 4
    assert suite.settings(suite.cells()[0]).limit == 9
    limited = load(written(tmp_path), "quick", limit=4)
    assert limited.settings(limited.cells()[0]).limit == 4


def test_a_suite_comes_back_from_its_manifest(tmp_path):
    suite = load(written(tmp_path), "quick", limit=4, seed=8)
    again = from_json(json.loads(json.dumps(suite.as_json())))
    assert again.cells() == suite.cells()
    assert [again.settings(cell) for cell in again.cells()] == [suite.settings(cell) for cell in suite.cells()]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exclude": [{"model": "burt"}]}, "there is no 'burt'; known: bert, big, api"),
        ({"cells": [{"task": "three"}]}, "there is no 'three'; known: one, two"),
        ({"variants": {"quick": {"models": ["burt"]}}}, "there is no 'burt'"),
        ({"models": {"x": {}}}, "give 'encoder' or 'language'"),
        ({"models": {"x": {"encoder": "rubric"}}}, "'rubric' cannot be a candidate"),
        ({"models": {"x": {"encoder": "hf/x"}}, "modes": {"lora": {}}, "cells": [], "exclude": []}, "no cell is left"),
        ({"modes": {"dreaming": {}}}, "dreaming"),
        ({"modes": {"few-shot": {"method": {"shots": -1}}}}, "shots"),
        ({"tasks": {}}, "tasks"),
        ({"extra": 1}, "unknown key 'extra'"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, changes, said):
    changes = {**({"variants": {}} if "modes" in changes else {}), **changes}
    with pytest.raises(InputError) as caught:
        load(written(tmp_path, **changes))
    assert said in str(caught.value)


def test_a_variant_that_is_not_there_names_those_that_are(tmp_path):
    with pytest.raises(InputError, match="there is no variant 'slow'; its variants: quick"):
        load(written(tmp_path), "slow")


def test_a_head_on_a_language_model_is_a_recipe_of_kind_encoder_and_asks_nothing_in_words(tmp_path):
    modes = {"lora-head": {"recipe": {"lora": {"rank": 4}, "training": {"epochs": 2}}}}
    plain = {"exclude": [], "cells": [], "variants": {}}
    suite = load(written(tmp_path, modes=modes, **plain))
    assert [str(cell) for cell in suite.cells()] == [
        f"{model} · {task} · lora-head" for task in ("one", "two") for model in ("big", "api")
    ]
    (tmp_path / "items.jsonl").write_text("")
    own = cell(suite, "big__two__lora-head")
    assert suite.settings(own).method == {}
    recipe = encoder_recipe(suite, own)
    assert (recipe["kind"], recipe["base"], recipe["head"]) == ("encoder", "hf/big", {"pooling": "last"})
    assert recipe["lora"] == {"rank": 4, "alpha": 32}
    assert (recipe["task"]["text"], recipe["training"]) == (["text"], {"epochs": 2})


def test_places_beside_the_suite_are_found_from_anywhere(tmp_path):
    for name in ("base", "adapter", "set"):
        (tmp_path / name).mkdir()
    here = tmp_path.resolve()
    assert absolute_spec("hf/base", tmp_path) == f"hf/{here}/base"
    assert absolute_spec("hf/base+adapter", tmp_path) == f"hf/{here}/base+{here}/adapter"
    assert absolute_spec("hf/org/name+adapter", tmp_path) == f"hf/org/name+{here}/adapter"
    assert absolute_spec("recipe/a.yaml", tmp_path) == f"recipe/{here}/a.yaml"
    assert absolute_spec("openai/base", tmp_path) == "openai/base"
    keys = {"hub": "set", "text": "text", "label": "label"}
    made = load(written(tmp_path, tasks={"one": {"task": keys}}, cells=[], variants={}))
    assert task_keys(made.keys.tasks["one"], tmp_path)["task"]["hub"] == f"{here}/set"
