"""Real predictions through the real command, against figures that were computed independently."""

import json

import pytest

from tests.command import environment, harness
from tests.harness.contrast import made
from tests.published import DATA, lines, needs_data, reference, write_lines

pytestmark = needs_data

RECIPES = DATA / "recipe_mpr"
FILES = {
    "1b_zeroshot": "mpr_preds_1b_zeroshot",
    "1b_ft": "mpr_preds_1b_ft_80_10_10",
    "3b_zeroshot": "mpr_preds_3b_zeroshot",
    "3b_ft": "mpr_preds_3b_ft_80_10_10",
}


def questions():
    return {row["query"].strip(): row for row in json.loads((RECIPES / "500QA.json").read_text(encoding="utf-8"))}


def record(query, gold, predicted):
    types = questions_of[query]["query_type"]
    named = [name for name, is_one in types.items() if is_one]
    return {"id": query, "label": gold, "prediction": predicted, "slices": named}


questions_of = questions() if RECIPES.exists() else {}


def model_records(name):
    rows = lines(RECIPES / "predictions" / f"{FILES[name]}.jsonl")
    return [record(row["query"].strip(), row["gold_letter"], row["pred_letter"]) for row in rows]


def embedding_records():
    """The embedding's answers, option ids, as the letters that the same options had for the models."""
    chosen = {row["query"].strip(): row for row in lines(RECIPES / "predictions" / "emb_preds_80_10_10.jsonl")}
    found = []
    for row in lines(RECIPES / "predictions" / "test.jsonl"):
        query = row["text"].split("Question:\n")[1].split("\n\nOptions")[0].strip()
        letters = {text: letter for letter, text in (line.split(": ", 1) for line in options_in(row["text"]))}
        text = questions_of[query]["options"][chosen[query]["pred_id"]]
        found.append(record(query, row["label"], letters[text.strip()]))
    return found


def options_in(text):
    return [line.strip() for line in text.split("Options:\n")[1].split("\n\nAnswer")[0].splitlines()]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mpr")
    made_of = {name: model_records(name) for name in FILES} | {"gpt3_embedding_same50": embedding_records()}
    return {name: write_lines(folder / f"{name}.jsonl", records) for name, records in made_of.items()}


@pytest.mark.parametrize("pair", reference("recipe_mpr")["paired"] if RECIPES.exists() else [])
def test_the_published_pairs(files, tmp_path, pair):
    known = reference("recipe_mpr")
    b, a = pair.split(" vs ")
    done = harness("compare", files[a], files[b], "--json", env=environment(tmp_path))
    assert done.code == 0, done.err
    found = done.json
    counts = known["paired"][pair]
    assert (found["mcnemar"]["only_b"], found["mcnemar"]["only_a"]) == (counts["only_first"], counts["only_second"])
    assert found["mcnemar"]["p_value"] == pytest.approx(counts["exact_p"], abs=1e-6)
    for side, name in (("a", a), ("b", b)):
        model = known["models"][name]
        assert found[side]["n"] == model["n"] == 50
        assert found[side]["accuracy"] == pytest.approx(model["accuracy"], abs=1e-6)
        assert found[side]["ci"] == pytest.approx(model["wilson95"], abs=1e-6)
        for slice_, own in model["by_query_type"].items():
            assert found["slices"][slice_]["n"] == own["n"]
            assert found["slices"][slice_][side] == pytest.approx(own["accuracy"], abs=1e-6)
    assert set(found["slices"]) == set(known["query_type_counts"])
    assert found["difference"] == pytest.approx(found["b"]["accuracy"] - found["a"]["accuracy"], abs=1e-9)


@pytest.mark.parametrize(("a", "b", "h"), [(249, 329, 0.326), (328, 338, 0.042)])
def test_cohens_h_of_the_logs(tmp_path, a, b, h):
    one = made.predictions(tmp_path / "a.jsonl", [place < a for place in range(500)])
    two = made.predictions(tmp_path / "b.jsonl", [place < b for place in range(500)])
    found = harness("compare", one, two, "--json", env=environment(tmp_path)).json
    assert found["cohens_h"] == pytest.approx(h, abs=5e-4)
    assert (found["mcnemar"]["only_a"], found["mcnemar"]["only_b"]) == (0, b - a)
