"""Losses: the same as reading one token at a time, whatever the batch, the window and the architecture."""

import asyncio
import math
import shutil

import pytest

pytest.importorskip("torch")

import torch

from harness.errors import InputError, RunStopped
from harness.models.generating import opened
from harness.models.losses import LossModel, batches, context_of, nlls
from harness.models.weights import Device
from harness.perplexity.windows import Window, windows
from tests.tiny import FAMILIES, adapter, checkpoint, family

CPU = Device(name="cpu", dtype="float32")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("base"), context=128)


@pytest.fixture(scope="module")
def model(base):
    return opened(base, None, CPU)[0]


def tokens(length, seed=0, vocabulary=300):
    return torch.randint(0, vocabulary, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def one_at_a_time(model, ids, counted, max_length, stride):
    """The naive loop: every counted token foretold by a forward pass of its own over what its window has before it."""
    total = 0.0
    begin, done = 0, 0
    while True:
        end = min(begin + max_length, len(ids))
        for place in range(max(done, begin + 1), end):
            if place in counted:
                with torch.no_grad():
                    logits = model(input_ids=torch.tensor([ids[begin:place]])).logits[0, -1].double()
                total -= torch.log_softmax(logits, dim=-1)[ids[place]].item()
        done = end
        if end == len(ids):
            return total
        begin += stride


def measured(who, cut):
    """Sums by window, of a LossModel."""

    async def collect():
        return {place: total async for place, total in who.losses(cut)}

    return asyncio.run(collect())


SHAPES = [(128, 64), (32, 16), (32, 1), (32, 31), (17, 5), (2, 1)]


@pytest.mark.parametrize(("max_length", "stride"), SHAPES)
@pytest.mark.parametrize("length", [2, 33, *(pytest.param(n, marks=pytest.mark.chaos) for n in (3, 17, 70))])
def test_strided_windows_are_the_naive_loop(model, max_length, stride, length):
    ids = tokens(length, seed=length)
    counted = list(range(1, length))
    cut = windows(ids, counted, max_length=max_length, stride=stride)
    found = sum(measured(LossModel.of(model, None), cut).values())
    assert found / len(counted) == pytest.approx(
        one_at_a_time(model, ids, counted, max_length, stride) / len(counted), abs=1e-5
    )


@pytest.mark.parametrize(("max_length", "stride"), SHAPES)
def test_answers_alone_are_the_naive_loop(model, max_length, stride):
    ids = tokens(90, seed=5)
    counted = [*range(20, 31), *range(70, 84)]
    cut = windows(ids, counted, max_length=max_length, stride=stride)
    found = sum(measured(LossModel.of(model, None), cut).values())
    assert found / len(counted) == pytest.approx(
        one_at_a_time(model, ids, counted, max_length, stride) / len(counted), abs=1e-5
    )


def rows():
    lengths = [3, 40, 12, 90, 91, 64, 2, 33, 90, 17]
    return [Window(ids=tokens(n, seed=n + 7), counted=list(range(max(1, n // 3), n))) for n in lengths]


@pytest.mark.parametrize(
    "name", [name if name in ("qwen2", "gemma2") else pytest.param(name, marks=pytest.mark.chaos) for name in FAMILIES]
)
def test_a_row_s_loss_does_not_depend_on_its_batch(tmp_path, name):
    model = opened(family(tmp_path / "m", name), None, CPU)[0]
    together = nlls(model, rows())
    for row, total in zip(rows(), together, strict=True):
        alone = one_at_a_time(model, list(row.ids), set(row.counted), 256, 1)
        assert total / len(row.counted) == pytest.approx(alone / len(row.counted), abs=1e-5)


@pytest.mark.chaos
def test_learned_positions_and_a_model_that_keeps_all_logits(tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GPT2LMHeadModel(GPT2Config(vocab_size=320, n_embd=32, n_layer=2, n_head=4, n_positions=128)).eval()

    class KeepsAll(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.config, self.device = model, model.config, torch.device("cpu")

        def forward(self, input_ids, use_cache=True):
            return self.inner(input_ids=input_ids, use_cache=use_cache)

    expected = [one_at_a_time(model, list(row.ids), set(row.counted), 256, 1) for row in rows()]
    assert nlls(model, rows()) == pytest.approx(expected, abs=1e-3)
    assert nlls(KeepsAll().eval(), rows()) == pytest.approx(nlls(model, rows()), abs=1e-4)


def test_an_adapter_counts(tmp_path, base):
    tuned = opened(base, adapter(tmp_path / "adapter", base), CPU)[0]
    row = rows()[1]
    expected = one_at_a_time(tuned, list(row.ids), set(row.counted), 256, 1)
    assert nlls(tuned, [row]) == pytest.approx([expected], abs=1e-3)
    plain = opened(base, None, CPU)[0]
    assert abs(nlls(plain, [row])[0] - expected) > 0.1


def test_batches_hold_every_window_once_longest_first(model):
    cut = rows() * 30
    made = list(batches(model, cut))
    assert sorted(place for batch in made for place, _ in batch) == list(range(len(cut)))
    lengths = [len(row.ids) for batch in made for _, row in batch]
    assert lengths == sorted(lengths, reverse=True)
    assert all(len(batch) <= 64 and len(batch) * len(batch[0][1].ids) <= 2048 for batch in made)


def test_few_logits_are_held_at_once(model, monkeypatch):
    monkeypatch.setattr("harness.models.losses.MOST_LOGITS", 320 * 100)
    for batch in batches(model, rows() * 5):
        kept = len(batch[0][1].ids) - min(row.counted[0] for _, row in batch) + 1
        assert len(batch) == 1 or len(batch) * kept * 320 <= 320 * 100


class Cramped:
    """A model whose device holds few rows at once."""

    def __init__(self, model, most):
        self.model, self.most, self.seen = model, most, []
        self.config, self.device, self.dtype = model.config, model.device, model.dtype
        self.get_input_embeddings, self.forward = model.get_input_embeddings, model.forward

    def __call__(self, input_ids, **more):
        self.seen.append(len(input_ids))
        if len(input_ids) > self.most:
            raise torch.OutOfMemoryError("out of memory")
        return self.model(input_ids=input_ids, **more)


def test_a_batch_that_does_not_fit_is_halved(model):
    cramped = Cramped(model, 3)
    found = measured(LossModel.of(cramped, None), rows())
    expected = measured(LossModel.of(model, None), rows())
    assert found == pytest.approx(expected, abs=1e-3)
    assert max(cramped.seen) > 3


def test_a_window_that_does_not_fit_alone_is_said(model):
    with pytest.raises(
        RunStopped, match="out of memory on one window of 91 tokens alone; lower the suite's max_length"
    ):
        measured(LossModel.of(Cramped(model, 0), None), rows())


def test_a_token_that_the_model_does_not_know_is_refused(model):
    with pytest.raises(InputError, match="its tokenizer writes token 999, and the model knows"):
        measured(LossModel.of(model, None), [Window(ids=[1, 999], counted=[1])])


def test_broken_weights_give_nan_and_not_a_number(model):
    import copy

    broken = copy.deepcopy(model)
    with torch.no_grad():
        broken.get_input_embeddings().weight[7] = math.nan
    found = nlls(broken, [Window(ids=[1, 2, 3], counted=[1, 2]), Window(ids=[1, 7, 3], counted=[1, 2])])
    assert math.isfinite(found[0])
    assert math.isnan(found[1])


def test_the_context_is_what_the_config_says(tmp_path, base):
    assert context_of(base) == 128
    shutil.copytree(base, tmp_path / "b")
    (tmp_path / "b" / "config.json").write_text("{")
    with pytest.raises(InputError, match="cannot be loaded"):
        context_of(tmp_path / "b")
