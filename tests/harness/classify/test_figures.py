"""From prediction records to figures and the contract's object: by hand, whatever the order of lines."""

import json

import numpy as np
import pytest

from harness.classify import words
from harness.classify.calibrated import calibrated, scaled, table_of, temperature_of
from harness.classify.figures import figures_of
from harness.classify.rare import applied, fit
from harness.classify.summary import latency_of, summarize
from harness.errors import InputError
from harness.records import PredictionRecord
from harness.stats.calibration import log_loss

LABELS = ("negative", "neutral", "positive")


def record(name, label, prediction, **more):
    return PredictionRecord.model_validate({"id": name, "label": label, "prediction": prediction, **more})


def model(n, rng, sharpness=1.0, prior=(0.6, 0.3, 0.1)):
    """A calibrated model's predictions with probabilities; of another `sharpness`, one that is too sure."""
    found = []
    for place in range(n):
        logits = rng.normal(size=3) + np.log(prior)
        chances = np.exp(logits) / np.exp(logits).sum()
        label = LABELS[rng.choice(3, p=chances)]
        given = np.exp(sharpness * logits) / np.exp(sharpness * logits).sum()
        shown = {name: float(value) for name, value in zip(LABELS, given, strict=True)}
        found.append(record(place, label, max(shown, key=shown.get), probabilities=shown))
    return found


FOUR = [
    record("a", "x", "x", slices=["s", "t"]),
    record("b", "x", "y", slices=["s"]),
    record("c", "y", "y", slices=["s", "s"]),
    record("d", "y", None, status="invalid_parse"),
]


def test_the_contract_s_keys():
    found = summarize(FOUR).as_json()
    first = ["kind", "n", "accuracy", "ci", "macro_f1", "mcc", "per_class", "slices", "majority_rate", "latency_ms"]
    assert list(found)[:10] == first
    assert (found["kind"], found["n"], found["accuracy"], found["majority_rate"]) == ("classify", 4, 0.5, 0.5)
    assert found["ci"] == pytest.approx([0.15003898915, 0.84996101085])
    assert found["per_class"]["x"].items() >= {"precision": 1, "recall": 0.5, "f1": 2 / 3, "support": 2}.items()
    assert found["slices"]["s"].items() >= {"n": 3, "accuracy": 2 / 3}.items()
    assert found["latency_ms"] == {"p50": None, "p95": None, "n": 0}
    assert found["no_prediction"] == {"n": 1, "statuses": {"invalid_parse": 1}}
    assert found["confusion"] == {"labels": ["x", "y"], "counts": [[1, 1], [0, 1]], "no_prediction": [0, 1]}
    assert found["confused"] == [{"label": "x", "prediction": "y", "n": 1}]
    assert found["majority_label"] == "x" and found["calibration"] is None


def test_a_slice_of_one_has_no_interval():
    assert summarize(FOUR).as_json()["slices"]["t"] == {"n": 1, "accuracy": 1, "ci": None, "majority_rate": 1}


def test_the_order_of_lines_changes_nothing():
    records = model(80, np.random.default_rng(0))
    one, two = summarize(records, validation=records), summarize(records[::-1], validation=records[::-1])
    assert json.dumps(one.as_json(words.doubts(one))) == json.dumps(two.as_json(words.doubts(two)))


def test_nothing_and_one_are_no_figures():
    empty = summarize([])
    assert json.dumps(empty.as_json(words.doubts(empty)), allow_nan=False)
    assert empty.as_json()["accuracy"] is empty.as_json()["majority_rate"] is None
    assert words.headline(empty) == ["There is no prediction."]
    one = summarize([record("a", "x", "x")])
    assert one.as_json()["ci"] is None and "n = 1" in words.headline(one)[0]
    assert one.estimate("accuracy").reason.startswith("n = 1")


def test_clusters_stand_beside_the_plain_interval():
    records = [record(place, "x", "x" if place < 20 else "y", cluster=place // 4) for place in range(40)]
    found = summarize(records)
    wide, plain = found.as_json()["clusters"]["ci"], found.as_json()["ci"]
    assert wide[1] - wide[0] > 1.5 * (plain[1] - plain[0])
    assert any("10 clusters" in said for said in words.doubts(found))


def test_an_item_without_a_cluster_is_one_of_its_own():
    records = [record("1", "x", "x", cluster="2"), record("2", "x", "x"), record("3", "y", "x", cluster="2")]
    assert figures_of(records).clustered.clusters == 2


@pytest.mark.parametrize(
    ("predicted", "said"),
    [
        (["x"] * 60, "collapsed: every prediction is 'x'"),
        (["x"] * 58 + ["y"] * 2, "cannot tell it from always saying 'x'"),
        (["y"] * 58 + ["x"] * 2, "worse than always saying 'x'"),
    ],
)
def test_a_model_that_learned_nothing_is_named(predicted, said):
    gold = ["x"] * 40 + ["y"] * 20
    records = [record(i, g, p) for i, (g, p) in enumerate(zip(gold, predicted, strict=True))]
    assert any(said in doubt for doubt in words.doubts(summarize(records)))


def test_a_model_that_learned_something_is_not():
    records = [record(i, "xy"[i % 2], "xy"[i % 2]) for i in range(60)]
    assert words.doubts(summarize(records)) == []


def test_one_label_alone_is_told():
    records = [record(i, "x", "x") for i in range(40)]
    assert "all items have one label" in words.doubts(summarize(records))[0]
    assert summarize(records).as_json()["intervals"]["macro_f1"]["ci"] is None


def test_labels_of_the_task_that_never_occur_are_told():
    records = [record(i, "xy"[i % 2], "xy"[i % 2]) for i in range(60)]
    said = words.doubts(summarize(records, labels=["x", "y", "z"]))
    assert said == ["neither a label nor predicted here, and so in no mean: 'z'"]


def test_temperature_comes_from_validation_alone_and_mends_what_is_too_sure():
    rng = np.random.default_rng(1)
    validation, test = model(600, rng, 3.0), model(600, rng, 3.0)
    found = calibrated(test, validation)
    assert found.temperature.value == pytest.approx(3, rel=0.2) and found.temperature.n == 600
    assert found.after.ece.value < found.before.ece.value
    assert found.after.log_loss.mean < found.before.log_loss.mean
    assert found.before.ece.p_value < 0.01 < found.after.ece.p_value
    # The temperature does not move with what it is judged by.
    assert calibrated(test[:300], validation).temperature == found.temperature
    alone = calibrated(test)
    assert alone.temperature is alone.after is None


def test_a_temperature_changes_no_prediction():
    table = table_of(model(200, np.random.default_rng(2)))
    after = scaled(table.probabilities, 2.5)
    assert (after.argmax(axis=1) == table.probabilities.argmax(axis=1)).all()
    assert after.sum(axis=1) == pytest.approx(1)
    assert scaled(table.probabilities, 1.0) == pytest.approx(table.probabilities, abs=1e-12)
    assert log_loss(after, table.labels).size == 200


def test_items_may_have_options_of_their_own():
    records = [
        record("1", "apple", "apple", probabilities={"apple": 0.7, "pear": 0.3}),
        record("2", "tea", "milk", probabilities={"milk": 0.5, "tea": 0.3, "water": 0.2}),
    ]
    assert table_of(records).probabilities == pytest.approx(np.array([[0.7, 0.3, 0], [0.5, 0.3, 0.2]]))
    found = calibrated(records)
    assert found.before.brier.mean == pytest.approx((0.3**2 * 2 + 0.5**2 + 0.7**2 + 0.2**2) / 2)
    assert (found.before.accuracy, found.before.confidence) == (0.5, pytest.approx(0.6))


def test_predictions_that_thresholds_overruled_are_counted():
    records = [record(i, "x", "y", probabilities={"x": 0.8, "y": 0.2}) for i in range(3)]
    found = calibrated([*records, record("t", "x", "y", probabilities={"x": 0.5, "y": 0.5}), record("n", "x", "x")])
    assert (found.n, found.overruled, found.without) == (4, 3, 1)
    # Its confidence is still that of the most probable label, which is right.
    assert found.before.accuracy == 0.75


def test_a_label_of_probability_zero_has_no_log_loss():
    records = [record(i, "x", "y", probabilities={"x": 0.0, "y": 1.0}) for i in range(2)]
    found = calibrated(records, records)
    assert found.before.log_loss.mean is None and "probability of 0" in found.before.log_loss.reason
    assert found.temperature.value is None and "probability of 0" in found.temperature.reason
    missing = [record("1", "z", "x", probabilities={"x": 1.0})]
    assert "1 validation label has no probability" in temperature_of(missing).reason
    assert json.dumps(summarize(records, validation=records).as_json(), allow_nan=False)


def test_offsets_for_a_rare_class_are_fitted_on_validation_and_applied_elsewhere():
    rng = np.random.default_rng(3)
    validation, test = model(800, rng), model(800, rng)
    rare = fit(validation, ["positive"])
    moved = applied(test, rare)
    before, after = figures_of(test), figures_of(moved)
    assert after.classes["positive"].predicted > before.classes["positive"].predicted
    assert rare.offsets["positive"].after > rare.offsets["positive"].before
    assert [one.id for one in moved] == [one.id for one in test]
    assert rare.as_json()["positive"]["offset"] > 0
    assert summarize(moved).calibration.overruled > 0


def test_offsets_need_probabilities_of_all_labels():
    known = model(50, np.random.default_rng(4))
    with pytest.raises(InputError, match="no validation prediction has a probability of rude"):
        fit(known, ["rude"])
    with pytest.raises(InputError, match="no probabilities for a"):
        applied([record("a", "neutral", "neutral")], fit(known, ["neutral"]))
    with pytest.raises(InputError, match="the labels odd had no probability"):
        applied([record("a", "odd", "odd", probabilities={"odd": 1.0})], fit(known, ["neutral"]))


def test_latency_is_the_median_and_the_95_percent_quantile():
    found = latency_of([float(value) for value in range(1, 102)])
    assert (found.p50, found.p95, found.n) == (51, 96, 101)
    records = [record(i, "x", "x", latency_s=0.01 * (i + 1)) for i in range(3)]
    assert summarize(records).latency.p50 == pytest.approx(20)
    assert summarize(records, latencies_ms=[5.0]).latency.p50 == 5


def test_what_still_has_to_be_asked_leaves_the_run_incomplete():
    found = summarize([*FOUR, record("e", "x", None, status="provider_error")])
    assert not found.complete and "incomplete" in words.doubts(found)[0]


def test_nothing_predicted_is_no_single_prediction():
    found = summarize([record(place, "xy"[place % 2], None) for place in range(10)])
    assert found.figures.over_classes["mcc"].reason == "nothing was predicted, so that nothing can correlate"


def test_slices_count_clusters():
    records = [record(place, "x", "xy"[place // 4 % 2], cluster=place // 4, slices=["s"]) for place in range(40)]
    wide = figures_of(records).slices["s"].accuracy.ci
    plain = figures_of([record(place, "x", "xy"[place // 4 % 2], slices=["s"]) for place in range(40)]).slices["s"]
    assert wide[0] < plain.accuracy.ci[0] and plain.accuracy.ci[1] < wide[1]


def test_clusters_can_hide_whether_anything_was_learned():
    # 30 of 40 are right where always saying x would be right on 60 %: by items that is clearly more, by clusters not.
    gold = ["x"] * 24 + ["y"] * 16
    right = [place // 4 in (0, 1, 2, 3, 4, 5, 6, 7) for place in range(40)]
    said = [label if hit else "xy"[label == "x"] for label, hit in zip(gold, right, strict=True)]
    told = [
        "cannot tell it from always saying" in " ".join(words.doubts(summarize(rows)))
        for rows in (
            [record(place, gold[place], said[place]) for place in range(40)],
            [record(place, gold[place], said[place], cluster=place // 4) for place in range(40)],
        )
    ]
    assert told == [False, True]


def test_clusters_never_make_an_interval_narrower():
    # One right and one wrong in every cluster: these do not differ at all.
    records = [record(place, "x", "xy"[place % 2], cluster=place // 2) for place in range(40)]
    found = figures_of(records)
    low, high = found.accuracy.ci
    assert found.clustered.ci[1] - found.clustered.ci[0] != high - low
    assert found.careful[0] <= low and high <= found.careful[1]
    assert figures_of([record(place, "x", "x", cluster=1) for place in range(4)]).careful is None
