"""Local models that are looked at where a verdict would stand: one row alone is the measure of every batch."""

import asyncio
import json
import random

import pytest

pytest.importorskip("torch")

from harness.errors import InputError, RunStopped, TooLong
from harness.models.cache import ReplyCache
from harness.models.judgechat import Chat
from harness.models.local import LocalModel
from harness.models.meter import Meter
from harness.models.nexttoken import NextToken
from judges.types import Message, Request, Sampling
from tests.command import environment, harness, world
from tests.tiny import adapter, checkpoint

MENU, LEAD = ("A", "B", "C"), "[["
WORDS = ("soup", "rice", "bread", "pan", "count", "leeks", "hot", "brown")
SHAPE = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 400,
    "initializer_range": 0.2,
    "pad_token_id": 0,
}
STRETCHED = {"rope_theta": 10000.0, "original_max_position_embeddings": 100, "partial_rotary_factor": 1.0}
HYBRID = {
    "head_dim": 8,
    "num_experts": 0,
    "decoder_sparse_step": 1000,
    "linear_num_value_heads": 2,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
}
# A config's class, the model's, and what is special: windows, places of its own, no keys and values to hand on.
ARCHITECTURES = {
    "llama": ("LlamaConfig", "LlamaForCausalLM", {}),
    "mistral": ("MistralConfig", "MistralForCausalLM", {"sliding_window": 20}),
    "gemma3": ("Gemma3TextConfig", "Gemma3ForCausalLM", {"head_dim": 8, "sliding_window": 16}),
    "gpt2": ("GPT2Config", "GPT2LMHeadModel", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 400}),
    "bloom": ("BloomConfig", "BloomForCausalLM", {"n_layer": 2, "n_head": 4}),
    "mamba": ("MambaConfig", "MambaForCausalLM", {}),
    "hybrid": ("Qwen3NextConfig", "Qwen3NextForCausalLM", HYBRID),
    "dynamic": (
        "LlamaConfig",
        "LlamaForCausalLM",
        {"max_position_embeddings": 100, "rope_parameters": {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 1e4}},
    ),
    "longrope": (
        "Phi3Config",
        "Phi3ForCausalLM",
        {
            "rope_parameters": {
                "rope_type": "longrope",
                "short_factor": [1.0] * 4,
                "long_factor": [4.0] * 4,
                **STRETCHED,
            }
        },
    ),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("base"), context=1024)


def local(base, *, cache=None, meter=None, kind=LocalModel, adapter=None):
    parts = {"spec": "hf/tiny", "base": base, "adapter": adapter, "fingerprint": "f"}
    return kind(**parts, cache=cache, meter=meter or Meter())


def request(user, system="name the better of two dishes " * 6):
    messages = (Message(role="system", content=system), Message(role="user", content=user))
    return Request(messages=messages, sampling=Sampling(temperature=0.0, max_tokens=1))


def comparisons(n=6, seed=0, words=30):
    """Both orders of n comparisons of uneven length, adjacent; requests of fewer than so many words."""
    rng = random.Random(seed)
    text = lambda most: " ".join(rng.choices(WORDS, k=rng.randrange(1, most)))  # noqa: E731
    asked = []
    for _ in range(n):
        ordered, a, b = text(words), text(40), text(40)
        asked += [request(f"{ordered} one {first} two {second} better") for first, second in ((a, b), (b, a))]
    return asked


def choose(model, requests, menu=MENU, lead=LEAD):
    async def work():
        return await asyncio.gather(*(model.choose(one, menu=menu, lead=lead) for one in requests))

    return asyncio.run(work())


def alone(base, asked, folder=None):
    """The same by transformers itself: one row, no padding, no cache."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModelForCausalLM.from_pretrained(base).eval()
    chat = [{"role": message.role, "content": message.content} for message in asked.messages]
    text = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) + LEAD
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        likely = torch.softmax(model(input_ids=ids).logits[0, -1].double(), dim=-1)
    return [float(likely[tokenizer(letter, add_special_tokens=False)["input_ids"][0]]) for letter in MENU]


def test_every_probability_is_that_of_one_row_alone(base):
    asked = comparisons()
    found = choose(local(base), asked)
    for one, choice in zip(asked, found, strict=True):
        expected = alone(base, one)
        assert choice.mass == pytest.approx(sum(expected), abs=1e-5)
        assert [choice.probabilities[letter] for letter in MENU] == pytest.approx(
            [value / sum(expected) for value in expected], abs=1e-5
        )
        assert sum(choice.probabilities.values()) == pytest.approx(1, abs=1e-12)
    assert len({round(choice.mass, 9) for choice in found}) == len(asked)


def test_company_and_order_change_nothing(base):
    asked = comparisons(8, seed=1)
    together = [dict(choice.probabilities) for choice in choose(local(base), asked)]
    shuffled = random.Random(0).sample(range(len(asked)), len(asked))
    mixed = choose(local(base), [asked[place] for place in shuffled])
    model = local(base)
    for place, choice in zip(shuffled, mixed, strict=True):
        assert dict(choice.probabilities) == pytest.approx(together[place], abs=1e-5)
        # One after another, the cached beginning kept in between.
        (again,) = choose(model, [asked[place]])
        assert dict(again.probabilities) == pytest.approx(together[place], abs=1e-5)


def model_of(name):
    import torch
    import transformers

    config, model, more = ARCHITECTURES[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shape = {**SHAPE, **more}
        return getattr(transformers, model)(getattr(transformers, config)(**shape)).eval()


def rows_of(rng, system):
    tokens = lambda least, most: [rng.randrange(3, 300) for _ in range(rng.randrange(least, most))]  # noqa: E731
    beginning, rows = [rng.randrange(3, 300) for _ in range(system)], []
    for _ in range(7):
        asked, a, b = tokens(5, 30), tokens(1, 40), tokens(1, 40)
        rows += [[*beginning, *asked, *first, 9, *second, 4] for first, second in ((a, b), (b, a))]
    return rows


@pytest.mark.parametrize("system", [40, pytest.param(0, marks=pytest.mark.chaos)])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_no_architecture_is_read_differently_in_a_batch(name, system):
    import torch

    model, rows = model_of(name), rows_of(random.Random(3), system)
    next_token, seen = NextToken(model), []
    for batch in next_token.batches(rows):
        for (index, _, _), likely in zip(
            batch, next_token.look(rows, [list(range(300))] * len(rows), batch), strict=True
        ):
            with torch.inference_mode():
                plain = torch.log_softmax(model(input_ids=torch.tensor([rows[index]])).logits[0, -1], dim=-1)
            assert likely == pytest.approx(plain.tolist(), abs=2e-5)
            seen.append(index)
    assert sorted(seen) == list(range(len(rows)))


@pytest.mark.parametrize(("name", "tokens"), [("llama", 0.62), ("mistral", 0.8), ("mamba", 1.0)])
def test_what_is_shared_is_read_once(name, tokens):
    model, rows = model_of(name), rows_of(random.Random(3), 40)
    read = []
    hook = lambda _, given, kinds: read.append(kinds["input_ids"].numel())  # noqa: E731
    handle = model.register_forward_pre_hook(hook, with_kwargs=True)
    next_token = NextToken(model)
    for batch in next_token.batches(rows):
        next_token.look(rows, [[5]] * len(rows), batch)
    handle.remove()
    padded = max(map(len, rows)) * len(rows)
    assert sum(read) <= tokens * padded + 40


def test_both_orders_stand_in_one_batch(base):
    batches = []

    class Watched(LocalModel):
        def _open(self):
            model, tokenizer, chat, next_token = super()._open()
            planned = next_token.batches
            next_token.batches = lambda rows: batches.extend(planned(rows)) or batches
            return model, tokenizer, chat, next_token

    choose(local(base, kind=Watched), comparisons(40, words=90))
    of = {index: number for number, batch in enumerate(batches) for index, _, _ in batch}
    assert len(batches) > 1
    assert all(of[place] == of[place + 1] for place in range(0, 80, 2))


def test_a_look_is_kept_apart_from_what_was_written(base, tmp_path):
    cache, meter = ReplyCache(tmp_path / "cache"), Meter()
    asked = request("soup or rice")
    (first,) = choose(local(base, cache=cache), [asked])
    model = local(base, cache=cache, meter=meter)
    written = asyncio.run(model.ask(asked))
    assert meter.hits == 0
    (again,) = choose(model, [asked])
    assert (again.probabilities, again.mass, again.cached, meter.hits) == (first.probabilities, first.mass, True, 1)
    assert asyncio.run(model.ask(asked)).text == written.text
    choose(model, [asked], menu=("A", "B"))
    choose(model, [asked], lead="[")
    assert meter.hits == 2
    assert cache.verify() == []
    cache.close()


def test_a_look_writes_nothing(base):
    (choice,) = choose(local(base), [request("soup or rice")])
    assert (choice.usage.output_tokens, choice.reply, choice.finish) == (0, None, "stop")
    assert choice.usage.input_tokens > 0


def test_an_adapter_is_looked_at_too(base, tmp_path):
    tuned = adapter(tmp_path / "adapter", base)
    asked = comparisons(2)
    assert choose(local(base, adapter=tuned), asked) != choose(local(base), asked)


def normalised(base, folder, given, written):
    """The checkpoint with a tokenizer that writes one thing for another."""
    import shutil

    from tokenizers import normalizers
    from transformers import AutoTokenizer

    shutil.copytree(base, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(given, written)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("given", "written", "said"),
    [
        ("B", "ᴮ", r"^hf/tiny: the tokenizer splits the verdict token 'B' into 3; use mode: generation$"),
        ("[[C", "x", "^hf/tiny: the tokenizer joins the verdict token 'C' with what stands before it; use mode"),
        ("B", "A", r"^hf/tiny: the tokenizer writes two of the verdicts A, B, C as the same token; use mode"),
    ],
)
def test_a_verdict_that_is_no_token_of_its_own_is_said(base, tmp_path, given, written, said):
    odd = normalised(base, tmp_path / "odd", given, written)
    with pytest.raises(InputError, match=said):
        choose(local(odd), [request("soup or rice")])


def test_thinking_is_switched_off_or_ended(base):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    plain = tokenizer.chat_template
    asked = request("soup").messages
    for more, ending in (
        ("{{ '<think>\n' }}", "<think>\n\n</think>\n\n[["),
        ("{% if enable_thinking is defined and not enable_thinking %}{{ 'quiet ' }}{% endif %}", "quiet [["),
    ):
        tokenizer.chat_template = plain + more
        ids, _ = Chat(tokenizer, "hf/tiny").before_verdict(asked, LEAD, MENU)
        assert tokenizer.decode(ids).endswith(f"<|assistant|>{ending}")


def test_a_comparison_that_does_not_fit_is_said(base):
    with pytest.raises(TooLong, match=r"^hf/tiny: a question of 1,\d{3} tokens does not fit the model's 1,024$"):
        choose(local(base), [request("soup " * 1200)])


def test_a_batch_that_does_not_fit_is_halved(base):
    import torch

    class Small(LocalModel):
        most = 3

        def _open(self):
            model, tokenizer, chat, next_token = super()._open()
            look = next_token.look

            def small(rows, wanted, batch):
                if len(batch) > self.most:
                    raise torch.OutOfMemoryError("CUDA out of memory")
                return look(rows, wanted, batch)

            next_token.look = small
            return model, tokenizer, chat, next_token

    class None_(Small):
        most = 0

    asked = comparisons(4)
    for ours, whole in zip(choose(local(base, kind=Small), asked), choose(local(base), asked), strict=True):
        assert dict(ours.probabilities) == pytest.approx(dict(whole.probabilities), abs=1e-5)
    with pytest.raises(RunStopped, match="out of memory on one comparison alone"):
        choose(local(base, kind=None_), asked)


def test_a_whole_run_is_looked_at(tmp_path):
    judge = checkpoint(tmp_path / "judge", context=4096)
    suite = world(tmp_path, 4, judges=f"[hf/{judge}]\njudge_mode: verdict-token")
    env = environment(tmp_path)
    done = harness("run", suite, "--out", tmp_path / "run", "--json", env=env)
    assert done.code in (0, 3), done.err
    rows = [json.loads(line) for line in (tmp_path / "run" / "judgments.jsonl").read_text().splitlines()]
    assert len(rows) == 8
    for row in rows:
        likely = row["scores"]
        assert (row["mode"], row["status"]) == ("verdict-token", "ok")
        assert sum(likely.values()) == pytest.approx(1, abs=1e-9)
        first = likely["A"] + likely["tie"] / 2
        assert row["preference"] == pytest.approx(first if row["order"] == "candidate_first" else 1 - first, abs=1e-12)
        assert 0 < row["asked"]["mass"] < 1
    again = harness("run", suite, "--out", tmp_path / "again", "--json", env=env)
    assert again.out == done.out
