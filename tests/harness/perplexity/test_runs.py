"""Perplexity suites from the command line: run, resume, analyze, validate, and what can be wrong with one."""

import hashlib
import json
import math
import random
import shutil

import pytest

pytest.importorskip("torch")

import torch

from harness import verbs
from harness.errors import HarnessError
from harness.launch import Options
from harness.leakage import FILE, TrainingExample, TrainingIndex
from harness.validate import problems_in
from tests.command import Done, environment, harness
from tests.harness.leakage.made import manifest
from tests.published import write_lines
from tests.tiny import adapter, checkpoint, family

WORDS = ["a", "soup", "with", "leeks", "and", "rice", "count", "from", "one", "to", "nine", "the", "pan", "is", "hot"]


def documents(n=12):
    rng = random.Random(3)
    text = lambda count: " ".join(rng.choice(WORDS) for _ in range(count))  # noqa: E731
    found = []
    for place in range(n):
        if place % 2:
            found.append({"id": f"t{place}", "text": text(4 + 9 * place), "category": "texts"})
        else:
            asked = {"prompt": text(6), "response": text(3 + 5 * place)}
            found.append({"id": f"c{place}", **asked, "category": "chats", "cluster": place // 4})
    return found


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    checkpoint(folder / "a", seed=0, context=64)
    checkpoint(folder / "b", seed=1, context=64)
    checkpoint(folder / "plain", seed=0, context=64, chat=False)
    adapter(folder / "tuned", folder / "a")
    family(folder / "other", "qwen2")
    broken = shutil.copytree(folder / "b", folder / "broken")
    from safetensors.torch import load_file, save_file

    weights = load_file(broken / "model.safetensors")
    from transformers import AutoTokenizer

    token = AutoTokenizer.from_pretrained(broken)("nine")["input_ids"][0]
    weights["model.embed_tokens.weight"][token] = math.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    return folder


def suite(folder, models, *, lines=None, **keys):
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder / "d.jsonl", documents() if lines is None else lines)
    given = {"name": "dishes", "kind": "perplexity", "prompts": "d.jsonl", "candidate": f"hf/{models}/a"} | keys
    (folder / "s.yaml").write_text("".join(f"{key}: {value}\n" for key, value in given.items()))
    return folder / "s.yaml"


@pytest.fixture(scope="module")
def ran(tmp_path_factory, models):
    """A whole run of candidate and baseline."""
    folder = tmp_path_factory.mktemp("ran")
    env = environment(folder)
    path = suite(folder, models, baseline=f"hf/{models}/b", max_length=32, stride=12)
    done = harness("run", path, "--out", folder / "run", env=env)
    assert done.code == 0, done.err
    return folder / "run", env, done


@pytest.fixture
def measure(ran, monkeypatch, capsys):
    """`harness run` in this process, which has torch already, with the cache of the run above."""
    monkeypatch.setenv("HARNESS_CACHE_DIR", ran[1]["HARNESS_CACHE_DIR"])

    def run(path, out, fail_on_leakage=False, **options):
        capsys.readouterr()
        asked = Options(**options)
        kept = {"out": out, "as_json": False, "fail_on_leakage": fail_on_leakage}
        try:
            code = verbs.run(str(path), asked, resolve=lambda spec, moved: spec, **kept)
        except HarnessError as error:
            return Done(code=error.exit_code, out="", err=str(error))
        said = capsys.readouterr()
        return Done(code=code, out=said.out, err=said.err)

    return run


def lines(run, name="losses.jsonl"):
    return {row["id"]: row for row in map(json.loads, (run / name).read_text().splitlines())}


def naive(folder, document, max_length, stride):
    """(tokens, mean loss) of a document by one forward pass a token, written out from the model alone."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    if "text" in document:
        ids, first = tokenizer(document["text"])["input_ids"], 1
    else:
        asked = tokenizer(f"<|user|>{document['prompt']}<|end|><|assistant|>")["input_ids"]
        ids, first = [*asked, *tokenizer(f"{document['response']}<|end|>")["input_ids"]], len(asked)
    total = 0.0
    for place in range(first, len(ids)):
        begin = 0 if place < max_length else -(-(place - max_length + 1) // stride) * stride
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids[begin:place]])).logits[0, -1].double()
        total -= torch.log_softmax(logits, -1)[ids[place]].item()
    return len(ids) - first, total / (len(ids) - first)


def test_every_document_s_loss_is_that_of_the_naive_loop(ran, models):
    found = lines(ran[0])
    for document in documents():
        tokens, loss = naive(models / "a", document, 32, 12)
        assert found[document["id"]]["tokens"] == tokens
        assert found[document["id"]]["loss"] == pytest.approx(loss, abs=1e-5)


def test_the_summary_is_what_the_lines_say(ran):
    run, env, _ = ran
    found = json.loads((run / "summary.json").read_text())
    ours, theirs = lines(run), lines(run, "losses_baseline.jsonl")
    tokens = sum(row["tokens"] for row in ours.values())
    mean, other = (sum(row["nll"] for row in rows.values()) / tokens for rows in (ours, theirs))
    assert (found["kind"], found["n_prompts"], found["complete"]) == ("perplexity", 12, True)
    assert found["candidate"]["loss"] == pytest.approx(mean)
    assert found["candidate"]["perplexity"] == pytest.approx(math.exp(mean))
    assert found["delta"]["difference"] == pytest.approx(mean - other)
    assert found["delta"]["perplexity_ratio"] == pytest.approx(math.exp(mean - other))
    assert found["delta"]["n"] == 12
    assert list(found["categories"]) == ["chats", "texts"]
    assert harness("analyze", run, "--json", env=env).json == found


def test_the_report_says_what_was_counted(ran):
    run, _, done = ran
    flat = " ".join(done.out.split())
    assert max(map(len, done.out.splitlines())) <= 80
    assert "the response tokens of 6 conversations and all tokens of 6 texts" in flat
    assert "windows: 32 tokens, the next one begins 12 further on" in flat
    assert "on cpu in float32" in flat
    assert "small n (12 documents)" in flat
    assert flat[:60] in " ".join((run / "report.md").read_text().split())


def test_a_run_that_was_broken_off_goes_on_to_the_same_summary(ran, tmp_path):
    run, env, _ = ran
    again = shutil.copytree(run, tmp_path / "again")
    kept = (run / "losses_baseline.jsonl").read_text().splitlines(keepends=True)
    (again / "losses_baseline.jsonl").write_text("".join(kept[:3]) + kept[3][:20])
    manifest = json.loads((again / "manifest.json").read_text())
    (again / "manifest.json").write_text(json.dumps({**manifest, "complete": False, "seals": {}}))
    partial = harness("analyze", again, "--json", env=env).json
    assert (partial["complete"], partial["delta"]["n"]) == (False, 3)
    done = harness("resume", again, env={**env, "HARNESS_CACHE_DIR": str(tmp_path / "cold")})
    assert done.code == 0, done.err
    assert "the last line was torn; mended" in done.err
    found, expected = (json.loads((path / "summary.json").read_text()) for path in (again, run))
    assert found["delta"]["difference"] == pytest.approx(expected["delta"]["difference"], abs=1e-6)
    assert found["candidate"] == expected["candidate"]


def test_nothing_is_read_twice(measure, ran, tmp_path, models):
    path = suite(tmp_path, models, baseline=f"hf/{models}/b", max_length=32, stride=12)
    done = measure(path, tmp_path / "run")
    assert "24 cached" in done.err
    assert lines(tmp_path / "run") == lines(ran[0])


def test_another_window_is_another_loss(measure, ran, tmp_path, models):
    done = measure(suite(tmp_path, models), tmp_path / "run")
    assert "cached" not in done.err
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["suite"]["max_length"] == 64
    assert lines(tmp_path / "run")["t11"]["loss"] != lines(ran[0])["t11"]["loss"]


def test_an_edited_journal_is_said(ran, tmp_path):
    run, env, _ = ran
    again = shutil.copytree(run, tmp_path / "again")
    text = (again / "losses.jsonl").read_text().replace('"tokens": ', '"tokens":  ', 1)
    (again / "losses.jsonl").write_text(text)
    assert "losses.jsonl was edited or cut after the run" in " ".join(harness("analyze", again, env=env).out.split())


def test_an_adapter_and_a_draw(measure, tmp_path, models):
    path = suite(tmp_path, models, candidate=f"hf/{models}/a+{models}/tuned", baseline=f"hf/{models}/a")
    done = measure(path, tmp_path / "run", limit=4)
    assert "4 of the suite's 12 documents were measured, drawn by category" in " ".join(done.out.split())
    assert len(lines(tmp_path / "run")) == 4
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["delta"]["difference"] != 0


def test_other_tokenizers_are_compared_in_bits_per_byte(measure, tmp_path, models):
    done = measure(suite(tmp_path, models, baseline=f"hf/{models}/other"), tmp_path / "r")
    found = json.loads((tmp_path / "r" / "summary.json").read_text())
    assert found["delta"]["unit"] == "bits per byte"
    assert found["delta"]["perplexity_ratio"] is None
    ours, theirs = (
        sum(r["nll"] for r in lines(tmp_path / "r", f"losses{x}.jsonl").values()) for x in ("", "_baseline")
    )
    sizes = [found[role]["bytes"] for role in ("candidate", "baseline")]
    assert found["delta"]["difference"] == pytest.approx((ours / sizes[0] - theirs / sizes[1]) / math.log(2))
    doubts = done.out.split("what to doubt")[1].split()
    assert " ".join(doubts).startswith("the two models cut these documents into different tokens")


def test_broken_weights_are_named_and_never_averaged(measure, tmp_path, models):
    done = measure(suite(tmp_path, models, candidate=f"hf/{models}/broken"), tmp_path / "r")
    found = lines(tmp_path / "r")
    lost = [row for row in found.values() if row["status"] == "not_finite"]
    assert 0 < len(lost) < len(found)
    assert all(row["loss"] is None and row["nll"] is None for row in lost)
    text = " ".join(done.out.split())
    assert f"the loss of {len(lost)} document is not a number (a broken checkpoint" in text.replace("ments", "ment")
    summary = json.loads((tmp_path / "r" / "summary.json").read_text())
    assert summary["candidate"]["uncounted"] == len(lost)
    assert math.isfinite(summary["candidate"]["loss"])


def test_one_token_is_nothing_to_count(measure, tmp_path, models):
    path = suite(tmp_path, models, lines=[{"id": "x", "text": "a"}, {"id": "y", "text": "a soup"}])
    done = measure(path, tmp_path / "r")
    assert lines(tmp_path / "r")["x"]["status"] == "nothing_to_count"
    assert "the loss of 1 document has nothing to count" in " ".join(done.out.split())
    assert "n = 1: one document gives no interval" in " ".join(done.out.split())


def test_nothing_at_all_to_count_is_exit_3(measure, tmp_path, models):
    done = measure(suite(tmp_path, models, lines=[{"id": "x", "text": "a"}]), tmp_path / "r")
    assert done.code == 3
    assert "The candidate has no loss" in done.out


def test_names_cannot_steer_a_page(measure, tmp_path, models):
    rows = [{"id": "<script>x</script>```", "text": "a"}, {"id": "y", "text": "a soup"}]
    path = suite(tmp_path, models, lines=rows)
    assert measure(path, tmp_path / "r").code == 0
    assert "<script>" not in (tmp_path / "r" / "report.html").read_text()
    assert (tmp_path / "r" / "report.md").read_text().count("```") == 2


@pytest.mark.parametrize(
    ("keys", "options", "what"),
    [
        ({"max_length": 65}, {}, "max_length 65 is more than the 64 tokens 'hf/MODELS/a' reads; lower it"),
        ({"stride": 64}, {}, "stride 64 is not below max_length 64"),
        ({"candidate": "hf/MODELS/plain"}, {}, "its tokenizer has no chat template, which document 'c0' needs"),
        ({"candidate": "hf/MODELS/none"}, {}, "there is no checkpoint folder"),
        ({}, {"candidate": "openai/x"}, "'openai/x' does not show how likely it finds a given text"),
        ({}, {"baseline": "recorded/d.jsonl"}, "so it cannot be the baseline of a perplexity suite; give a local"),
        ({}, {"judges": ("rubric",)}, "--judge: a perplexity suite reads losses off given texts"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(measure, tmp_path, models, keys, options, what):
    named = {key: str(value).replace("MODELS", str(models)) for key, value in keys.items()}
    done = measure(suite(tmp_path, models, **named), tmp_path / "r", **options)
    assert done.code == 2
    assert what in done.err.replace(str(models), "MODELS")
    assert not list(tmp_path.glob("r/summary.json")) or "chat template" in what


@pytest.mark.parametrize(
    ("keys", "line", "what"),
    [
        ({"max_length": 1}, 5, "max_length: input should be greater than or equal to 2, found 1"),
        ({"max_length": 8, "stride": 8}, 6, "stride: it has to be below max_length (8)"),
        ({"loss_on": "answers"}, 5, "loss_on: input should be 'response' or 'all', found 'answers'"),
        ({"candidate": "openai/x"}, 4, "candidate: it does not show how likely it finds a given text"),
        ({"judges": "[rubric]"}, 5, "judges: a perplexity suite generates and judges nothing; remove the key"),
        ({"windows": 3}, 5, "unknown key 'windows'; known keys: name, kind"),
    ],
)
def test_what_is_wrong_with_a_suite_has_its_line(tmp_path, models, keys, line, what):
    [problem] = problems_in(suite(tmp_path, models, **keys), lambda path: None)
    assert f"s.yaml:{line}: {what}" in str(problem)


def test_validate_finds_what_is_wrong_with_documents(ran, tmp_path, models):
    rows = [{"id": "x", "text": "a"}, {"id": "y", "prompt": "a"}, {"id": "z", "text": ""}]
    done = harness("validate", suite(tmp_path, models, lines=rows), env=ran[1])
    assert "d.jsonl:2: has no response to measure" in done.out + done.err
    assert "d.jsonl:3: the text is empty" in done.out + done.err
    assert harness("validate", suite(tmp_path, models), env=ran[1]).code == 0


def test_a_dry_run_opens_nothing(ran, tmp_path, models):
    path = suite(tmp_path, models, candidate="hf/nowhere/at/all")
    found = harness("run", path, "--dry-run", "--json", env=ran[1]).json
    assert (found["n_prompts"], found["categories"]) == (12, {"chats": 6, "texts": 6})


def test_documents_in_the_suite_itself(measure, tmp_path, models):
    path = suite(tmp_path, models, prompts="[{text: a soup with rice}, {prompt: a, response: rice}]", loss_on="all")
    done = measure(path, tmp_path / "r")
    assert done.code == 0, done.err
    assert set(lines(tmp_path / "r")) == {"document 1", "document 2"}


def index(folder, *examples):
    """Have a checkpoint's folder hold the index of these training examples (the user's turns of each)."""
    rows = [TrainingExample(file="train.jsonl", line=line, turns=turns) for line, turns in enumerate(examples, 1)]
    TrainingIndex.build(rows).save(folder / FILE)
    manifest(folder, hashlib.sha256((folder / FILE).read_bytes()).hexdigest())


@pytest.fixture(scope="module")
def leaky(tmp_path_factory, models):
    """An adapter that was trained on one conversation and one text of the suite, and nearly on another text."""
    folder = tmp_path_factory.mktemp("leaky") / "leaky"
    adapter(folder, models / "a")
    known = {one["id"]: one for one in documents()}
    near = known["t9"]["text"].rsplit(" ", 2)[0]
    index(folder, (known["c2"]["prompt"].upper(),), (known["t3"]["text"],), (near,), ("something else altogether",))
    return folder


def test_documents_that_stand_in_training_data_are_said_and_counted_out(measure, ran, leaky, tmp_path, models):
    options = {"candidate": f"hf/{models}/a+{leaky}", "baseline": f"hf/{models}/b"}
    path = suite(tmp_path, models, max_length=32, stride=12)
    done = measure(path, tmp_path / "run", fail_on_leakage=True, **options)
    assert done.code == 1
    assert "leakage: 3 prompts stood in training data (2 word for word, 1 nearly): c2, t3 and t9" in done.err
    found = json.loads((tmp_path / "run/summary.json").read_text())
    leakage = found["leakage"]
    assert (leakage["exact"], leakage["near"], leakage["ids"]) == (2, 1, ["c2", "t3", "t9"])
    report = " ".join((tmp_path / "run/report.md").read_text().split())
    assert "3 documents stood in training data (3 in the candidate's: c2, t3 and t9)" in report
    # What is left is what a run without those documents says.
    rest = [one for one in documents() if one["id"] not in leakage["ids"]]
    clean = suite(tmp_path / "clean", models, lines=rest, max_length=32, stride=12)
    assert measure(clean, tmp_path / "clean-run", **options).code == 0
    alone = json.loads((tmp_path / "clean-run/summary.json").read_text())
    assert leakage["without_leaked"] == {name: alone[name] for name in ("candidate", "baseline", "delta")}
    assert f"without them the candidate's loss is {alone['candidate']['loss']:.3f}" in report


def test_of_a_model_without_an_index_leakage_cannot_be_ruled_out(measure, tmp_path, models):
    path = suite(tmp_path, models, max_length=32, stride=12)
    done = measure(path, tmp_path / "run")
    assert "the training data of the candidate are unknown" in " ".join(done.out.split())
    assert "leakage" not in json.loads((tmp_path / "run/summary.json").read_text())
    assert measure(path, tmp_path / "again", fail_on_leakage=True).code == 3


def test_a_run_of_losses_costs_nothing_and_refuses_what_is_no_amount(measure, tmp_path, models):
    path = suite(tmp_path, models, max_length=32, stride=12)
    assert measure(path, tmp_path / "run", max_cost=0.01).code == 0
    refused = measure(path, tmp_path / "other", max_cost=0.0)
    assert refused.code == 2 and "--max-cost is an amount in US dollars above 0" in refused.err
