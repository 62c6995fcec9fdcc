"""A head on a language model's last token, with LoRA below it: what is trained, saved, gone on with and opened."""

import json

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from safetensors.torch import load_file

from harness.errors import InputError
from harness.models.encoder.asking import Encoder, predict
from harness.models.encoder.folder import based, load, put_back, save
from harness.models.encoder.lora import merged, own_weights
from harness.models.encoder.rows import collate, encode
from harness.models.weights import Device
from tests import encoders, tiny
from tests.train.encoder.small import interrupted, predictions, recipe, task, train
from tests.train.small import manifest, rows_of
from train.encoder.adapter import adapt
from train.keys import LoraKeys

CPU = Device(name="cpu", dtype="float32")
LAST = {"head": {"pooling": "last"}, "collapse": {"after": 0.99}}
LORA = {"lora": {"rank": 4, "alpha": 8, "dropout": 0.1}, **LAST}


@pytest.fixture(scope="session")
def llama(tmp_path_factory):
    return tiny.checkpoint(tmp_path_factory.mktemp("llama") / "base")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, llama):
    training = {"epochs": 6, "learning_rate": 0.01, "max_length": 96}
    path = recipe(tmp_path_factory.mktemp("lora"), llama, 80, training=training, save={"keep": 1}, **LORA)
    return path, train(path)


def test_it_learns_and_its_figures_are_those_of_what_is_opened_again(trained):
    path, folder = trained
    losses = [row["loss"] for row in rows_of(folder) if "loss" in row]
    assert losses[-1] < 0.7 * losses[0]
    items = task(path).test
    told = predict(folder, items, device=CPU).probabilities["taste"]
    labels = Encoder.open(folder, CPU).form.heads[0].labels
    said = [[row["probabilities"][label] for label in labels] for row in predictions(folder)]
    np.testing.assert_allclose(told, said, atol=1e-5)
    assert manifest(folder)["recipe"]["lora"]["rank"] == 4


def test_the_base_stands_still_but_for_the_adapter(trained, llama):
    _, folder = trained
    before, after = load_file(llama / "model.safetensors"), load_file(folder / "model.safetensors")
    adapter = load_file(folder / "lora.safetensors")
    moved = [name for name, weight in after.items() if not torch.equal(before[f"model.{name}"], weight)]
    assert moved and all("_proj" in name for name in moved)
    for name in moved:
        stem = name.removesuffix(".weight")
        a, b = (adapter[f"{stem}.lora_{side}.default.weight"] for side in "AB")
        torch.testing.assert_close(before[f"model.{name}"] + 2 * b @ a, after[name], atol=1e-6, rtol=0)


@pytest.fixture
def adapted(llama):
    """A model with an adapter whose weights are all drawn, and its tokenizer."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model, tokenizer, _ = based(llama, encoders.form(pooling="last"), causal=True)
        adapt(model, LoraKeys(rank=2, alpha=4))
        model.encoder.load_state_dict(
            {name: torch.randn_like(weight) * 0.1 for name, weight in own_weights(model.encoder).items()}, strict=False
        )
    return model.eval(), tokenizer


def logits(model, tokenizer):
    batch = collate(encode(tokenizer, encoders.texts(9), 32).rows, tokenizer.pad_token_id)
    with torch.no_grad():
        return torch.cat(model(**batch), dim=1)


def test_what_is_saved_opens_to_the_same_logits(adapted, tmp_path, llama):
    model, tokenizer = adapted
    save(model, tokenizer, tmp_path)
    found, reader = load(tmp_path, CPU)
    torch.testing.assert_close(logits(found, reader), logits(model, tokenizer), atol=1e-5, rtol=0)
    plain, _, dropped = based(llama, encoders.form(pooling="last"), causal=True)
    assert not torch.allclose(logits(plain.eval(), reader), logits(model, tokenizer), atol=1e-2)
    assert dropped == ("lm_head.weight",)


def test_merging_agrees_with_peft(adapted):
    from peft.tuners.lora import LoraLayer

    model, _ = adapted
    own = merged(model.encoder)
    for module in model.encoder.modules():
        if isinstance(module, LoraLayer):
            module.merge()
    for name, weight in model.encoder.state_dict().items():
        if "lora_" not in name:
            torch.testing.assert_close(own[name.replace(".base_layer.", ".")], weight, atol=1e-6, rtol=0)


def test_a_saved_adapter_is_put_back_to_the_last_bit_and_another_is_refused(adapted, tmp_path, llama):
    model, tokenizer = adapted
    save(model, tokenizer, tmp_path)
    for rank in (2, 3):
        other, _, _ = based(llama, encoders.form(pooling="last"), causal=True)
        adapt(other, LoraKeys(rank=rank, alpha=4))
        if rank == 3:
            with pytest.raises(InputError, match="holds no such adapter's weights"):
                put_back(other, tmp_path)
            continue
        put_back(other, tmp_path)
        assert torch.equal(logits(other.eval(), tokenizer), logits(model, tokenizer))


def test_a_training_that_was_broken_off_goes_on_to_the_same_weights(tmp_path, llama):
    training = {"epochs": 1, "max_length": 96}
    keys = {"save": {"every": 2}, "training": training, **LORA}
    whole = train(recipe(tmp_path / "whole", llama, 40, **keys))
    path = recipe(tmp_path / "broken", llama, 40, **keys)
    interrupted(path, 3)
    folder = train(path, resume=True)
    for name in ("model.safetensors", "heads.safetensors", "lora.safetensors"):
        one, other = load_file(whole / name), load_file(folder / name)
        assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_without_an_adapter_every_weight_learns(tmp_path, llama):
    folder = train(recipe(tmp_path, llama, 30, training={"epochs": 1, "max_length": 96}, **LAST))
    before, after = load_file(llama / "model.safetensors"), load_file(folder / "model.safetensors")
    assert not any(torch.equal(before[f"model.{name}"], weight) for name, weight in after.items() if "_proj" in name)
    assert not (folder / "lora.safetensors").exists()


def test_weights_that_are_missing_are_named(adapted, tmp_path):
    from safetensors.torch import save_file

    save(*adapted, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("layers.1.mlp.up_proj.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"missing: layers\.1\.mlp\.up_proj\.weight"):
        load(tmp_path, CPU)


def test_a_first_token_that_saw_nothing_is_refused(llama):
    with pytest.raises(InputError, match=r"its first token knows nothing of the text; set head\.pooling to last"):
        based(llama, encoders.form(pooling="cls"), causal=True)


def test_layers_that_are_not_there_are_named(llama):
    model, _, _ = based(llama, encoders.form(pooling="last"), causal=True)
    with pytest.raises(InputError, match=r"lora\.target_modules: .*query"):
        adapt(model, LoraKeys(rank=2, alpha=4, target_modules=["query"]))


def test_an_encoder_takes_an_adapter_too(tmp_path, bert):
    folder = train(recipe(tmp_path, bert, 30, training={"epochs": 1}, lora={"rank": 2, "alpha": 4}))
    before, after = load_file(bert / "model.safetensors"), load_file(folder / "model.safetensors")
    assert torch.equal(before["embeddings.word_embeddings.weight"], after["embeddings.word_embeddings.weight"])


def test_a_pair_is_parted_where_the_tokenizer_puts_no_mark(llama, bert):
    import transformers

    for base, parted in ((llama, True), (bert, False)):
        tokenizer = transformers.AutoTokenizer.from_pretrained(base)
        (row,) = encode(tokenizer, [encoders.Read(texts=("hot soup", "rice"))], 32).rows
        assert ("\n" in tokenizer.decode(row.ids[0])) == parted


def test_a_recipe_that_adapts_nothing_is_refused(tmp_path):
    path = recipe(tmp_path, None, 30, lora={"rank": 2, "alpha": 4})
    with pytest.raises(InputError, match="'lora' adapts a base"):
        train(path)


def test_the_language_model_of_a_recipe_is_made_first(tmp_path):
    from tests.train import small

    small.recipe(tmp_path, None, small.answers(12), file="lm.yaml", training={"epochs": 1})
    (tmp_path / "data.jsonl").rename(tmp_path / "lm.jsonl")
    text = (tmp_path / "lm.yaml").read_text().replace("data.jsonl", "lm.jsonl")
    (tmp_path / "lm.yaml").write_text(text)
    path = recipe(tmp_path, tmp_path, 24, training={"epochs": 1, "max_length": 96}, **LORA)
    path.write_text(path.read_text().replace(f"hf/{tmp_path}", "recipe/lm.yaml"))
    folder = train(path)
    assert manifest(folder)["base"]["spec"] == "small"
    assert json.loads((folder / "config.json").read_text())["model_type"] == "llama"
