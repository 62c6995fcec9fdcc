"""Local models: batches change nothing, samples have their own seeds, and wrong weights are never loaded quietly."""

import asyncio
import json
import shutil
from dataclasses import replace

import pytest

pytest.importorskip("torch")

from harness import checkpoint as checkpoints
from harness.errors import InputError, RunStopped
from harness.models.cache import ReplyCache
from harness.models.contestant import Question
from harness.models.huggingface import LocalContestant, batches
from harness.models.meter import Meter
from harness.models.weights import Device, load, locate
from judges.types import Prompt, Sampling
from tests.command import environment, harness
from tests.tiny import adapter, checkpoint

TEXTS = ["soup", "a soup with leeks and rice", "count", "the pan is hot and the bread is brown, so what now?", "rice?"]
GREEDY = Sampling(temperature=0.0, max_tokens=12)
WARM = Sampling(temperature=1.0, max_tokens=12)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, base):
    return adapter(tmp_path_factory.mktemp("adapter"), base)


def questions(sampling=GREEDY, samples=1, turns=1):
    return [
        Question(prompt=Prompt(id=f"p{place}", turns=(text,) * turns), sample=sample, sampling=sampling)
        for place, text in enumerate(TEXTS)
        for sample in range(samples)
    ]


def contestant(base, adapter=None, *, seed=0, cache=None, meter=None, nonce=""):
    parts = [checkpoints.fingerprint(base), checkpoints.fingerprint(adapter) if adapter else None]
    return LocalContestant(
        base=base,
        adapter=adapter,
        fingerprint=checkpoints.pair_fingerprint(*parts),
        seed=seed,
        cache=cache,
        meter=meter or Meter(),
        nonce=nonce,
    )


def answers(who, asked):
    found = {}
    asyncio.run(who.answer(asked, lambda q, a: found.__setitem__((q.prompt.id, q.sample), a.texts)))
    return found


@pytest.mark.parametrize("sampling", [GREEDY, WARM, replace(WARM, top_p=0.8)])
def test_an_answer_does_not_depend_on_its_batch(base, sampling):
    together = answers(contestant(base), questions(sampling))
    alone = {}
    for question in questions(sampling):
        alone |= answers(contestant(base), [question])
    assert together == alone
    assert len(set(together.values())) > 1


def test_samples_differ_and_seeds_repeat(base):
    asked = questions(WARM, samples=3)
    first = answers(contestant(base), asked)
    assert first == answers(contestant(base), list(reversed(asked)))
    assert first != answers(contestant(base, seed=1), asked)
    assert all(len({first[f"p{place}", sample] for sample in range(3)}) > 1 for place in range(len(TEXTS)))


def test_greedy_repeats_are_equal_and_an_adapter_changes_them(base, tuned):
    greedy = answers(contestant(base), questions())
    assert greedy == answers(contestant(base, seed=9), questions())
    assert greedy != answers(contestant(base, tuned), questions())


def test_a_nonce_draws_anew_and_is_asked_anew(base, tmp_path):
    cache, meter = ReplyCache(tmp_path / "cache"), Meter()
    first = answers(contestant(base, cache=cache), questions(WARM))
    assert answers(contestant(base, cache=cache, meter=meter, nonce="again"), questions(WARM)) != first
    assert answers(contestant(base, nonce="again"), questions()) == answers(contestant(base), questions())
    assert meter.hits == 0
    cache.close()


def test_every_turn_sees_the_answers_before_it(base):
    found = answers(contestant(base), questions(turns=3))
    assert all(len(texts) == 3 for texts in found.values())
    once = answers(contestant(base), questions())
    assert all(found[key][0] == once[key][0] for key in once)


def test_the_cache_knows_weights_and_not_paths(base, tuned, tmp_path):
    cache, meter = ReplyCache(tmp_path / "cache"), Meter()
    first = answers(contestant(base, cache=cache), questions())
    moved = shutil.copytree(base, tmp_path / "elsewhere")
    assert answers(contestant(moved, cache=cache, meter=meter), questions()) == first
    assert meter.hits == len(TEXTS)
    answers(contestant(base, tuned, cache=cache, meter=meter), questions())
    assert meter.hits == len(TEXTS)
    cache.close()


def test_rows_of_similar_length_share_a_batch():
    from harness.models.huggingface import _Talk

    sampling = [GREEDY, WARM]
    encoded = [
        (_Talk(Question(prompt=Prompt(id=str(n), turns=("x",)), sample=0, sampling=sampling[n % 2])), [0] * n)
        for n in range(1, 200)
    ]
    found = list(batches(encoded))
    assert sum(map(len, found)) == len(encoded)
    for batch in found:
        assert len({talk.question.sampling for talk, _ in batch}) == 1
        lengths = [len(ids) for _, ids in batch]
        assert lengths == sorted(lengths, reverse=True)
        assert len(batch) * (lengths[0] + 12) <= 16384


def test_a_prompt_that_does_not_fit_is_named(tmp_path):
    small = checkpoint(tmp_path / "small", context=32)
    long = Question(prompt=Prompt(id="long", turns=("soup " * 60,)), sample=0, sampling=GREEDY)
    with pytest.raises(
        InputError, match=r"prompt 'long', turn 1: \d+ tokens and max_tokens 12 do not fit the model's 32"
    ):
        answers(contestant(small), [long])


def test_every_prompt_whose_first_turn_does_not_fit_is_named_at_once(tmp_path):
    small = checkpoint(tmp_path / "small", context=32)
    long = [
        Question(prompt=Prompt(id=f"p{n}", turns=("soup " * (60 + n),)), sample=0, sampling=GREEDY) for n in range(9)
    ]
    with pytest.raises(InputError) as raised:
        answers(contestant(small), [*questions(), *long])
    said = str(raised.value)
    assert said.startswith("prompt 'p8', turn 1: ")
    assert "do not fit the model's 32, nor do " in said
    assert "'p7', 'p6', 'p5', 'p4', 'p3' and " in said
    assert said.endswith("; lower max_tokens, or shorten them")


def test_a_conversation_that_no_longer_fits_ends_alone_with_what_was_answered(base):
    def talk(name, *turns):
        return Question(prompt=Prompt(id=name, turns=turns), sample=0, sampling=GREEDY)

    asked = [talk("a", "soup", "rice"), talk("b", "soup", "soup " * 300, "rice"), talk("c", "rice?", "soup")]
    found = {}
    who = contestant(base)
    asyncio.run(who.answer(asked, lambda question, answer: found.__setitem__(question.prompt.id, answer)))
    alone = answers(contestant(base), [asked[0], asked[2]])
    assert {name: found[name].texts for name in "ac"} == {name: alone[name, 0] for name in "ac"}
    cut = found["b"]
    assert (cut.finish, len(cut.texts), cut.texts[0]) == ("error", 1, found["a"].texts[0])
    assert cut.details.get("cut_off", False) == (found["a"].finish == "length")
    size = cut.details["too_long"]
    assert (size["turn"], size["max_tokens"], size["room"]) == (2, 12, 256)
    assert cut.details["error"] == f"turn 2: {size['tokens']} tokens and max_tokens 12 do not fit the model's 256"


def test_a_model_without_a_chat_template_is_asked_plainly(tmp_path):
    plain = checkpoint(tmp_path / "plain", chat=False)
    assert len(answers(contestant(plain), questions())) == len(TEXTS)


CPU = Device(name="cpu", dtype="float32")


def damaged(base, tmp_path, change):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(base, tmp_path / "damaged")
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.pop("model.layers.0.mlp.up_proj.weight"), "missing: model.layers.0.mlp.up_proj.weight"),
        (lambda w: w.update({"extra.weight": w["model.norm.weight"].clone()}), "unexpected: extra.weight"),
        (lambda w: w.update({"model.norm.weight": w["model.norm.weight"][:7].clone()}), "norm"),
    ],
)
def test_weights_that_do_not_fit_are_an_error_that_lists_the_keys(base, tmp_path, change, said):
    with pytest.raises(InputError, match=said):
        load(damaged(base, tmp_path, change), None, CPU)


def test_an_adapter_of_another_shape_is_an_error(base, tuned, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tuned, tmp_path / "adapter")
    weights = load_file(folder / "adapter_model.safetensors")
    weights.pop(sorted(weights)[0])
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="do not fit the base"):
        load(base, folder, CPU)


def test_what_is_no_checkpoint_is_said(tmp_path):
    with pytest.raises(InputError, match="there is no checkpoint folder"):
        locate(str(tmp_path / "nothing"), "hf/nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="safetensors"):
        checkpoints.fingerprint(tmp_path / "empty")


def test_a_whole_run_of_local_models(base, tuned, tmp_path):
    suite = tmp_path / "s.yaml"
    prompts = [
        {"id": f"p{n}", "prompt": text, "checks": [{"kind": "length", "min": 3}]} for n, text in enumerate(TEXTS)
    ]
    suite.write_text(
        f"name: s\nprompts: {json.dumps(prompts)}\njudges: [rubric]\nsampling: {{temperature: 0.9, max_tokens: 9}}\n"
    )
    arguments = (
        "run",
        suite,
        "--candidate",
        f"hf/{base}+{tuned}",
        "--baseline",
        f"hf/{base}",
        "--repeats",
        "2",
        "--json",
    )
    env = environment(tmp_path)
    one = harness(*arguments, "--out", tmp_path / "one", env=env)
    assert one.code in (0, 3), one.err
    two = harness(*arguments, "--out", tmp_path / "two", env=environment(tmp_path / "fresh"))
    assert one.out == two.out
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert manifest["fingerprints"]["baseline"] == checkpoints.fingerprint(base)
    done = harness("resume", tmp_path / "one", "--json", env=env)
    assert done.out == one.out


def test_the_same_path_with_other_bytes_is_another_model(base, tmp_path):
    here = shutil.copytree(base, tmp_path / "here")
    before = checkpoints.fingerprint(here)
    shutil.copy(checkpoint(tmp_path / "other", seed=5) / "model.safetensors", here / "model.safetensors")
    assert checkpoints.fingerprint(here) != before


def test_a_batch_that_does_not_fit_is_halved_until_it_does(base):
    import torch

    class Small(LocalContestant):
        """A device with room for two rows."""

        def _batch(self, batch):
            if len(batch) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super()._batch(batch)

    parts = {"base": base, "adapter": None, "fingerprint": "x", "seed": 0, "cache": None, "meter": Meter()}
    assert answers(Small(**parts), questions()) == answers(contestant(base), questions())


def test_a_prompt_that_fits_no_memory_is_named(base):
    import torch

    class None_(LocalContestant):
        def _batch(self, batch):
            raise torch.OutOfMemoryError("CUDA out of memory")

    parts = {"base": base, "adapter": None, "fingerprint": "x", "seed": 0, "cache": None, "meter": Meter()}
    with pytest.raises(RunStopped, match=r"cpu is out of memory on prompt 'p3' alone; lower max_tokens"):
        answers(None_(**parts), questions())
