"""Writing in batches: rows that have ended leave, and nothing of what the others say depends on it."""

import itertools
from collections.abc import Iterator

import pytest

pytest.importorskip("torch")

from harness.models.generating import LEAST_LEAVING, Row, batches, generate
from harness.models.sampler import RowSampler
from harness.models.weights import Device, load
from judges.types import Sampling
from tests import tiny

CPU = Device(name="cpu", dtype="float32")
WORDS = ["soup", "rice", "pan", "hot", "bread", "leeks", "one", "nine"]
ROWS = 40


@pytest.fixture(scope="module", params=tiny.FAMILIES)
def family(request, tmp_path_factory):
    """A model of a family and its tokenizer; one token in twelve ends an answer, so that answers end at any length."""
    model, tokenizer = load(tiny.family(tmp_path_factory.mktemp(request.param), request.param), None, CPU)
    model.generation_config.eos_token_id = list(range(0, len(tokenizer), 12))
    return model, tokenizer


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    model, tokenizer = load(tiny.family(tmp_path_factory.mktemp("one"), "llama"), None, CPU)
    model.generation_config.eos_token_id = list(range(0, len(tokenizer), 12))
    return model, tokenizer


def rows(tokenizer, temperature=0.0, count=ROWS):
    sampling = Sampling(temperature=temperature, max_tokens=24)
    texts = [" ".join(WORDS[place * step % 8] for step in range(1, 3 + place % 7)) for place in range(count)]
    return [Row(ids=tokenizer(text)["input_ids"], sampling=sampling, seed=seed) for seed, text in enumerate(texts)]


class Watched:
    """A model, and how many rows it was given at each call of `generate`, and whether with a cache."""

    def __init__(self, model):
        self._model, self.calls = model, []

    def __getattr__(self, name):
        return getattr(self._model, name)

    def generate(self, **given):
        self.calls.append((len(given["input_ids"]), "past_key_values" in given))
        return self._model.generate(**given)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_rows_leave_when_they_have_ended_and_nobody_says_anything_else(family, temperature):
    model, tokenizer = family
    asked = rows(tokenizer, temperature)
    watched = Watched(model)
    together = generate(watched, tokenizer, asked)
    assert together[::4] == [generate(model, tokenizer, [row])[0] for row in asked[::4]]
    sizes = [size for size, _ in watched.calls]
    assert sizes[0] == ROWS
    assert len(sizes) > 1
    assert all(later <= earlier - LEAST_LEAVING for earlier, later in itertools.pairwise(sizes))
    # What was read is never read again.
    assert all(cached for _, cached in watched.calls[1:])
    assert {reply.finish for reply in together} == {"stop", "length"}


def test_a_reply_is_what_transformers_writes_after_the_row_alone(llama):
    import torch

    model, tokenizer = llama
    ends = set(model.generation_config.eos_token_id) | {tokenizer.eos_token_id}
    replies = generate(model, tokenizer, rows(tokenizer))
    for row, reply in list(zip(rows(tokenizer), replies, strict=True))[::4]:
        ids = torch.tensor([row.ids])
        # A naive loop: the whole text is read again for every token.
        for _ in range(24):
            with torch.no_grad():
                following = model(input_ids=ids).logits[0, -1].argmax()
            if int(following) in ends:
                break
            ids = torch.cat([ids, following.view(1, 1)], dim=1)
        written = ids[0, len(row.ids) :]
        assert reply.text == tokenizer.decode(written, skip_special_tokens=True).strip()
        assert reply.usage.output_tokens == len(written)


def test_a_cache_that_cannot_be_handed_on_is_read_anew_once(llama):
    import torch
    from transformers import MambaConfig, MambaForCausalLM

    _, tokenizer = llama
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"vocab_size": len(tokenizer), "hidden_size": 32, "state_size": 8, "num_hidden_layers": 2}
        model = MambaForCausalLM(MambaConfig(**sizes, initializer_range=0.5, pad_token_id=0, eos_token_id=1)).eval()
    model.generation_config.eos_token_id = list(range(0, len(tokenizer), 12))
    watched = Watched(model)
    together = generate(watched, tokenizer, rows(tokenizer))
    assert [cached for _, cached in watched.calls] == [False, False]
    assert together[::4] == [generate(model, tokenizer, [row])[0] for row in rows(tokenizer)[::4]]


def test_a_checkpoint_with_a_cache_of_its_own_kind_keeps_its_rows_together(llama):
    model, tokenizer = llama
    expected = generate(model, tokenizer, rows(tokenizer))
    model.generation_config.cache_implementation = "static"
    try:
        watched = Watched(model)
        assert generate(watched, tokenizer, rows(tokenizer)) == expected
    finally:
        model.generation_config.cache_implementation = None
    assert len(watched.calls) == 1


def test_what_a_checkpoint_would_forbid_by_default_is_not_forbidden(llama):
    model, tokenizer = llama
    expected = generate(model, tokenizer, rows(tokenizer))
    defaults = {"repetition_penalty": 5.0, "no_repeat_ngram_size": 1, "min_new_tokens": 10, "top_k": 3}
    was = {name: getattr(model.generation_config, name) for name in defaults}
    model.generation_config.update(**defaults)
    try:
        assert generate(model, tokenizer, rows(tokenizer)) == expected
    finally:
        model.generation_config.update(**was)


def test_a_model_that_never_ends_writes_all_it_may(llama):
    model, tokenizer = llama
    ends, eos = model.generation_config.eos_token_id, tokenizer.eos_token
    model.generation_config.eos_token_id = tokenizer.eos_token = None
    try:
        replies = generate(model, tokenizer, rows(tokenizer, count=10))
    finally:
        model.generation_config.eos_token_id, tokenizer.eos_token = ends, eos
    assert {(reply.finish, reply.usage.output_tokens) for reply in replies} == {("length", 24)}


def test_a_row_that_goes_on_keeps_its_own_draws():
    import torch

    scores = torch.zeros(3, 50)
    whole, part = (RowSampler([1, 2, 3], 1.0, None, "cpu") for _ in range(2))
    assert torch.equal(whole(None, scores), part(None, scores))
    part.keep([2, 0])
    assert torch.equal(whole(None, scores)[[2, 0]], part(None, scores[:2]))


@pytest.mark.parametrize(("device", "most"), [("cpu", 128), ("cuda", 221), ("mps", 221)])
def test_an_accelerator_writes_as_many_rows_together_as_tokens_allow(device, most):
    sampling = Sampling(temperature=0.0, max_tokens=48)
    asked = [Row(ids=[0] * 26, sampling=sampling) for _ in range(500)]
    found: Iterator[list[Row]] = batches(asked, lambda row: row, device)
    assert max(map(len, found)) == most


@pytest.mark.chaos
def test_the_benchmark_s_three_ways_say_the_same(tmp_path):
    from judges.types import Prompt
    from tests.bench.generation import Subject, measured, rows

    model, tokenizer = load(tiny.checkpoint(tmp_path / "tiny"), None, CPU)
    prompts = tuple(Prompt(id=word, turns=(f"a {word} with rice",)) for word in WORDS[:3])
    found = measured(Subject(model=model, tokenizer=tokenizer, prompts=prompts), rounds=6, sizes=(2,))
    assert (found.equal, found.same_work, found.size) == (1.0, 1.0, 2)
    lines = {row.what: row.figure for row in rows("tiny", found, CPU)}
    assert lines["tiny: answers equal to one at a time (float32)"] == "100.0 %"
    assert sum("ratio" in what for what in lines) == 2
