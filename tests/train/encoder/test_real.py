"""A real pretrained encoder as a recipe's base: all of its weights arrive, and training moves them.

Needs the extra `real` (90 MB); without it these are left out.
"""

import pytest

pytest.importorskip("torch")

from harness import checkpoint
from harness.models.encoder.asking import Encoder
from harness.models.encoder.folder import based
from harness.models.weights import Device
from tests.bench.carried import Absent
from tests.bench.real import weights
from tests.encoders import form, questions
from tests.train.encoder.small import CHOICE, predictions, recipe, train

CPU = Device(name="cpu", dtype="float32")
# A buffer of older versions of transformers, which counts from 0.
PLACES = "embeddings.position_ids"
POOLER = {"pooler.dense.bias", "pooler.dense.weight"}


@pytest.fixture(scope="module")
def minilm():
    """The folder of the real weights."""
    try:
        return weights()
    except Absent as reason:
        pytest.skip(str(reason))


def stored(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def test_every_weight_of_a_real_encoder_arrives_and_none_is_drawn_anew(minilm):
    import torch

    model, tokenizer, dropped = based(minilm, form(pooling="mean", max_length=64))
    theirs, own = stored(minilm), model.encoder.state_dict()
    assert set(dropped) == POOLER
    assert theirs.keys() - own.keys() == POOLER | {PLACES}
    assert own.keys() <= theirs.keys()
    assert all(torch.equal(weight, theirs[name]) for name, weight in own.items())
    assert sum(weight.numel() for weight in model.encoder.parameters()) > 22_000_000
    assert tokenizer.tokenize("Soup without cream") == ["soup", "without", "cream"]


@pytest.mark.slow
def test_two_steps_train_the_real_encoder_and_the_checkpoint_answers(minilm, tmp_path):
    path = recipe(
        tmp_path,
        minilm,
        20,
        task=CHOICE,
        head={"pooling": "mean"},
        training={"epochs": None, "steps": 2, "batch_size": 4, "learning_rate": 0.0001},
        save={"keep": 1},
    )
    heard: list[str] = []
    made = train(path, heard=heard)
    assert any("the base's own head is left out (pooler.dense.bias, pooler.dense.weight)" in line for line in heard)
    manifest = checkpoint.read(made)
    assert (manifest.steps_done, manifest.steps_planned, manifest.kind) == (2, 2, "encoder")
    before, after = stored(minilm), stored(made)
    assert after.keys() == before.keys() - POOLER - {PLACES}
    moved = {name: float((weight - before[name]).abs().max()) for name, weight in after.items()}
    # AdamW moves a weight by about the rate a step, whatever its gradient.
    assert all(most < 0.0005 for most in moved.values())
    assert sum(most > 0 for most in moved.values()) > 0.9 * len(moved)
    told = Encoder.open(made, CPU).predict(questions(3)).probabilities["answer"]
    assert told.shape == (3, 3)
    assert len(predictions(made)) == 4
