"""Reward models: batches change nothing, an answer is scored once, and a wrong head is refused."""

import asyncio
import json

import pytest

pytest.importorskip("torch")

from harness.errors import InputError, TooLong
from harness.models.cache import ReplyCache
from harness.models.meter import Meter
from harness.models.reward import RewardScorer
from judges.types import Prompt
from tests.command import environment, harness, world
from tests.tiny import checkpoint, reward

ANSWERS = ["soup", "a soup with leeks and rice", "bread", "the pan is hot and the bread is brown, so eat it", ""]
PROMPT = Prompt(id="p", turns=("name a dish",))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return reward(tmp_path_factory.mktemp("reward"))


def scorer(folder, cache=None, meter=None):
    return RewardScorer(
        spec="reward/tiny", base=folder, adapter=None, fingerprint="f", cache=cache, meter=meter or Meter()
    )


def score_all(who, answers=ANSWERS):
    async def work():
        return await asyncio.gather(*(who.score(PROMPT, (answer,)) for answer in answers))

    return asyncio.run(work())


def test_a_reward_is_the_model_s_own_output(model):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    plain = AutoModelForSequenceClassification.from_pretrained(model).eval()
    expected = []
    for answer in ANSWERS:
        chat = [{"role": "user", "content": "name a dish"}, {"role": "assistant", "content": answer}]
        ids = tokenizer.apply_chat_template(chat, tokenize=True, return_dict=True, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            expected.append(float(plain(input_ids=ids).logits[0, 0]))
    assert score_all(scorer(model)) == pytest.approx(expected, abs=1e-4)
    assert len({round(value, 3) for value in expected}) == len(ANSWERS)


def test_an_answer_is_scored_once_and_then_known(model, tmp_path):
    calls = []

    class Counting(RewardScorer):
        def _forward(self, rows):
            calls.append(len(rows))
            return super()._forward(rows)

    cache = ReplyCache(tmp_path / "cache")
    parts = {"spec": "reward/tiny", "base": model, "adapter": None, "fingerprint": "f", "meter": Meter()}
    first = score_all(Counting(**parts, cache=cache), ANSWERS * 3)
    assert sum(calls) == len(ANSWERS)
    assert score_all(Counting(**parts, cache=cache), ANSWERS * 3) == first
    assert sum(calls) == len(ANSWERS)
    cache.close()


def test_two_outputs_are_no_reward(tmp_path):
    with pytest.raises(InputError, match="a reward model has one output, this one has 2"):
        score_all(scorer(reward(tmp_path / "two", outputs=2)))


def test_a_language_model_has_no_reward_head(tmp_path):
    with pytest.raises(InputError, match=r"missing: score\.weight"):
        score_all(scorer(checkpoint(tmp_path / "lm")))


def test_an_answer_beyond_the_context_is_said(model):
    said = r"a conversation of \d+ tokens does not fit the reward model's 256$"
    with pytest.raises(TooLong, match=said) as raised:
        score_all(scorer(model), ["soup " * 300])
    assert (raised.value.tokens > 300, raised.value.max_tokens, raised.value.room) == (True, None, 256)


def test_a_reward_model_judges_a_run_in_any_order_alike(model, tmp_path):
    suite = world(tmp_path, 8, judges=f"[reward/{model}]")
    done = harness("run", suite, "--out", tmp_path / "run", "--json", env=environment(tmp_path))
    assert done.code in (0, 3), done.err
    result = done.json["judges"][f"reward/{model}"]
    assert (result["n"], result["consistency"], result["inconsistent"]) == (8, 1.0, 0)
    rows = [json.loads(line) for line in (tmp_path / "run" / "judgments.jsonl").read_text().splitlines()]
    by_order = {
        order: {r["id"]: r["preference"] for r in rows if r["order"] == order} for order in {r["order"] for r in rows}
    }
    first, second = by_order.values()
    assert first == pytest.approx(second, abs=1e-12)
    assert all(row["asked"] == {"order_blind": True} for row in rows)


def test_several_reward_models_judge_side_by_side(model, tmp_path):
    other = reward(tmp_path / "other", seed=4)
    suite = world(tmp_path, 6, judges=f"[reward/{model}, reward/{other}]")
    done = harness("run", suite, "--out", tmp_path / "run", "--json", env=environment(tmp_path))
    assert done.code in (0, 3), done.err
    rows = [json.loads(line) for line in (tmp_path / "run" / "judgments.jsonl").read_text().splitlines()]
    by_judge = {judge: [row["preference"] for row in rows if row["judge"] == judge] for judge in done.json["judges"]}
    assert [len(preferences) for preferences in by_judge.values()] == [12, 12]
    one, two = by_judge.values()
    assert sorted(one) != sorted(two)


def test_a_run_with_two_outputs_asks_nobody(tmp_path):
    two = reward(tmp_path / "two", outputs=2)
    suite = world(tmp_path, 4, judges=f"[control/first, reward/{two}]")
    done = harness("run", suite, "--out", tmp_path / "run", env=environment(tmp_path))
    assert done.code == 2
    assert "a reward model has one output, this one has 2; give another" in " ".join(done.err.split())
    assert not (tmp_path / "run").exists()


def test_a_template_that_refuses_a_conversation_is_said(tmp_path):
    from transformers import AutoTokenizer

    refusing = reward(tmp_path / "refusing")
    tokenizer = AutoTokenizer.from_pretrained(refusing)
    tokenizer.chat_template = tokenizer.chat_template + "{{ raise_exception('System role not supported') }}"
    tokenizer.save_pretrained(refusing)
    with pytest.raises(
        InputError, match=r"refuses a conversation: System role not supported; leave out what it cannot"
    ):
        score_all(scorer(refusing))


def test_a_model_without_a_template_reads_the_texts_as_they_are(tmp_path):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    plain = reward(tmp_path / "plain")
    tokenizer = AutoTokenizer.from_pretrained(plain)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(plain)
    (plain / "chat_template.jinja").unlink(missing_ok=True)
    model = AutoModelForSequenceClassification.from_pretrained(plain).eval()
    with torch.inference_mode():
        texts = [f"name a dish\n{answer}" for answer in ANSWERS]
        expected = [float(model(**tokenizer(text, return_tensors="pt")).logits[0, 0]) for text in texts]
    assert score_all(scorer(plain)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("tokens", "sizes"), [(100, [3, 7, 2]), (40, [1, 1, 1, 2, 3, 4]), (10, [1] * 12)])
def test_answers_of_like_length_are_read_together(tokens, sizes):
    from harness.models.reward import _batches

    lengths = [7, 30, 8, 12, 31, 13, 10, 33, 12, 9, 11, 14]
    found = _batches([(str(place), [0] * length) for place, length in enumerate(lengths)], tokens)
    assert [len(batch) for batch in found] == sizes
    flat = [len(ids) for batch in found for _, ids in batch]
    assert flat == sorted(lengths, reverse=True)
    assert all(len(batch) * len(batch[0][1]) <= tokens for batch in found if len(batch) > 1)
