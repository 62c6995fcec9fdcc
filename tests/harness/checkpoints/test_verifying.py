"""Verify finds whatever is no longer what training wrote, and says what it could not look at."""

import hashlib
import json
import shutil

import pytest

from harness import checkpoint
from harness.checkpoint import Base, Data
from harness.checkpoints import verifying
from harness.errors import InputError
from harness.leakage import FILE, TrainingExample, TrainingIndex
from tests.command import environment, harness
from tests.harness.checkpoints.shelves import adapter, made, whole

INDEX = TrainingIndex.build([TrainingExample(file="soups.jsonl", line=1, turns=("how is a soup made?",))])


@pytest.fixture
def shelf(tmp_path):
    """A base, and an adapter on it with an index and resume state."""
    folder = tmp_path / "checkpoints"
    base = whole(folder / "broth-aa")
    soup = adapter(folder / "soup-bb")
    INDEX.save(soup / FILE)
    (soup / "optimizer.pt").write_bytes(b"state")
    manifest = made(
        soup,
        base=Base(spec="recipe/broth.yaml", sha256=checkpoint.fingerprint(base)),
        data=Data(sha256="d", planned=1, actual=1, index_sha256=hashlib.sha256((soup / FILE).read_bytes()).hexdigest()),
        state={"optimizer.pt": hashlib.sha256(b"state").hexdigest()},
    )
    checkpoint.write(soup, manifest)
    return folder


def verified(capsys, *paths, shelf=None):
    code = verifying.verb(paths, shelf=shelf)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_what_is_as_it_was_written_passes_and_what_was_checked_is_said(shelf, capsys):
    code, found, said = verified(capsys, shelf / "broth-aa", shelf / "soup-bb")
    assert (code, found) == (0, "")
    assert said == (
        f"{shelf}/broth-aa: as it was written (manifest, weights, tokenizer, chat template and config)\n"
        f"{shelf}/soup-bb: as it was written (manifest, weights, config, training index training_index.npz, "
        "resume state (1 file) and base)\n"
        "2 checkpoints checked, 0 findings\n"
    )


@pytest.mark.parametrize(
    ("name", "file", "said"),
    [
        ("broth-aa", "model.safetensors", "the weights changed since training: SHA-256"),
        ("broth-aa", "tokenizer.json", "the tokenizer changed since training: SHA-256"),
        ("broth-aa", "tokenizer_config.json", "the tokenizer changed since training: SHA-256"),
        ("broth-aa", "chat_template.jinja", "the chat template changed since training: SHA-256"),
        ("broth-aa", "config.json", "the config changed since training: SHA-256"),
        ("soup-bb", "adapter_model.safetensors", "the weights changed since training: SHA-256"),
        ("soup-bb", "adapter_config.json", "the config changed since training: SHA-256"),
        ("soup-bb", "training_index.npz", "the training index training_index.npz changed since training"),
        ("soup-bb", "optimizer.pt", "the resume state optimizer.pt changed since training: SHA-256"),
    ],
)
def test_whatever_changed_is_a_finding(shelf, capsys, name, file, said):
    path = shelf / name / file
    if path.suffix == ".json":
        path.write_text(json.dumps(json.loads(path.read_text()) | {"changed": True}))
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    code, found, _ = verified(capsys, shelf / name)
    assert (code, found.count("\n")) == (1, 1)
    assert found.startswith(f"{shelf / name}: {said}")


@pytest.mark.parametrize("file", ["tokenizer.json", "chat_template.jinja", "config.json"])
def test_whatever_is_gone_is_a_finding(shelf, capsys, file):
    (shelf / "broth-aa" / file).unlink()
    assert verified(capsys, shelf / "broth-aa")[0] == 1


def test_lost_weights_state_and_index_are_findings(shelf, capsys):
    soup = shelf / "soup-bb"
    (soup / FILE).unlink()
    (soup / "optimizer.pt").unlink()
    code, found, _ = verified(capsys, soup)
    assert code == 1
    assert f"{soup}: the training index {FILE} is gone since training" in found
    assert f"{soup}: the resume state optimizer.pt is gone since training" in found
    (soup / "adapter_model.safetensors").unlink()
    code, found, _ = verified(capsys, soup)
    assert (code, "needs safetensors weights" in found) == (1, True)


def test_resume_state_concerns_nobody_who_only_uses_the_weights(shelf):
    (shelf / "soup-bb" / "optimizer.pt").unlink()
    assert checkpoint.verify(shelf / "soup-bb") == []
    assert len(checkpoint.verify(shelf / "soup-bb", state=True)) == 1


def test_a_manifest_that_names_other_weights_is_a_finding(shelf, capsys):
    file = shelf / "soup-bb" / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"adapter_sha256": "0" * 64}))
    code, found, _ = verified(capsys, shelf / "soup-bb")
    assert (code, "the adapter changed since training" in found) == (1, True)


def test_a_base_that_changed_is_a_finding(shelf, capsys):
    template = shelf / "broth-aa" / "chat_template.jinja"
    template.write_text("other")
    code, found, _ = verified(capsys, shelf / "soup-bb")
    assert code == 1
    assert found.startswith(f"{shelf}/broth-aa: the chat template changed since training")


def test_a_base_that_is_not_here_is_said_and_is_no_finding(shelf, capsys):
    shutil.rmtree(shelf / "broth-aa")
    code, found, said = verified(capsys, shelf / "soup-bb")
    assert (code, found) == (0, "")
    assert "; not checked: its base recipe/broth.yaml, which is not here\n" in said


def test_a_base_named_by_its_path_is_compared(shelf, tmp_path, capsys):
    base = whole(tmp_path / "elsewhere", value=7.0)
    (base / "manifest.json").unlink()
    soup = shelf / "soup-bb"
    right = Base(spec=f"hf/{base}", sha256=checkpoint.fingerprint(base))
    for named, code in ((right, 0), (Base(spec=f"hf/{base}", sha256="0" * 64), 1)):
        checkpoint.write(soup, made(soup, base=named))
        ended, found, _ = verified(capsys, soup)
        assert ended == code
        assert ("this adapter was trained on hf/" in found) == bool(code)


def test_a_base_on_another_shelf_is_found_by_its_fingerprint(shelf, tmp_path, capsys):
    moved = shutil.move(shelf / "soup-bb", tmp_path / "alone" / "soup")
    assert "not checked" in verified(capsys, moved)[2]
    assert "not checked" not in verified(capsys, moved, shelf=shelf)[2]


def test_a_broken_manifest_is_a_finding_and_no_checkpoint_is_wrong_usage(shelf, tmp_path):
    (shelf / "soup-bb" / "manifest.json").write_text("")
    env = environment(tmp_path)
    done = harness("checkpoints", "verify", shelf / "soup-bb", shelf / "broth-aa", env=env)
    assert done.code == 1
    assert done.out.startswith(f"{shelf}/soup-bb/manifest.json: is not the manifest of a checkpoint")
    done = harness("checkpoints", "verify", shelf / "soup-bb", tmp_path, tmp_path / "nothing", env=env)
    assert done.code == 2
    assert f"{tmp_path}: holds no checkpoint manifest" in done.err
    assert f"{tmp_path}/nothing: there is no such checkpoint folder; check the path\n" in done.err


def test_an_ensemble_is_its_members(tmp_path, shelf, capsys):
    folder = shelf / "several"
    for name in ("fold-0", "fold-1"):
        whole(folder / name)
        (folder / name / "heads.json").write_text("{}")
    (folder / "ensemble.json").write_text(json.dumps({"members": ["fold-0", "fold-1"]}))
    code, out, err = verified(capsys, folder, shelf=shelf)
    assert err.splitlines()[-1].startswith("2 checkpoints checked, ")
    assert [str(folder / name) in out + err for name in ("fold-0", "fold-1")] == [True, True]
    assert code != 2
    with pytest.raises(InputError, match="is an ensemble of several trainings"):
        checkpoint.read(folder)
