"""An export is whole, verifies, and holds nothing of its owner's: no state, no training text, no paths."""

import json

import pytest

from harness import checkpoint
from harness.checkpoint import Base
from harness.checkpoints import export, verifying
from harness.checkpoints.export import without_paths
from harness.errors import InputError
from tests.command import environment, harness
from tests.harness.checkpoints.shelves import adapter, made, whole


@pytest.fixture
def secret(tmp_path):
    """A folder of this machine, as it stands in what training writes."""
    return tmp_path / "somebody" / "secret place"


@pytest.fixture
def soup(tmp_path, secret):
    """An adapter's saved step with everything that training leaves beside it, and paths wherever one can stand."""
    folder = adapter(tmp_path / "checkpoints" / "soup-bb" / "checkpoint-5")
    (folder / "adapter_config.json").write_text(json.dumps({"r": 4, "base_model_name_or_path": f"{secret}/base"}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"name_or_path": f"{secret}/tok", "eos_token": "x"}))
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "history.json", "loss.png"):
        (folder / name).write_text("private")
    (folder / "training_index.npz").write_text("what users wrote")
    for name in ("logs", "evaluations"):
        (folder / name).mkdir()
        (folder / name / "events").write_text("private")
    manifest = made(
        folder,
        base=Base(spec=f"hf/{secret}/base", sha256="b" * 64),
        state={"optimizer.pt": "0" * 64},
        recipe={"base": f"hf/{secret}/base", "data": {"held_out": ["../../suites/in.jsonl", "C:\\Users\\me\\a.jsonl"]}},
        git={"commit": "abc", "root": f"{secret}/repo"},
    )
    checkpoint.write(folder, manifest)
    return folder


def test_what_others_need_is_there_and_nothing_else(soup, tmp_path, capsys):
    out = tmp_path / "shared"
    assert export.verb(soup, out=out) == 0
    kept = ["adapter_config.json", "adapter_model.safetensors", "manifest.json", "tokenizer_config.json"]
    assert sorted(path.name for path in out.iterdir()) == kept
    assert (out.stat().st_mode & 0o777, (out / kept[0]).stat().st_mode & 0o777) == (0o755, 0o644)
    said = capsys.readouterr()
    assert f"{soup} → {out}: " in said.out
    assert "training_index.npz" in said.err
    assert "optimizer.pt" in said.err


def test_no_path_of_this_machine_is_left(soup, tmp_path):
    export.verb(soup, out=tmp_path / "shared")
    text = b"".join(path.read_bytes() for path in (tmp_path / "shared").iterdir())
    for secret in (b"somebody", b"secret", b"Users", b"..", str(tmp_path).encode()):
        assert secret not in text
    manifest = checkpoint.read(tmp_path / "shared")
    assert manifest.base == Base(spec="hf/base", sha256="b" * 64)
    assert manifest.recipe == {"base": "hf/base", "data": {"held_out": ["in.jsonl", "a.jsonl"]}}
    config = json.loads((tmp_path / "shared" / "adapter_config.json").read_text())
    assert config == {"r": 4, "base_model_name_or_path": "base"}


def test_an_export_is_the_same_checkpoint_and_verifies(soup, tmp_path):
    export.verb(soup, out=tmp_path / "shared")
    assert checkpoint.fingerprint(tmp_path / "shared") == checkpoint.fingerprint(soup)
    assert verifying.check(tmp_path / "shared").problems == []
    assert checkpoint.read(tmp_path / "shared").state == {}


def test_a_whole_model_keeps_tokenizer_and_template(tmp_path):
    broth = whole(tmp_path / "broth")
    (broth / "config.json").write_text('{"model_type": "llama", "_name_or_path": "org/broth"}')
    checkpoint.write(broth, made(broth, base=None))
    export.verb(broth, out=tmp_path / "shared" / "broth")
    assert {path.name for path in (tmp_path / "shared" / "broth").iterdir()} == {path.name for path in broth.iterdir()}
    assert (tmp_path / "shared" / "broth" / "config.json").read_bytes() == (broth / "config.json").read_bytes()


def test_a_damaged_checkpoint_is_not_shared_and_nothing_is_left(soup, tmp_path):
    weights = soup / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    done = harness("checkpoints", "export", soup, "-o", tmp_path / "shared", env=environment(tmp_path))
    assert done.code == 2
    assert done.err.startswith(f"{soup}: the weights changed since training: SHA-256 ")
    assert not (tmp_path / "shared").exists()
    assert list(tmp_path.glob(".shared*")) == []


def test_nothing_is_overwritten(soup, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    for out in (tmp_path / "there", tmp_path / "dangling"):
        with pytest.raises(InputError, match="is there already; give another --out"):
            export.verb(soup, out=out)
    with pytest.raises(InputError, match="holds no checkpoint manifest"):
        export.verb(tmp_path / "there", out=tmp_path / "new")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/srv/a/base", "base"),
        ("hf//srv/a/base", "hf/base"),
        ("hf//srv/my models/base+/srv/my models/lora", "hf/base+lora"),
        ("hf/../runs/base", "hf/base"),
        ("hf/org/name", "hf/org/name"),
        ("recipe/../x/kitchen.yaml", "recipe/kitchen.yaml"),
        ("recipe/kitchen.yaml", "recipe/kitchen.yaml"),
        ("~/data/a b.jsonl", "a b.jsonl"),
        ("D:\\data\\a.jsonl", "a.jsonl"),
        ("lost /srv/data/x.jsonl, stopped", "lost x.jsonl, stopped"),
        ("file:///srv/data/x", "file://x"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("data/soups.jsonl", "data/soups.jsonl"),
        ("2/3 of them and/or less", "2/3 of them and/or less"),
    ],
)
def test_paths_are_cut_to_their_last_part(text, left):
    assert without_paths({"a": [text]}) == {"a": [left]}
