"""Thresholds for rare classes: fitted on validation, and their gain asked of the items that are reported."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from harness.classify.summary import summarize
from harness.classify.thresholded import sentences, thresholded
from tests.command import environment, harness
from tests.harness.classify.test_figures import model, record
from tests.published import lines, write_lines


def made(n=800, seed=3):
    rng = np.random.default_rng(seed)
    validation, records = model(n, rng), model(n, rng)
    return records, thresholded(records, validation, ["positive"], summarize(records))


def test_the_figures_with_are_those_of_the_moved_predictions():
    records, found = made()
    gold = [one.label for one in records]
    sides = [[one.prediction for one in side] for side in (records, found.records)]
    each = [f1_score(gold, side, labels=["positive"], average=None)[0] for side in sides]
    own = found.moved["positive"]
    assert (own.a, own.b) == pytest.approx(each, abs=1e-12)
    assert (found.macro.a, found.macro.b) == pytest.approx([f1_score(gold, s, average="macro") for s in sides])
    assert own.ci[0] < own.difference < own.ci[1]
    value = found.as_json()
    assert value["with"]["per_class"]["positive"]["f1"] == pytest.approx(each[1])
    assert value["difference"]["f1"]["positive"]["difference"] == pytest.approx(each[1] - each[0])
    assert json.dumps(value, allow_nan=False)


def test_the_gain_is_told_with_its_interval():
    _, found = made()
    said = list(sentences(found))
    assert "fitted on validation alone" in said[0] and "here F1 0." in said[0] and "difference " in said[0]
    assert said[1].startswith("with them macro F1 0.") and "accuracy " in said[1]
    assert list(sentences(None)) == []


def test_too_few_validation_items_fit_nothing_and_say_so():
    held = [record(place, "xy"[place % 2], "x", probabilities={"x": 0.6, "y": 0.3, "z": 0.1}) for place in range(20)]
    found = thresholded(held, held, ["z"], summarize(held))
    assert [one.prediction for one in found.records] == [one.prediction for one in held]
    said = list(sentences(found))
    assert said[0].startswith("'z': none, 0 validation items of this class")
    assert said[1:] == ["no prediction changes: every offset is none, or 0"]
    assert found.macro.difference == 0
    told = found.as_json()["difference"]["macro_f1"]
    assert (told["difference"], told["ci"], told["p_value"]) == (0, None, None)
    assert told["reason"] == said[1]


def test_a_run_reports_them_beside_its_own_figures(tmp_path):
    pytest.importorskip("torch")
    from tests.harness.classify.test_foreign import classifier, suite

    classifier(tmp_path / "model", ["sweet", "sour"])
    path = suite(tmp_path / "suite", tmp_path / "model", thresholds=["sour"])
    rows = lines(tmp_path / "suite/items.jsonl")
    write_lines(
        tmp_path / "suite/held.jsonl", [{**row, "id": f"v{row['id']}", "text": row["text"][::-1]} for row in rows]
    )
    keys = json.loads(path.read_text())
    keys["task"]["files"]["validation"] = "held.jsonl"
    path.write_text(json.dumps(keys))
    done = harness("run", path, "--out", tmp_path / "run", "--json", env=environment(tmp_path, HF_HUB_OFFLINE="1"))
    assert done.code == 0, done.err
    told = done.json["thresholds"]
    moved = lines(tmp_path / "run/thresholded.jsonl")
    plain = lines(tmp_path / "run/predictions.jsonl")
    right = [sum(row["label"] == row["prediction"] for row in side) / len(side) for side in (plain, moved)]
    assert [done.json["accuracy"], told["with"]["accuracy"]] == pytest.approx(right)
    offset = told["offsets"]["sour"]["offset"]
    for before, after in zip(plain, moved, strict=True):
        logs = {name: np.log(own) + (offset if name == "sour" else 0) for name, own in before["probabilities"].items()}
        assert after["prediction"] == max(logs, key=logs.get)
    for report in ("report.md", "report.html"):
        text = (tmp_path / "run" / report).read_text()
        assert "Offsets for rare classes" in text and "with them macro F1" in text.replace("With", "with")
    shown = harness("analyze", tmp_path / "run", env=environment(tmp_path))
    assert "offsets for rare classes" in shown.out and max(map(len, shown.out.splitlines())) <= 80


def test_without_an_offset_ties_stay_as_they_were_broken():
    held = [record(place, "xy"[place % 2], "y", probabilities={"x": 0.5, "y": 0.5, "z": 0.0}) for place in range(20)]
    found = thresholded(held, held, ["z"], summarize(held))
    assert [one.prediction for one in found.records] == ["y"] * 20
