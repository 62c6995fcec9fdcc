"""`harness analyze predictions.jsonl` through the real command: published predictions, bad input, reports."""

import csv
import json

import pytest

from harness.classify.files import as_object, of_file
from harness.folder import as_json as json_text
from tests.command import environment, harness
from tests.harness.contrast.test_published_predictions import FILES, embedding_records, model_records
from tests.published import DATA, lines, needs_data, reference, write_lines

TWEETS = DATA / "tweets"


def analyzed(tmp_path, records):
    """The object that `harness analyze --json` prints; the command itself is run further down."""
    return json.loads(json_text(as_object(of_file(write_lines(tmp_path / "predictions.jsonl", records)))))


def holds(found, known):
    """That a summary's figures are those of a reference, to 1e-9."""
    near = {"abs": 1e-9}
    assert found["n"] == known["n"]
    assert found["accuracy"] == pytest.approx(known["accuracy"], **near)
    assert found["ci"] == pytest.approx(known["wilson95"], **near)
    for own, name in (("macro_f1", "macro_f1"), ("weighted_f1", "weighted_f1"), ("mcc", "mcc")):
        assert found[own] == pytest.approx(known[name], **near)
    assert found["balanced_accuracy"] == pytest.approx(known["macro_recall"], **near)
    assert found["confusion"]["labels"] == known["labels"]
    assert found["confusion"]["counts"] == known["confusion_rows_gold_cols_pred"]
    for label, figures in known["per_label"].items():
        own = found["per_class"][label]
        assert (own["precision"], own["recall"], own["f1"], own["support"]) == pytest.approx(
            (figures["precision"], figures["recall"], figures["f1-score"], figures["support"]), **near
        )


@needs_data
def test_the_published_stance_predictions(tmp_path):
    rows = lines(TWEETS / "stance_test_with_predictions.jsonl")
    records = [
        {"id": place, "label": row["stance"], "prediction": row["prediction"], "slices": [row["target"]]}
        for place, row in enumerate(rows)
    ]
    known = reference("tweets")["stance_test"]
    found = analyzed(tmp_path, records)
    holds(found, known)
    for target, own in known["per_target"].items():
        part = found["slices"][target]
        assert (part["n"], part["accuracy"]) == (own["n"], pytest.approx(own["accuracy"], abs=1e-9))
        assert part["ci"] == pytest.approx(own["wilson95"], abs=1e-9)


@needs_data
def test_the_published_sentiment_predictions(tmp_path):
    names = ("negative", "neutral", "positive")
    with (TWEETS / "sentiment_test_labels_and_predictions.tsv").open(encoding="utf-8") as file:
        records = [
            {"id": place, "label": names[int(row["label"])], "prediction": names[int(row["prediction"])]}
            for place, row in enumerate(csv.DictReader(file, delimiter="\t"))
        ]
    found = analyzed(tmp_path, records)
    holds(found, reference("tweets")["sentiment_test"])
    # Fewer than one in twenty of 12,284 items decides nothing here; the labels are far from rare.
    assert all(own["unsafe"] is None for own in found["intervals"].values())


@needs_data
def test_always_the_majority_of_the_airline_tweets_is_named_as_such(tmp_path):
    known = reference("tweets")["airline"]["majority_baseline_test"]
    rows = lines(TWEETS / "airline_test.jsonl")
    records = [{"id": row["row"], "label": row["sentiment"], "prediction": known["label"]} for row in rows]
    found = analyzed(tmp_path, records)
    assert found["accuracy"] == found["majority_rate"] == pytest.approx(known["accuracy"], abs=1e-9)
    assert found["ci"] == pytest.approx(known["wilson95"], abs=1e-9)
    assert found["macro_f1"] == pytest.approx(known["macro_f1"], abs=1e-9)
    assert found["mcc"] is None and "all predictions are one" in found["intervals"]["mcc"]["reason"]
    assert "collapsed: every prediction is 'negative'" in found["doubts"]


@needs_data
@pytest.mark.parametrize("name", [*FILES, "gpt3_embedding_same50"])
def test_the_published_recipe_predictions(tmp_path, name):
    records = embedding_records() if name not in FILES else model_records(name)
    known = reference("recipe_mpr")["models"][name]
    found = analyzed(tmp_path, records)
    assert (found["n"], found["accuracy"]) == (50, pytest.approx(known["accuracy"], abs=1e-9))
    assert found["ci"] == pytest.approx(known["wilson95"], abs=1e-9)
    assert found["majority_rate"] == max(reference("recipe_mpr")["gold_letter_counts"].values()) / 50
    for query_type, own in known["by_query_type"].items():
        part = found["slices"][query_type]
        assert (part["n"], part["accuracy"]) == (own["n"], pytest.approx(own["accuracy"], abs=1e-9))
        assert part["ci"] == pytest.approx(own["wilson95"], abs=1e-9)


def some(n=60):
    """Predictions of a model that is too sure, with probabilities, slices and times."""
    records = []
    for place in range(n):
        label = ("yes", "no", "perhaps")[place % 3]
        right = place % 4 != 0
        said = label if right else "yes" if label != "yes" else "no"
        others = [name for name in ("yes", "no", "perhaps") if name != said]
        chances = {said: 0.9, others[0]: 0.06, others[1]: 0.04}
        records.append({"id": place, "label": label, "prediction": said, "probabilities": chances})
        records[-1] |= {"slices": ["even" if place % 2 == 0 else "odd", "all"], "latency_s": 0.01, "note": "kept"}
    return records


def test_a_terminal_of_80_columns_and_the_reports(tmp_path):
    path = write_lines(tmp_path / "predictions.jsonl", some())
    done = harness("analyze", path, "--out", tmp_path / "out", env=environment(tmp_path))
    assert done.code == 0 and done.err == ""
    assert max(map(len, done.out.splitlines())) <= 80
    told = " ".join(done.out.split())
    for part in (
        "Right on 75 % of 60 items (95 % 63–84); always saying 'no' would be right on 33 %.",
        "by slice",
        "an item may be in several",
        "no temperature: it is fitted on validation predictions",
        "half of 60 items took at most 10 ms",
        "the probabilities are not calibrated (p < 0.001): on average more sure than right",
    ):
        assert part in told
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["kind"], summary["accuracy"]) == ("classify", 0.75)
    page = (tmp_path / "out" / "report.md").read_text()
    assert "## By class" in page and "| yes |" in page and "## Reliability before scaling" in page


def test_with_json_the_object_stands_alone(tmp_path):
    path = write_lines(tmp_path / "predictions.jsonl", some())
    done = harness("analyze", path, "--json", env=environment(tmp_path))
    assert done.code == 0 and done.err == "" and done.json == analyzed(tmp_path, some())


def test_a_label_cannot_become_markup(tmp_path):
    records = [{"id": i, "label": "[x](http://a) | <b>", "prediction": "y`z` | \x1b[31m"} for i in range(3)]
    path = write_lines(tmp_path / "predictions.jsonl", records)
    env = environment(tmp_path)
    assert harness("analyze", path, "--out", tmp_path / "out", env=env).out.count("\x1b") == 0
    page = (tmp_path / "out" / "report.md").read_text()
    assert "](http:" not in page and "| <b>" not in page and "\x1b" not in page


BAD = [
    ({"label": None}, "label: has to be given; null is neither an id nor a label"),
    (
        {"probabilities": {"yes": 0.7, "no": 0.2}},
        "the probabilities sum to 0.9, not to 1; give those of all labels",
    ),
    ({"probabilities": {}}, "the probabilities sum to 0, not to 1"),
    ({"probabilities": {"yes": 1.2, "no": -0.2}}, "probabilities.no: input should be greater than or equal to 0"),
    ({"probabilities": {"yes": float("nan")}}, "NaN is not JSON"),
    ({"latency_s": -1}, "latency_s: a time in seconds is a number from 0 up, found -1"),
    ({"id": 0}, "the key (0) stands already on line 1"),
    ({"slices": "odd"}, "slices: input should be a valid list"),
]


def test_every_bad_line_is_told_with_its_place(tmp_path):
    records = some(len(BAD) + 1)
    for place, (change, _) in enumerate(BAD, 1):
        records[place] |= change
    path = write_lines(tmp_path / "predictions.jsonl", records)
    done = harness("analyze", path, env=environment(tmp_path))
    assert done.code == 2 and done.out == ""
    for line, (_, said) in enumerate(BAD, 2):
        assert any(told.startswith(f"{path}:{line}: ") and said in told for told in done.err.splitlines()), said
    found = {int(told.removeprefix(f"{path}:").split(":")[0]) for told in done.err.splitlines()}
    assert found == {*range(2, len(BAD) + 2)}


def test_probabilities_that_are_written_rounded_pass(tmp_path):
    records = some(3)
    records[0]["probabilities"] = {"yes": 0.333, "no": 0.333, "perhaps": 0.333}
    assert analyzed(tmp_path, records)["calibration"]["n"] == 3


def test_predictions_wrong_by_their_spelling_are_told(tmp_path):
    records = [{"id": i, "label": "Yes", "prediction": " yes"} for i in range(4)]
    records += [{"id": f"n{i}", "label": "1", "prediction": "1.0"} for i in range(4)]
    notes = analyzed(tmp_path, records)["notes"]
    assert any("would be right but for capitals or spaces" in note for note in notes)
    assert any("only in how a number is written" in note for note in notes)


def test_two_files_are_two_models(tmp_path):
    one, two = (write_lines(tmp_path / f"{name}.jsonl", some(3)) for name in "ab")
    done = harness("analyze", one, two, env=environment(tmp_path))
    assert done.code == 2 and "`harness compare` holds two" in done.err


def test_what_belongs_to_comparisons_is_refused(tmp_path):
    path = write_lines(tmp_path / "predictions.jsonl", some(3))
    done = harness("analyze", path, "--equivalence", "0.1", env=environment(tmp_path))
    assert done.code == 2 and "predictions have neither" in done.err
