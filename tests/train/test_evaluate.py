"""A suite while training: looked at when due, greedy, with its interval said, and without moving a single weight."""

import json
import re
from collections.abc import Iterator

import pytest

pytest.importorskip("torch")

from harness import checkpoint
from harness.errors import InputError, RunStopped
from harness.launch import Options
from harness.perplexity import verb as losses
from harness.suite import load as load_suite
from tests.harness.scoring.made import grading
from tests.loopback import Loopback, policy
from tests.published import write_lines
from tests.train.small import WORDS, answers, merged, recipe, rows_of, same, train
from train.build import Yard, built
from train.recipe import load

PROMPTS = 12
JUDGE = "openai/reader"
EVALUATED = {
    "data": {"files": ["data.jsonl"], "validation": {"share": 0.2}},
    "training": {"epochs": 3},
    "save": {"every": 5},
    "evaluate": {"suite": "suite.yaml", "limit": 6},
}


class Reader:
    """A judge that likes words it knows, and notices an answer that this dish never got: a damaged copy."""

    def __init__(self):
        self._met = set()

    def __call__(self, request):
        if grading(request):
            return {"rating": 1 + sum(word in WORDS for text in policy.texts(request) for word in text.split()) % 10}
        (dish,) = set(re.findall(r"dish \d+", "\n".join(policy.texts(request))))
        shown = policy.shown_answers(request)
        met = [(dish, text) in self._met for text in shown]
        if met[0] != met[1]:
            return {"winner": "A" if met[0] else "B"}
        self._met.update((dish, text) for text in shown)
        known = [sum(word in WORDS for word in text.split()) for text in shown]
        return {"winner": "Tie" if known[0] == known[1] else "A" if known[0] > known[1] else "B"}


@pytest.fixture(autouse=True)
def world(tmp_path, monkeypatch) -> Iterator[None]:
    with Loopback(policy=Reader()) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "key")
        monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
        yield


def write_suite(folder, **more):
    """Requests of two categories."""
    prompts = [
        {"id": str(n), "prompt": f"tell of dish {n}", "category": "even" if n % 2 else "odd"} for n in range(PROMPTS)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder / "prompts.jsonl", prompts)
    keys = {
        "name": "look",
        "prompts": "prompts.jsonl",
        "judges": [JUDGE],
        "sampling": {"temperature": 1.0, "max_tokens": 12},
        **more,
    }
    kept = {name: value for name, value in keys.items() if value is not None}
    (folder / "suite.yaml").write_text(json.dumps(kept))


def evaluated(folder, base, **more):
    write_suite(folder)
    return recipe(folder, base, answers(60), **merged(EVALUATED, more))


@pytest.mark.chaos
def test_each_look_is_a_run_of_its_own_greedy_and_limited(tmp_path, base):
    made = train(evaluated(tmp_path, base))
    looks = sorted(path.name for path in (made / "evaluations").iterdir())
    assert looks == [
        "step-10",
        "step-15",
        "step-20",
        "step-25",
        "step-30",
        "step-35",
        "step-36",
        "step-36-whole",
        "step-5",
    ]
    run = json.loads((made / "evaluations/step-5/manifest.json").read_text())
    assert run["complete"]
    assert run["suite"]["sampling"]["temperature"] == 0
    assert len(run["suite"]["prompts"]) == 6
    assert {prompt["category"] for prompt in run["suite"]["prompts"]} == {"even", "odd"}
    whole = json.loads((made / "evaluations/step-36-whole/summary.json").read_text())
    assert whole["n_prompts"] == PROMPTS


def test_looking_moves_no_weight(tmp_path, base):
    looked = train(evaluated(tmp_path / "a", base, lora={"dropout": 0.1}))
    unseen = train(evaluated(tmp_path / "b", base, lora={"dropout": 0.1}, evaluate=None))
    assert same(looked, unseen)


def test_history_and_manifest_hold_the_win_rate_and_its_interval(tmp_path, base):
    made = train(evaluated(tmp_path, base))
    looks = [row for row in rows_of(made) if "win_rate" in row]
    assert [row["step"] for row in looks] == [5, 10, 15, 20, 25, 30, 35, 36]
    summary = json.loads((made / "evaluations/step-10/summary.json").read_text())["judges"][JUDGE]
    assert looks[1]["win_rate"] == summary["win_rate"]
    assert [looks[1]["win_rate_low"], looks[1]["win_rate_high"]] == summary["ci"]
    whole = json.loads((made / "evaluations/step-36-whole/summary.json").read_text())["judges"][JUDGE]
    assert checkpoint.read(made).metrics["whole_win_rate"] == whole["win_rate"]


@pytest.mark.chaos
def test_the_log_says_how_little_a_limited_look_saw(tmp_path, base):
    lines = []
    path = evaluated(tmp_path, base)
    yard = Yard(checkpoints=tmp_path / "made", on_progress=lambda *_: None, say=lines.append)
    built(load(path), yard, resume=False)
    assert any("over 6 of 12 prompts (95 % " in line and "points either way" in line for line in lines)
    assert lines[-1].startswith("what is kept: win rate")
    assert "all 12 prompts" in lines[-1]


def test_early_stopping_on_the_win_rate_puts_the_best_back(tmp_path, base):
    stopping = {"metric": "win_rate", "patience": 2, "min_difference": 0.4}
    made = train(
        evaluated(tmp_path, base, early_stopping=stopping, save={"every": 5, "keep": 9}, training={"epochs": 9})
    )
    manifest = checkpoint.read(made)
    looks = {row["step"]: row["win_rate"] for row in rows_of(made) if "win_rate" in row}
    best = max(looks, key=lambda step: (looks[step], -step))
    assert manifest.steps_done < manifest.steps_planned
    assert manifest.ended == "win_rate did not improve by more than 0.4 for 2 looks"
    assert manifest.weights_step in (best, None)
    assert (made / f"evaluations/step-{best}-whole").is_dir()
    assert same(made, made / f"checkpoint-{best}")


@pytest.mark.chaos
def test_the_baseline_is_the_base_unless_suite_or_recipe_name_another(tmp_path, base):
    made = train(evaluated(tmp_path / "a", base))
    run = json.loads((made / "evaluations/step-5/manifest.json").read_text())
    assert run["baseline"]["text"] == f"hf/{base}"
    recipe(tmp_path / "b", base, answers(60), file="other.yaml", name="other")
    made = train(evaluated(tmp_path / "b", base, evaluate={"baseline": "recipe/other.yaml"}))
    run = json.loads((made / "evaluations/step-5/manifest.json").read_text())
    assert run["baseline"]["rest"].startswith(f"{base}+")


def test_a_judge_without_a_key_is_a_problem_that_costs_no_saved_step(tmp_path, base, monkeypatch):
    path = evaluated(tmp_path, base)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        train(path)
    assert not list((tmp_path / "made").glob("*/checkpoint-*"))


@pytest.mark.chaos
def test_a_look_that_nobody_can_judge_is_said_and_passed_over(tmp_path, base):
    path = evaluated(tmp_path, base, training={"epochs": 1})
    write_suite(tmp_path, judges=["control/first"])
    lines = []
    yard = Yard(checkpoints=tmp_path / "made", on_progress=lambda *_: None, say=lines.append)
    made = built(load(path), yard, resume=False).folder
    assert not any("win_rate" in row for row in rows_of(made))
    assert any("step 5: no judge of the suite counts" in line for line in lines)


def test_training_that_is_steered_by_a_suite_stops_where_nobody_can_judge_it(tmp_path, base):
    path = evaluated(tmp_path, base, early_stopping={"metric": "win_rate", "patience": 2})
    write_suite(tmp_path, judges=["control/first"])
    with pytest.raises(RunStopped, match="no judge of the suite counts"):
        train(path)


@pytest.mark.chaos
def test_a_look_knows_what_the_training_itself_has_seen(tmp_path, base):
    path = evaluated(tmp_path, base)
    shown = [{"prompt": f"tell of dish {n}", "response": "a soup with bread"} for n in range(PROMPTS)]
    write_lines(tmp_path / "data.jsonl", [*shown, *answers(60)])
    made = train(path)
    (whole,) = (made / "evaluations").glob("*-whole")
    summary = json.loads((whole / "summary.json").read_text())
    assert summary["leakage"]["exact"] > PROMPTS / 2
    report = next((made / "evaluations").glob("step-5/report.md")).read_text()
    assert "unfinished training: this is the model at step 5 of" in report


SCORED = {"kind": "score", "judges": [JUDGE]}
DOCUMENTS = {"kind": "perplexity", "judges": None, "prompts": "documents.jsonl", "sampling": None}


def gauged(folder, base, suite, **more):
    """A recipe that looks at a suite of another kind."""
    path = evaluated(folder, base, **more)
    rows = [
        {"id": str(n), "prompt": f"tell of dish {n}", "response": "a soup with leeks and rice", "category": str(n % 2)}
        for n in range(PROMPTS)
    ]
    write_lines(folder / "documents.jsonl", rows)
    write_suite(folder, **suite)
    return path


def told_by(path, folder):
    """Train, and return the checkpoint's folder with all that was said meanwhile."""
    lines = []
    yard = Yard(checkpoints=folder / "made", on_progress=lambda *_: None, say=lines.append)
    return built(load(path), yard, resume=False).folder, lines


def test_a_score_suite_gives_a_score_and_what_it_is_beside_the_base(tmp_path, base):
    made, lines = told_by(gauged(tmp_path, base, SCORED, training={"epochs": 1}), tmp_path)
    looks = {row["step"]: row for row in rows_of(made) if "score" in row}
    assert list(looks) == [5, 10, 12]
    run = json.loads((made / "evaluations/step-5/manifest.json").read_text())
    assert (run["complete"], len(run["suite"]["prompts"]), run["baseline"]["text"]) == (True, 6, f"hf/{base}")
    assert run["suite"]["sampling"]["temperature"] == 0
    found = json.loads((made / "evaluations/step-10/summary.json").read_text())
    own, moved = found["judges"][JUDGE], found["delta"][JUDGE]
    row = looks[10]
    assert (row["score"], row["score_n"], [row["score_low"], row["score_high"]]) == (own["mean"], 6, own["ci"])
    assert row["score_change"] == moved["difference"]
    whole = json.loads((made / "evaluations/step-12-whole/summary.json").read_text())
    assert whole["n_prompts"] == PROMPTS
    assert checkpoint.read(made).metrics["whole_score"] == whole["judges"][JUDGE]["mean"]
    assert re.search(
        r"step 5: score \d\.\d\d over 6 of 12 prompts \((95 % |no interval).* beside the baseline", lines[0]
    )
    assert lines[-1].startswith("what is kept: score") and "over all 12 prompts" in lines[-1]


@pytest.mark.chaos
def test_early_stopping_on_the_score_puts_the_best_back(tmp_path, base):
    more = {"early_stopping": {"metric": "score", "patience": 1, "min_difference": 0.5}, "training": {"epochs": 9}}
    made = train(gauged(tmp_path, base, SCORED, **more, save={"every": 5, "keep": 9}))
    manifest = checkpoint.read(made)
    looks = {row["step"]: row["score"] for row in rows_of(made) if "score" in row}
    best = max(looks, key=lambda step: (looks[step], -step))
    assert manifest.ended == "score did not improve by more than 0.5 for 1 looks"
    assert manifest.steps_done < manifest.steps_planned and same(made, made / f"checkpoint-{best}")


def test_a_perplexity_suite_gives_the_loss_that_a_run_of_its_own_gives(tmp_path, base):
    made, lines = told_by(gauged(tmp_path, base, DOCUMENTS, training={"epochs": 1}), tmp_path)
    looks = {row["step"]: row for row in rows_of(made) if "suite_loss" in row}
    assert list(looks) == [5, 10, 12]
    found = json.loads((made / "evaluations/step-10/summary.json").read_text())
    own, row = found["candidate"], looks[10]
    assert (row["suite_loss"], [row["suite_loss_low"], row["suite_loss_high"]]) == (own["loss"], own["ci"])
    assert (row["suite_loss_n"], row["suite_perplexity"]) == (6, own["perplexity"])
    assert row["suite_loss_change"] == found["delta"]["difference"] < 0
    assert "nats a token over 6 of 12 documents (95 %" in lines[0]
    # The same weights, opened from the disk as any run does.
    suite = tmp_path / "suite.yaml"
    options = Options(candidate=f"hf/{base}+{made}", limit=None)
    out = tmp_path / "again"
    assert losses.run(load_suite(suite), options, out=out, as_json=True, resolve=lambda spec, _: spec) == 0
    again = json.loads((out / "summary.json").read_text())["candidate"]["loss"]
    assert checkpoint.read(made).metrics["whole_suite_loss"] == pytest.approx(again, abs=1e-5)


@pytest.mark.chaos
def test_looking_at_losses_moves_no_weight(tmp_path, base):
    once = {"training": {"epochs": 1}, "lora": {"dropout": 0.1}}
    looked = train(gauged(tmp_path / "a", base, DOCUMENTS, **once))
    unseen = train(evaluated(tmp_path / "b", base, **once, evaluate=None))
    assert same(looked, unseen)


def test_a_training_that_is_steered_by_losses_keeps_the_lowest(tmp_path, base):
    stopping = {"metric": "suite_loss", "patience": 1, "min_difference": 5.0}
    path = gauged(tmp_path, base, DOCUMENTS, early_stopping=stopping, save={"every": 5, "keep": 9})
    made = train(path)
    looks = {row["step"]: row["suite_loss"] for row in rows_of(made) if "suite_loss" in row}
    # The second look is lower, by less than 5 nats: it ends the training, and its weights are the best.
    assert list(looks) == [5, 10] and looks[10] < looks[5]
    assert (checkpoint.read(made).steps_done, checkpoint.read(made).weights_step) == (10, None)
    assert same(made, made / "checkpoint-10")


def test_what_a_suite_cannot_do_while_training_is_said_before(tmp_path, base):
    cases = [
        (SCORED, {"early_stopping": {"metric": "win_rate", "patience": 1}}, "'look' measures; use 'score'"),
        ({}, {"early_stopping": {"metric": "score", "patience": 1}}, "'look' measures; use 'win_rate'"),
        (DOCUMENTS, {"evaluate": {"judges": [JUDGE]}}, "nobody judges a perplexity suite"),
        ({**SCORED, "judges": [JUDGE, "anthropic/x"]}, {}, "one judge's score is followed while training, found 2"),
        ({**SCORED, "judges": None}, {}, "neither the recipe nor 'look' names a judge"),
    ]
    for place, (suite, more, why) in enumerate(cases):
        path = gauged(tmp_path / str(place), base, suite, **more)
        with pytest.raises(InputError, match=why):
            load(path)


def test_documents_that_were_trained_on_are_said(tmp_path, base):
    path = gauged(tmp_path, base, DOCUMENTS, training={"epochs": 1})
    shown = [{"prompt": f"tell of dish {n}", "response": "a soup with bread"} for n in range(PROMPTS)]
    write_lines(tmp_path / "data.jsonl", [*shown, *answers(60)])
    _, lines = told_by(path, tmp_path)
    assert "of them stand in training data" in lines[-1]
