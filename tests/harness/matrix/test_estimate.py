"""A dry run of a matrix: cells with sizes and times, in eighty columns, also where the data are on the hub."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.matrix import estimate
from harness.matrix.suite import load
from harness.suite import BUNDLED
from tests.command import environment, harness
from tests.harness.matrix.test_suite import TASK, written

SMALL = {
    "models": {"bert": {"encoder": "hf/bert", "parameters": 1e6}, "big": {"language": "hf/big"}},
    "exclude": [],
    "cells": [],
    "variants": {},
    "tasks": {"one": {"task": TASK, "split": {"holdout": 0.25}}, "hub": {"task": {"glue": "sst2"}}},
}


def rows(suite):
    return {
        f"{row['model']} {row['task']} {row['mode']}": row for row in estimate.rows(suite, estimate.looked_at(suite))
    }


@pytest.mark.parametrize(("variant", "cells"), [(None, 30), ("full", 30), ("quick", 4)])
def test_the_glue_matrix_is_listed_without_the_hub(tmp_path, variant, cells):
    arguments = ["--variant", variant] if variant else []
    done = harness("run", "glue_matrix", "--dry-run", *arguments, env=environment(tmp_path))
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert sum(line.startswith(("bert", "deberta", "qwen", "gemma")) for line in lines) == cells
    said = " ".join(done.out.split())
    assert "could not be looked at (the dataset 'nyu-mll/glue' is not on this machine), so that items and" in said
    assert said.count("could not be looked at") == 1
    assert ("110 M" in said, "≤ 100" in said) == (True, variant == "quick")


def test_what_is_known_is_estimated_and_what_is_not_is_none(tmp_path):
    found = rows(load(written(tmp_path, **SMALL)))
    known, unknown = found["bert one fine-tune"], found["bert hub fine-tune"]
    assert (known["items"], known["parameters"], known["bytes"]) == (6, 1_000_000, 16_000_000)
    # Opening the model, three passes over 18 examples in steps of 8, and six items cost something whatever the size.
    assert known["seconds"] > estimate.CELL + estimate.STEP * 54 / 8 + estimate.ITEM * 6
    assert (unknown["items"], unknown["seconds"], unknown["bytes"]) == (None, None, 16_000_000)
    assert (found["big one zero-shot"]["parameters"], found["big one zero-shot"]["seconds"]) == (None, None)


def test_the_object_names_what_was_not_looked_at(tmp_path):
    done = harness("run", written(tmp_path, **SMALL), "--dry-run", "--json", env=environment(tmp_path))
    assert done.json["unseen"] == {"hub": "the dataset 'nyu-mll/glue' is not on this machine"}
    assert [row["task"] for row in done.json["cells"]].count("hub") == 4


def test_files_that_are_wrong_are_no_reason_to_go_on(tmp_path):
    suite = written(tmp_path, **SMALL)
    (tmp_path / "items.jsonl").write_text('{"text": "", "label": "x"}\n')
    done = harness("run", suite, "--dry-run", env=environment(tmp_path))
    assert done.code == 2
    assert "items.jsonl:1: the text 'text' is empty" in done.err


def test_training_counts_its_steps_its_epochs_and_its_share_of_the_data(tmp_path):
    suite = load(written(tmp_path, **SMALL))
    task = estimate.looked_at(suite).tasks["one"]
    assert len(task.train) == 18
    trained = {
        "epochs": ({"training": {"epochs": 2}}, 36),
        "share": ({"training": {"epochs": 2}, "data": {"sample_ratio": 0.5}}, 18),
        "steps": ({"training": {"epochs": None, "steps": 10, "batch_size": 4, "accumulation": 2}}, 80),
        "default": ({}, 54),
    }
    for recipe, examples in trained.values():
        assert estimate._trained_on(recipe, task) == examples


def test_a_limit_stands_for_items_that_are_not_known(tmp_path):
    suite = replace(load(written(tmp_path, **SMALL)), limit=5)
    shown = estimate.told(suite, estimate.rows(suite, estimate.looked_at(suite)), {"hub": "away"})
    assert "≤ 5" in shown and "The size of big is not known" in " ".join(shown.split())


def test_the_bundled_matrix_is_the_log_s_thirty_experiments():
    suite = load(BUNDLED / "glue_matrix.yaml")
    cells = suite.cells()
    assert len(cells) == 30
    by = {(cell.model, cell.mode) for cell in cells}
    assert {model for model, mode in by if mode == "fine-tune"} == {"bert-base", "deberta-base"}
    assert {model for model, mode in by if mode == "lora"} == {"qwen-0.5b", "qwen-1.5b"}
    assert {cell.task for cell in cells} == {"sst2", "rte", "mnli"}
    assert all(suite.settings(cell).method["shots"] == 5 for cell in cells if cell.mode == "few-shot")
    quick = load(BUNDLED / "glue_matrix.yaml", "quick")
    assert [cell.mode for cell in quick.cells()] == ["fine-tune", "zero-shot", "few-shot", "lora"]
    assert json.loads(json.dumps(quick.settings(quick.cells()[0]).recipe))["training"]["steps"] == 60


def test_torn_weights_have_no_size_and_break_nothing_off(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    assert estimate.counted(tmp_path) is None


def test_a_model_s_size_is_that_of_its_base(tmp_path):
    (tmp_path / "base").mkdir()
    save_file(
        {"w": np.zeros((3, 5), dtype=np.float32), "b": np.zeros(5, dtype=np.float32)}, tmp_path / "base/m.safetensors"
    )
    models = {"bert": {"encoder": "hf/bert", "parameters": 7}, "big": {"language": "hf/base+adapter"}}
    suite = load(written(tmp_path, **{**SMALL, "models": models}))
    sizes = {cell.model: estimate.parameters_of(suite, cell) for cell in suite.cells()}
    assert sizes == {"bert": 7, "big": 20}
