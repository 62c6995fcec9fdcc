"""A recipe is built once, the same bits for the same seed, and a build that dies leaves nothing that looks whole."""

import shutil
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("torch")

from harness import checkpoint
from harness.errors import InputError
from train.build import ensure

BASE = """
name: mini_base
kind: pretrain
seed: {seed}
data: {{generator: kitchen_corpus, examples: 400}}
model: {{hidden_size: 32, intermediate_size: 64, layers: 1, heads: 4, context: 128}}
tokenizer: {{vocab_size: 400}}
training: {{steps: {steps}, batch_size: 8, max_length: 64, learning_rate: 0.003}}
"""
LORA = """
name: mini_lora
kind: sft
seed: 3
base: recipe/base.yaml
data: {generator: kitchen_requests, examples: 64}
lora: {rank: 2, alpha: 4}
training: {epochs: 1, batch_size: 16, max_length: 64, learning_rate: 0.01}
"""


def recipes(folder, seed=3, steps=4):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "base.yaml").write_text(BASE.format(seed=seed, steps=steps))
    (folder / "lora.yaml").write_text(LORA)
    return folder / "lora.yaml"


def build(path, checkpoints):
    steps = []
    spec = ensure(path, checkpoints=checkpoints, on_progress=lambda *stage: steps.append(stage))
    return spec, steps


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    return recipes(folder), folder / "checkpoints", build(recipes(folder), folder / "checkpoints")


def folders(checkpoints):
    return sorted(path for path in checkpoints.iterdir() if path.is_dir())


def test_a_base_is_built_before_its_adapter_and_both_prove_what_they_are(built):
    _, checkpoints, (spec, steps) = built
    base, lora = folders(checkpoints)
    assert spec == f"hf/{base}+{lora}"
    assert list(dict.fromkeys(stage for stage, _, _ in steps)) == [
        "training mini_base",
        "training mini_lora",
    ]
    assert checkpoint.verify(base) == []
    assert checkpoint.verify(lora) == []
    manifest = checkpoint.read(lora)
    assert (manifest.complete, manifest.steps_done, manifest.steps_planned) == (True, 4, 4)
    assert manifest.base.sha256 == checkpoint.fingerprint(base)
    assert (manifest.data.planned, manifest.data.actual) == (64, 64)


def test_nothing_is_built_twice(built):
    path, checkpoints, (spec, _) = built
    assert build(path, checkpoints) == (spec, [])


def test_the_same_seed_gives_the_same_bits_and_another_does_not(built, tmp_path):
    _, checkpoints, _ = built
    build(recipes(tmp_path / "again"), tmp_path / "again" / "c")
    build(recipes(tmp_path / "other", seed=4), tmp_path / "other" / "c")

    def sums(folder):
        return [checkpoint.weights_sha256(path) for path in folders(folder)]

    assert sums(tmp_path / "again" / "c") == sums(checkpoints)
    assert not set(sums(tmp_path / "other" / "c")) & set(sums(checkpoints))


def test_weights_that_changed_are_not_used(built, tmp_path):
    path, checkpoints, _ = built
    copy = shutil.copytree(checkpoints, tmp_path / "c")
    weights = folders(copy)[1] / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(InputError, match=r"(?s)the weights changed since training.*delete this folder"):
        build(path, copy)


def test_a_killed_build_leaves_nothing_that_looks_whole(tmp_path):
    path = recipes(tmp_path, steps=100_000)
    program = (
        "import sys\nfrom pathlib import Path\nfrom train.build import ensure\n"
        "ensure(Path(sys.argv[1]), checkpoints=Path(sys.argv[2]), on_progress=lambda s, d, t: print(d, flush=True))"
    )
    arguments = [sys.executable, "-c", program, str(path), str(tmp_path / "c")]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while int(process.stdout.readline() or 9) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list((tmp_path / "c").glob("mini_base-*")) == []
    quick = recipes(tmp_path, steps=2)
    spec, _ = build(quick, tmp_path / "c")
    assert "mini_lora" in spec


def test_two_processes_build_once_between_them(tmp_path):
    path = recipes(tmp_path, steps=30)
    program = (
        "import sys\nfrom pathlib import Path\nfrom train.build import ensure\n"
        "print(ensure(Path(sys.argv[1]), checkpoints=Path(sys.argv[2]), on_progress=lambda *_: None))"
    )
    arguments = [sys.executable, "-c", program, str(path), str(tmp_path / "c")]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    specs = {process.communicate(timeout=120)[0].strip().splitlines()[-1] for process in both}
    assert len(specs) == 1
    assert len(folders(tmp_path / "c")) == 2
