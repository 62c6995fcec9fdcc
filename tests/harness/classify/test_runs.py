"""Classify runs by the real command: asked in writing over the wire, read strictly, counted, resumed."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
from sklearn import metrics

from tests.command import environment, harness
from tests.loopback import Fault, Loopback
from tests.loopback.policy import texts
from tests.published import lines, write_lines

LABELS = ("cold", "hot")
DISHES = ("ice cream", "lemonade", "gazpacho", "iced tea", "stew", "goulash", "porridge", "roast")


def made(folder, n=40, **keys):
    """A suite on made texts, half of them hot; training texts differ from those that are asked."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"id": f"d{place:02d}", "text": f"{DISHES[place % 8]} number {place}", "label": LABELS[place % 8 >= 4],
         "slices": ["even"] if place % 2 == 0 else ["odd", "all"]}
        for place in range(n)
    ]  # fmt: skip
    write_lines(folder / "test.jsonl", rows)
    write_lines(folder / "train.jsonl", [{**row, "id": f"t-{row['id']}", "text": f"a {row['text']}"} for row in rows])
    task = {"files": {"train": "train.jsonl", "test": "test.jsonl"}, "text": "text", "label": "label", "id": "id"}
    suite = {"name": "warmth", "kind": "classify", "task": {**task, "slices": "slices"}, **keys}
    path = folder / "suite.yaml"
    path.write_text(json.dumps(suite))
    return path


def answers(request):
    """Right on most; in other words on one dish, with another label on two."""
    text = texts(request)[-1]
    dish = text.split("Text: ")[-1].split(" number")[0]
    said = {"gazpacho": "It is cold", "porridge": "cold", "iced tea": "**Hot.**"}
    return said.get(dish, "hot" if dish in DISHES[4:] else "Label: cold")


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asked")
    suite = made(folder / "suite", candidate="openai/small", method={"shots": 4})
    with Loopback(policy=answers) as server:
        env = environment(folder, server.url)
        done = harness("run", suite, "--out", folder / "run", "--json", env=env)
        bodies = list(server.bodies)
        again = harness("resume", folder / "run", "--json", env=env)
        told = {"code": again.code, "asked": len(server.bodies), "accuracy": again.json["accuracy"]}
        (folder / "again.json").write_text(json.dumps(told))
    return folder, done, bodies


def test_the_summary_is_the_contract_s(asked):
    folder, done, _ = asked
    assert done.code == 0, done.err
    assert done.json == json.loads((folder / "run/summary.json").read_text())
    assert list(done.json)[:9] == [
        "kind", "n", "accuracy", "ci", "macro_f1", "mcc", "per_class", "slices", "majority_rate",
    ]  # fmt: skip
    assert (done.json["n"], done.json["majority_rate"]) == (40, 0.5)


def test_a_reply_that_is_no_label_is_no_prediction_and_counts_as_wrong(asked):
    folder, done, _ = asked
    predictions = lines(folder / "run/predictions.jsonl")
    lost = [row for row in predictions if row["prediction"] is None]
    assert {row["status"] for row in lost} == {"invalid_parse"}
    assert {row["reply"] for row in lost} == {"It is cold"}
    assert done.json["no_prediction"] == {"n": 5, "statuses": {"invalid_parse": 5}}
    assert done.json["accuracy"] == pytest.approx(25 / 40)


def test_scikit_learn_agrees_with_every_figure(asked):
    folder, done, _ = asked
    rows = lines(folder / "run/predictions.jsonl")
    gold, said = [row["label"] for row in rows], [row["prediction"] or "none" for row in rows]
    assert done.json["mcc"] == pytest.approx(metrics.matthews_corrcoef(gold, said), abs=1e-9)
    table = metrics.precision_recall_fscore_support(gold, said, labels=LABELS, zero_division=0)
    for place, label in enumerate(LABELS):
        own = done.json["per_class"][label]
        assert [own[key] for key in ("precision", "recall", "f1", "support")] == pytest.approx(
            [column[place] for column in table], abs=1e-9
        )
    assert done.json["macro_f1"] == pytest.approx(table[2].mean(), abs=1e-9)


def test_examples_come_from_training_and_are_balanced(asked):
    folder, _, bodies = asked
    examples = json.loads((folder / "run/manifest.json").read_text())["examples"]
    assert len(examples) == 4
    assert all(name.startswith("t-") for name in examples)
    train = {row["id"]: row for row in lines(folder / "suite/train.jsonl")}
    assert sorted(train[name]["label"] for name in examples) == ["cold", "cold", "hot", "hot"]
    shown = [texts(body)[-1] for body in bodies]
    assert all(text.count("\n\nText: a ") == 4 for text in shown)


def test_the_folder_holds_tables_and_pictures(asked):
    folder, done, _ = asked
    run = folder / "run"
    with (run / "per_class.csv").open() as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    assert float(rows["hot"]["f1"]) == done.json["per_class"]["hot"]["f1"]
    with (run / "errors.csv").open() as file:
        errors = list(csv.DictReader(file))
    assert len(errors) == 15
    assert {row["prediction"] for row in errors} == {"", "cold", "hot"}
    assert all(row["text"] for row in errors)
    assert (run / "confusion.png").read_bytes().startswith(b"\x89PNG")
    results = json.loads((run / "results.json").read_text())
    assert results["accuracy"] == done.json["accuracy"]


def test_a_run_that_is_whole_asks_nothing_on_resume(asked):
    folder, done, bodies = asked
    again = json.loads((folder / "again.json").read_text())
    assert again == {"code": 0, "asked": len(bodies), "accuracy": done.json["accuracy"]}


def test_what_the_provider_failed_at_is_asked_again_on_resume(tmp_path):
    suite = made(tmp_path / "suite", candidate="openai/small")
    fault = Fault(kind="bad_request", containing="stew number 4", times=1)
    with Loopback(policy=answers, faults=[fault]) as server:
        env = environment(tmp_path, server.url)
        first = harness("run", suite, "--out", tmp_path / "run", env=env)
        assert first.code == 4
        assert "harness resume" in first.err
        begun = len(server.requests)
        left = 40 - len(lines(tmp_path / "run/predictions.jsonl"))
        second = harness("resume", tmp_path / "run", "--json", env=env)
        assert left <= len(server.requests) - begun <= left + 1
    assert (second.code, second.json["complete"], second.json["n"]) == (0, True, 40)


def test_items_that_a_provider_failed_at_are_in_no_figure_of_a_comparison(tmp_path, asked):
    whole, part = asked[0] / "run", tmp_path / "run"
    shutil.copytree(whole, part)
    rows = lines(whole / "predictions.jsonl")
    for row in rows[:6]:
        row |= {"prediction": None, "status": "provider_error"}
    write_lines(part / "predictions.jsonl", rows)
    kept = rows[6:]
    done = harness("compare", whole, part, "--json", env=environment(tmp_path))
    assert done.code == 0, done.err
    assert done.json["missing"] == {"a": 0, "b": 6, "one_side_only": 6}
    gold, said = [row["label"] for row in kept], [row["prediction"] or "none" for row in kept]
    for side in ("a", "b"):
        own = done.json[side]
        assert own["n"] == len(kept)
        assert own["mcc"] == pytest.approx(metrics.matthews_corrcoef(gold, said))
        assert own["macro_f1"] == pytest.approx(metrics.f1_score(gold, said, labels=LABELS, average="macro"))


@pytest.mark.parametrize(("target", "code"), [(0.2, 0), (0.62, 3), (0.95, 1)])
def test_a_goal_is_a_gate_by_its_interval(tmp_path, asked, target, code):
    folder, _, _ = asked
    rows = lines(folder / "run/predictions.jsonl")
    write_lines(tmp_path / "said.jsonl", [{k: row[k] for k in ("id", "label", "prediction")} for row in rows])
    suite = made(tmp_path / "suite", candidate="recorded/../said.jsonl", goal=f"accuracy >= {target}")
    done = harness("run", suite, "--out", tmp_path / "run", "--json", env=environment(tmp_path))
    assert (done.code, done.json["goal"]["outcome"]) == (code, {0: "pass", 1: "fail", 3: "inconclusive"}[code])


def test_a_goal_on_accuracy_counts_clusters(tmp_path):
    rows = [
        {"id": f"i{place}", "label": "hot" if place % 8 < 4 else "cold", "text": f"dish {place}", "cluster": place // 4}
        for place in range(80)
    ]
    # Right on 17 of 20 clusters of four: 68 of 80 are above 0.75 by Wilson's interval, 17 of 20 are not.
    other = {"hot": "cold", "cold": "hot"}
    said = [{**row, "prediction": row["label"] if row["cluster"] < 17 else other[row["label"]]} for row in rows]
    write_lines(tmp_path / "items.jsonl", rows)
    write_lines(tmp_path / "said.jsonl", [{key: row[key] for key in ("id", "label", "prediction")} for row in said])
    task = {"files": {"test": "items.jsonl"}, "text": "text", "label": "label", "id": "id"}
    suite = {"name": "c", "kind": "classify", "candidate": "recorded/said.jsonl", "goal": "accuracy >= 0.75"}
    for name, task_keys in (("plain", task), ("clustered", {**task, "cluster": "cluster"})):
        (tmp_path / f"{name}.yaml").write_text(json.dumps({**suite, "task": task_keys}))
    found = {
        name: harness("run", tmp_path / f"{name}.yaml", "--out", tmp_path / name, "--json", env=environment(tmp_path))
        for name in ("plain", "clustered")
    }
    assert {name: (done.code, done.json["goal"]["outcome"]) for name, done in found.items()} == {
        "plain": (0, "pass"),
        "clustered": (3, "inconclusive"),
    }


def test_recorded_predictions_give_the_figures_of_the_run_they_came_from(tmp_path, asked):
    folder, first, _ = asked
    suite = made(tmp_path / "suite")
    recorded = f"recorded/{folder / 'run/predictions.jsonl'}"
    done = harness(
        "run", suite, "--candidate", recorded, "--out", tmp_path / "run", "--json", env=environment(tmp_path)
    )
    assert done.code == 0, done.err
    same = ("n", "accuracy", "ci", "macro_f1", "mcc", "per_class", "slices", "no_prediction")
    assert {key: done.json[key] for key in same} == {key: first.json[key] for key in same}


def test_a_limit_is_named_and_the_draw_is_seeded(tmp_path, asked):
    folder, _, _ = asked
    suite = made(tmp_path / "suite", candidate=f"recorded/{folder / 'run/predictions.jsonl'}")
    runs = [
        harness("run", suite, "--limit", "10", "--out", tmp_path / name, "--json", env=environment(tmp_path))
        for name in "ab"
    ]
    assert runs[0].json["n"] == 10
    assert runs[0].json == runs[1].json
    assert any("--limit: 10 of 40 items" in note for note in runs[0].json["notes"])


BAD = [
    ({"task": {"files": "test.jsonl", "text": "text", "label": "mood"}}, "mood"),
    ({"method": {"mode": "likelihood"}, "candidate": "openai/small"}, "use method.mode: generation"),
    ({"method": {"shots": 80}}, "less than or equal to 64"),
    ({"method": {"shots": 60}}, "60 examples are to stand before each question, and the training split has 40"),
    ({"method": {"template": "nothing"}}, "there is no classification template 'nothing'"),
    ({"method": {"template": "rte"}}, "names the label 'entailment'; the task has cold, hot"),
    ({"goal": "accuracy >= 2"}, "a number from 0 to 1"),
    ({"goal": "majority_rate >= 0.5"}, "has no interval"),
    ({"thresholds": ["warm"]}, "'warm' is no label; the labels are cold, hot"),
    ({"on": "validation"}, "there are no validation items"),
    ({"judges": ["rubric"]}, "unknown key 'judges'"),
    ({"split": {"folds": 1}}, "folds"),
    ({"candidate": "reward/x"}, "cannot be a candidate"),
]


@pytest.mark.parametrize(("keys", "said"), BAD)
def test_what_is_wrong_is_one_sentence_before_anything_is_asked(tmp_path, keys, said):
    suite = made(tmp_path / "suite", **{"candidate": "openai/small", **keys})
    with Loopback(policy=answers) as server:
        done = harness("run", suite, "--out", tmp_path / "run", env=environment(tmp_path, server.url))
        assert server.requests == []
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert not (tmp_path / "run").exists()


def test_recorded_predictions_of_other_items_are_refused(tmp_path):
    suite = made(tmp_path / "suite", candidate="recorded/said.jsonl")
    row = {"id": "d00", "label": "hot", "prediction": "tepid"}
    write_lines(tmp_path / "suite/said.jsonl", [row, {"id": "d01", "label": "cold", "prediction": "tepid"}])
    done = harness("run", suite, "--out", tmp_path / "run", env=environment(tmp_path))
    assert done.code == 2
    said = " ".join(done.err.split())
    assert "lacks 38 items of 40" in said
    assert "item 'd00' has the label 'hot' here and 'cold' in" in said
    assert "the prediction 'tepid' is no label; the labels are cold, hot" in said


def test_recorded_probabilities_of_labels_that_are_none_are_refused_with_their_line(tmp_path):
    suite = made(tmp_path / "suite", candidate="recorded/said.jsonl")
    rows = [
        {"id": row["id"], "label": row["label"], "prediction": row["label"], "probabilities": {row["label"]: 1.0}}
        for row in lines(tmp_path / "suite/test.jsonl")
    ]
    rows[3]["probabilities"] = {rows[3]["label"]: 1.0, "tepid": 0.0}
    rows[4]["probabilities"] = {rows[4]["label"]: 0.5, "tepid": 0.5}
    write_lines(tmp_path / "suite/said.jsonl", rows)
    done = harness("run", suite, "--out", tmp_path / "run", env=environment(tmp_path))
    assert done.code == 2
    said = " ".join(done.err.split())
    assert "said.jsonl:5: item 'd04' has a probability of 'tepid', which is no label" in said
    assert "'d03'" not in said
    assert "name all in its 'labels'" in said


def test_recorded_predictions_with_the_status_of_none_are_refused(tmp_path):
    suite = made(tmp_path / "suite", candidate="recorded/said.jsonl")
    rows = lines(tmp_path / "suite/test.jsonl")
    said = [{"id": row["id"], "label": row["label"], "prediction": row["label"], "status": "ok"} for row in rows]
    said[6]["status"] = "provider_error"
    write_lines(tmp_path / "suite/said.jsonl", said)
    done = harness("run", suite, "--out", tmp_path / "run", env=environment(tmp_path))
    assert done.code == 2
    assert "said.jsonl:7: item 'd06' has a prediction and the status 'provider_error'" in done.err


def test_recorded_predictions_keep_how_long_they_took(tmp_path):
    suite = made(tmp_path / "suite", candidate="recorded/said.jsonl")
    rows = lines(tmp_path / "suite/test.jsonl")
    said = [{"id": row["id"], "label": row["label"], "prediction": row["label"], "latency_s": 0.5} for row in rows]
    write_lines(tmp_path / "suite/said.jsonl", said)
    done = harness("run", suite, "--out", tmp_path / "run", "--json", env=environment(tmp_path))
    assert done.json["latency_ms"] == {"p50": 500.0, "p95": 500.0, "n": 40}


def test_what_is_too_long_for_an_api_is_truncated_and_not_asked_again(tmp_path):
    suite = made(tmp_path / "suite", candidate="openai/small")
    too_long = Fault(kind="too_long", containing="stew number 4", times=9)
    with Loopback(policy=answers, faults=[too_long]) as server:
        env = environment(tmp_path, server.url)
        done = harness("run", suite, "--out", tmp_path / "run", "--json", env=env)
        assert (done.code, done.json["complete"]) == (0, True), done.err
        assert done.json["no_prediction"]["statuses"]["truncated"] == 1
        begun = len(server.requests)
        assert harness("resume", tmp_path / "run", env=env).code == 0
        assert len(server.requests) == begun


def test_a_template_that_shows_nothing_of_an_item_is_refused(tmp_path):
    suite = made(tmp_path / "suite", candidate="openai/small", method={"template": "my.md"})
    (tmp_path / "suite/my.md").write_text("=== item ===\nHot or cold?\n")
    done = harness("run", suite, "--out", tmp_path / "run", env=environment(tmp_path))
    assert done.code == 2
    assert "shows nothing of an item; name text or fields" in done.err


def test_a_goal_that_is_no_goal_names_one_of_its_kind(tmp_path):
    done = harness("run", made(tmp_path / "s", candidate="openai/x", goal="accuracy 0.75"), env=environment(tmp_path))
    assert done.code == 2
    assert "write 'accuracy >= 0.75'" in done.err


def test_a_dry_run_counts_no_validation_for_who_is_not_asked_it(tmp_path):
    suite = made(tmp_path / "s", candidate="openai/x", split={"validation": 0.2})
    done = harness("run", suite, "--dry-run", "--json", env=environment(tmp_path))
    assert (done.json["calls"], done.json["validation_items"]) == (40, 0)
    assert isinstance(done.json["notes"], list)


def test_changed_items_end_a_resume_in_one_sentence(tmp_path, asked):
    folder, _, _ = asked
    suite = made(tmp_path / "suite", candidate=f"recorded/{folder / 'run/predictions.jsonl'}")
    env = environment(tmp_path)
    assert harness("run", suite, "--out", tmp_path / "run", env=env).code == 0
    path = tmp_path / "suite/test.jsonl"
    path.write_text(path.read_text().replace("ice cream number 0", "ice cream number zero"))
    done = harness("resume", tmp_path / "run", env=env)
    assert done.code == 2
    assert "items have changed since the run began" in done.err


def test_two_runs_are_compared_item_by_item_and_gated(tmp_path, asked):
    folder, first, _ = asked
    rows = lines(folder / "run/predictions.jsonl")
    better = [{"id": row["id"], "label": row["label"], "prediction": row["label"]} for row in rows]
    write_lines(tmp_path / "better.jsonl", better)
    suite = made(tmp_path / "suite", candidate="recorded/../better.jsonl")
    env = environment(tmp_path)
    assert harness("run", suite, "--out", tmp_path / "run", env=env).code == 0
    found = harness("compare", folder / "run", tmp_path / "run", "--json", env=env)
    assert found.code == 0, found.err
    assert found.json["a"]["accuracy"] == pytest.approx(first.json["accuracy"])
    assert found.json["mcnemar"]["only_b"] == round(40 * (1 - first.json["accuracy"]))
    files = harness("compare", folder / "run/predictions.jsonl", tmp_path / "better.jsonl", "--json", env=env)
    assert {key: found.json[key] for key in ("difference", "ci", "mcnemar")} == {
        key: files.json[key] for key in ("difference", "ci", "mcnemar")
    }
    gate = harness("check", tmp_path / "run", "--against", folder / "run", "--margin", "0.05", "--json", env=env)
    assert (gate.code, gate.json["outcome"]) == (0, "pass")
