"""Local models in score runs: answers turn by turn, rewards on a fixed scale, a judge's digits weighed."""

from __future__ import annotations

import json
import math

import pytest

from harness import verbs
from harness.errors import InputError
from harness.launch import Options
from tests import tiny
from tests.harness.scoring.made import suite
from tests.published import lines, write_lines

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two contestants, a judge with room for its template, and reward models with one and with two outputs."""
    folder = tmp_path_factory.mktemp("models")
    return {
        "new": tiny.checkpoint(folder / "new", seed=1),
        "old": tiny.checkpoint(folder / "old", seed=2),
        "judge": tiny.checkpoint(folder / "judge", seed=3, context=8192),
        "bare": tiny.checkpoint(folder / "bare", seed=3, context=8192, chat=False),
        "reward": tiny.reward(folder / "reward", seed=4),
        "two": tiny.reward(folder / "two", seed=4, outputs=2),
    }


@pytest.fixture
def kitchen(tmp_path, monkeypatch, capsys):
    """Runs a suite in this process, where the models' libraries are loaded once: exit code, object, messages."""
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def run(path, out, *judges, **options):
        given = Options(judges=tuple(judges), **options)
        code = verbs.run(str(path), given, out=tmp_path / out, as_json=True, resolve=lambda spec, _: spec)
        said = capsys.readouterr()
        return code, json.loads(said.out) if said.out else None, said.err

    return run


SHORT = "sampling: {max_tokens: 12}\n"


def _flat(path):
    return " ".join(path.read_text().replace("\\", "").split())


def test_rewards_are_kept_and_mapped_by_the_judge_s_own_numbers(models, kitchen, tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    spec = f"reward/{models['reward']}"
    path = suite(tmp_path, 4, judges=f"[{{spec: {spec}, center: 0.5, spread: 2}}]", more=SHORT)
    code, found, _ = kitchen(path, "run", candidate=f"hf/{models['new']}", baseline=f"hf/{models['old']}")
    assert code == 0
    tokenizer = AutoTokenizer.from_pretrained(models["reward"])
    model = AutoModelForSequenceClassification.from_pretrained(models["reward"]).eval()
    prompts = {row["id"]: row["turns"] for row in lines(tmp_path / "prompts.jsonl")}
    answers = {(r["id"], r["role"]): r["responses"] for r in lines(tmp_path / "run/responses.jsonl")}
    rows = [*lines(tmp_path / "run/scores.jsonl"), *lines(tmp_path / "run/scores_baseline.jsonl")]
    assert len(rows) == 16
    for row in rows:
        chat = []
        for asked, said in list(zip(prompts[row["id"]], answers[row["id"], row["role"]], strict=True))[: row["turn"]]:
            chat += [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
        ids = tokenizer.apply_chat_template(chat, tokenize=True, return_dict=True)["input_ids"]
        with torch.no_grad():
            raw = float(model(input_ids=torch.tensor([ids])).logits[0, 0])
        assert row["raw"] == pytest.approx(raw, abs=1e-4)
        assert row["score"] == pytest.approx(1 + 9 / (1 + math.exp(-(row["raw"] - 0.5) / 2)), abs=1e-9)
    assert found["judges"][spec]["scale"] == [1, 10]
    asking = json.loads((tmp_path / "run/manifest.json").read_text())["judges"][0]["asking"]
    assert (asking["center"], asking["spread"]) == (0.5, 2)
    assert (
        "1 + 9 · logistic((reward − 0.5) / 2)"
        in (tmp_path / "run/report.html").read_text() + (tmp_path / "run/report.md").read_text()
    )


def test_a_run_is_not_gone_on_with_by_another_map(models, kitchen, tmp_path):
    path = suite(tmp_path, 2, judges=f"[{{spec: reward/{models['reward']}, center: 0.5}}]", more=SHORT)
    code, found, _ = kitchen(path, "run", candidate=f"hf/{models['new']}")
    (own,) = found["reward_maps"].values()
    assert (code, own["center"], own["spread"], own["grades"]) == (0, 0.5, 1.0, 4)
    scores, manifest = tmp_path / "run/scores.jsonl", tmp_path / "run/manifest.json"
    scores.write_text(scores.read_text().split("\n")[0] + "\n")
    made = json.loads(manifest.read_text())
    assert made["judges"][0]["asking"]["spread"] == 1.0
    made["judges"][0]["asking"]["center"] = 3.0
    manifest.write_text(json.dumps(made))
    with pytest.raises(InputError, match=r"1 grade by reward/.* is of another map, .*start a new run"):
        verbs.resume(tmp_path / "run", concurrency=2, as_json=True)


def test_the_same_answer_has_the_same_grade_in_another_run(models, kitchen, tmp_path):
    # Fixed by the reward model, never fitted to the answers at hand.
    spec = f"reward/{models['reward']}"
    path = suite(tmp_path, 4, more=SHORT)
    kitchen(path, "all", spec, candidate=f"hf/{models['new']}")
    kitchen(path, "two", spec, candidate=f"hf/{models['new']}", limit=2)
    whole, part = (
        {(r["id"], r["turn"]): r["score"] for r in lines(tmp_path / n / "scores.jsonl")} for n in ("all", "two")
    )
    assert len(part) == 4
    assert part.items() <= whole.items()


def test_a_local_judge_s_digits_are_weighed_and_named_as_a_mode_of_their_own(models, kitchen, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from judges.template import load
    from judges.types import Exhibit, Prompt

    spec = f"hf/{models['judge']}"
    path = suite(tmp_path, 3, judges=f"[{spec}]", more=SHORT + "judge_mode: verdict_token\n")
    code, found, _ = kitchen(path, "run", candidate=f"hf/{models['new']}")
    assert (code, found["judges"][spec]["n"], found["judges"][spec]["scale"]) == (0, 3, [1, 10])
    tokenizer = AutoTokenizer.from_pretrained(models["judge"])
    model = AutoModelForCausalLM.from_pretrained(models["judge"]).eval()
    prompts = {row["id"]: row for row in lines(tmp_path / "prompts.jsonl")}
    answers = {r["id"]: r["responses"] for r in lines(tmp_path / "run/responses.jsonl")}
    template = load("grade_token")
    digits = [tokenizer(str(digit), add_special_tokens=False)["input_ids"][0] for digit in range(10)]
    for row in lines(tmp_path / "run/scores.jsonl"):
        assert row["mode"] == "verdict-token"
        own = prompts[row["id"]]
        prompt = Prompt(id=row["id"], turns=tuple(own["turns"]), reference=tuple(own.get("reference", ())))
        shown = Exhibit(prompt=prompt, answers=tuple(answers[row["id"]][: row["turn"]]))
        chat = [{"role": m.role, "content": m.content} for m in template.grading(shown)]
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) + template.lead
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            shares = torch.softmax(model(input_ids=torch.tensor([ids])).logits[0, -1].double(), 0)[digits]
        expected = 1 + float((shares / shares.sum() * torch.arange(10)).sum())
        assert row["score"] == pytest.approx(expected, abs=1e-4)
        assert row["asked"]["mass"] == pytest.approx(float(shares.sum()), abs=1e-5)
    assert "verdict-token mode" in (tmp_path / "run/report.md").read_text()


def test_a_local_judge_in_writing_that_names_no_rating_is_counted(models, kitchen, tmp_path):
    path = suite(tmp_path, 2, more=SHORT + "judge_sampling: {max_tokens: 8}\n")
    code, found, _ = kitchen(path, "run", f"hf/{models['judge']}", candidate=f"hf/{models['new']}")
    own = found["judges"][f"hf/{models['judge']}"]
    # Random weights write nothing that is a rating, and are cut off at eight tokens.
    assert (code, own["n"], own["unscored"], sum(own["statuses"].values())) == (3, 0, 2, 4)
    assert set(own["statuses"]) <= {"invalid_parse", "truncated"}


def test_a_conversation_that_no_longer_fits_is_a_named_state_of_that_prompt_alone(models, kitchen, tmp_path):
    path = suite(tmp_path, 3, more="sampling: {max_tokens: 20}\n")
    rows = lines(tmp_path / "prompts.jsonl")
    rows[1]["turns"][1] = "And what about all the other dishes, one by one? " * 6
    write_lines(tmp_path / "prompts.jsonl", rows)
    reward = f"reward/{models['reward']}"
    code, found, err = kitchen(path, "run", reward, "rubric", candidate=f"hf/{models['new']}")
    assert (code, found["complete"], "error" in err) == (0, True, False)
    responses = {row["id"]: row for row in lines(tmp_path / "run/responses.jsonl")}
    endless = sum(row["finish"] == "length" or row.get("cut_off", False) for row in responses.values())
    assert (
        f"candidate: {endless} of 3 conversations were cut off at max_tokens and graded as they are" in found["notes"]
    )
    cut = responses["p01"]
    assert (cut["finish"], len(cut["responses"]), cut["too_long"]["turn"]) == ("error", 1, 2)
    assert cut["error"] == (f"turn 2: {cut['too_long']['tokens']} tokens and max_tokens 20 do not fit the model's 256")
    assert {len(responses[name]["responses"]) for name in ("p00", "p02")} == {2}
    grades = {(row["judge"], row["id"], row["turn"]): row for row in lines(tmp_path / "run/scores.jsonl")}
    assert len(grades) == 6 + 3
    lost = [key for key, row in grades.items() if row["status"] != "ok"]
    assert sorted(lost) == [(reward, "p01", 2), ("rubric", "p01", 2)]
    for key in lost:
        assert (grades[key]["score"], grades[key]["status"], grades[key]["error"]) == (None, "truncated", cut["error"])
    own = found["judges"][reward]
    assert (own["n"], own["unscored"], own["too_long"]) == (2, 1, {"unanswered": 1})
    # The earlier turn of that prompt is in the mean of its turn.
    firsts = [grades[reward, name, 1]["score"] for name in responses]
    assert own["turns"]["1"] == pytest.approx(sum(firsts) / 3)
    size = f"p01 (turn 2: {cut['too_long']['tokens']} tokens and max_tokens 20, room for 256)"
    said = (
        f"candidate: 1 of 3 conversations did not fit the model to the end, and were graded as far as they went: {size}"
    )
    assert said in found["notes"]
    assert "1 prompt of the candidate unscored (1 with no answer to grade)" in _flat(tmp_path / "run/report.md")


def test_a_run_with_a_conversation_that_no_longer_fits_is_resumed_to_the_same_bytes(models, kitchen, tmp_path, capsys):
    path = suite(tmp_path, 3, more="sampling: {max_tokens: 20}\n")
    rows = lines(tmp_path / "prompts.jsonl")
    rows[1]["turns"][1] = "And what about all the other dishes, one by one? " * 6
    write_lines(tmp_path / "prompts.jsonl", rows)
    kitchen(path, "run", "rubric", candidate=f"hf/{models['new']}")
    names = ("summary.json", "report.md", "responses.jsonl", "scores.jsonl")
    whole = {name: (tmp_path / "run" / name).read_bytes() for name in names}
    assert verbs.resume(tmp_path / "run", concurrency=4, as_json=True) == 0
    assert {name: (tmp_path / "run" / name).read_bytes() for name in names} == whole


def test_first_turns_that_do_not_fit_are_said_before_anything_is_generated(models, kitchen, tmp_path):
    path = suite(tmp_path, 3, more="sampling: {max_tokens: 250}\n")
    code, found, err = kitchen(path, "run", "rubric", candidate=f"hf/{models['new']}")
    assert (code, found) == (2, None)
    (said,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert "turn 1: " in said
    assert "and max_tokens 250 do not fit the model's 256, nor do 2 shorter ones: " in said
    assert {name in said for name in ("'p00'", "'p01'", "'p02'")} == {True}
    assert not (tmp_path / "run/responses.jsonl").exists()


@pytest.mark.parametrize("mode", ["verdict-token", "generation"])
def test_questions_that_do_not_fit_a_judge_are_counted_by_name(models, kitchen, tmp_path, mode):
    path = suite(tmp_path, 2, more=SHORT)
    judge = f"hf/{models['new']}"
    code, found, _ = kitchen(path, "run", judge, "rubric", candidate=f"hf/{models['old']}", judge_mode=mode)
    assert (code, found["complete"]) == (0, True)
    own = found["judges"][judge]
    assert (own["n"], own["unscored"], own["statuses"], own["too_long"]) == (0, 2, {"truncated": 4}, {"too_long": 4})
    assert found["judges"]["rubric"]["n"] == 2
    (said,) = [note for note in found["notes"] if judge in note and "questions" in note]
    assert "4 of 4 questions did not fit what it reads: p00, turn 1 (" in said
    assert "room for 256); p00, turn 2 (" in said
    assert said.endswith("or give a judge that reads more")
    for row in lines(tmp_path / "run/scores.jsonl"):
        if row["judge"] == judge:
            assert row["too_long"]["room"] == 256
            assert "not fit the model's 256" in row["error"]
    assert f"{judge}: 2 prompts of the candidate unscored (4 too long for the judge)" in _flat(
        tmp_path / "run/report.md"
    )


def test_an_answer_beyond_a_reward_model_s_reach_is_named_and_the_others_are_graded(models, kitchen, tmp_path):
    spec = f"reward/{models['reward']}"
    path = suite(tmp_path, 3, judges=f"[{spec}]")
    talks = [{"id": f"p{n:02d}", "responses": ["Bake it.", "word " * 200 if n == 1 else "Salad."]} for n in range(3)]
    write_lines(tmp_path / "long.jsonl", talks)
    code, found, _ = kitchen(path, "run", candidate=f"recorded/{tmp_path}/long.jsonl")
    own = found["judges"][spec]
    assert (code, own["n"], own["unscored"], own["statuses"]) == (0, 2, 1, {"ok": 5, "truncated": 1})
    (said,) = [note for note in found["notes"] if "questions" in note]
    assert f"{spec}: 1 of 6 questions did not fit what it reads: p01, turn 2 (" in said
    assert "room for 256" in said


def test_a_reward_head_of_another_shape_is_said_before_anything_is_asked(models, kitchen, tmp_path):
    path = suite(tmp_path, 2, more=SHORT)
    with pytest.raises(InputError, match="a reward model has one output, this one has 2; give another"):
        kitchen(path, "run", f"reward/{models['two']}", candidate=f"hf/{models['new']}")
    assert not (tmp_path / "run").exists()


def test_a_language_model_in_place_of_a_reward_model_is_said_before_anything_is_asked(models, kitchen, tmp_path):
    path = suite(tmp_path, 2, more=SHORT)
    with pytest.raises(InputError, match=r"holds no reward head \(missing: score\.weight\): it is a language model"):
        kitchen(path, "run", f"reward/{models['new']}", candidate=f"hf/{models['new']}")
    assert not (tmp_path / "run").exists()


def test_a_judge_without_a_chat_template_is_said_before_anything_is_asked(models, kitchen, tmp_path):
    path = suite(tmp_path, 2, more=SHORT)
    with pytest.raises(InputError, match="has no chat template, so it cannot be asked to judge"):
        kitchen(path, "run", f"hf/{models['bare']}", candidate=f"hf/{models['new']}")
    assert not (tmp_path / "run").exists()


def test_a_run_with_local_models_is_resumed_to_the_same_bytes(models, kitchen, tmp_path, capsys):
    path = suite(tmp_path, 4, more=SHORT)
    kitchen(path, "run", f"reward/{models['reward']}", "rubric", candidate=f"hf/{models['new']}")
    run = tmp_path / "run"
    whole = {name: (run / name).read_bytes() for name in ("summary.json", "report.md")}
    for name in ("responses.jsonl", "scores.jsonl"):
        (run / name).write_bytes((run / name).read_bytes()[:700])
    assert verbs.resume(run, concurrency=4, as_json=True) == 0
    assert {name: (run / name).read_bytes() for name in whole} == whole


def test_prompts_that_a_contestant_was_trained_on_are_named_and_close_a_gate(models, kitchen, tmp_path):
    import shutil

    from harness.leakage import FILE, TrainingExample, TrainingIndex

    trained = shutil.copytree(models["new"], tmp_path / "trained")
    seen = TrainingExample(file="t.jsonl", line=1, turns=("How is dish 1 made?", "And what goes with it?"))
    TrainingIndex.build([seen]).save(trained / FILE)
    path = suite(tmp_path, 4, more=SHORT)
    code, found, _ = kitchen(path, "run", "rubric", candidate=f"hf/{trained}")
    assert code == 0
    assert (
        found["leakage"] == {"exact": 1, "near": 3, "ids": ["p01", "p00", "p02", "p03"]}
        or "p01" in found["leakage"]["ids"]
    )
    assert "stood in training data" in " ".join((tmp_path / "run/report.md").read_text().split())
    given = Options(candidate=f"hf/{trained}", judges=("rubric",))
    out = tmp_path / "again"
    gated = verbs.run(str(path), given, out=out, as_json=True, resolve=lambda spec, _: spec, fail_on_leakage=True)
    assert gated == 1
