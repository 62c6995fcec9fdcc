"""A suite while training: looked at when due, greedy, with its interval said, and without moving a single weight."""

import json
import re
from collections.abc import Iterator

import pytest

pytest.importorskip("torch")

from harness import checkpoint
from harness.errors import InputError, RunStopped
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
    (folder / "suite.yaml").write_text(json.dumps(keys))


def evaluated(folder, base, **more):
    write_suite(folder)
    return recipe(folder, base, answers(60), **merged(EVALUATED, more))


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
