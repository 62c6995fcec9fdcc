"""What lies on the shelf: finished checkpoints, saved steps, what is unfinished, what is broken."""

import json
from dataclasses import replace

import pytest

from harness import checkpoint
from harness.checkpoint import Base
from harness.checkpoints import listing, showing
from harness.errors import InputError
from tests.command import environment, harness
from tests.harness.checkpoints.shelves import adapter, being_trained, step, whole

CONTRACT = ("path", "kind", "base", "sha256", "steps_done", "steps_planned", "complete")


@pytest.fixture
def shelf(tmp_path):
    folder = tmp_path / "checkpoints"
    whole(folder / "broth-aa", steps_done=900, steps_planned=900)
    adapter(folder / "soup-bb")
    step(folder / "soup-bb", 100, validation_loss=2.0)
    step(folder / "soup-bb", 20, validation_loss=3.0)
    step(folder / "stew-cc", 100)
    return folder


def listed(folder, capsys, *, as_json=False):
    code = listing.verb(folder, required=True, as_json=as_json)
    said = capsys.readouterr()
    return code, json.loads(said.out) if as_json else said.out, said.err


def test_every_whole_checkpoint_is_in_the_list_with_the_keys_of_the_contract(shelf, capsys):
    code, found, said = listed(shelf, capsys, as_json=True)
    assert (code, said) == (0, "")
    assert [{key: entry[key] for key in CONTRACT} for entry in found] == [
        {
            "path": str(shelf / name),
            "kind": kind,
            "base": base,
            "sha256": checkpoint.read(shelf / name).sha256,
            "steps_done": done,
            "steps_planned": planned,
            "complete": done == planned,
        }
        for name, kind, base, done, planned in [
            ("broth-aa", "pretrain", None, 900, 900),
            ("soup-bb", "sft", "recipe/broth.yaml", 290, 290),
            ("soup-bb/checkpoint-20", "sft", "recipe/broth.yaml", 20, 290),
            ("soup-bb/checkpoint-100", "sft", "recipe/broth.yaml", 100, 290),
            ("stew-cc/checkpoint-100", "sft", "recipe/broth.yaml", 100, 290),
        ]
    ]


def test_the_table_says_how_far_each_came(shelf, capsys):
    code, text, _ = listed(shelf, capsys)
    hashes = [entry["sha256"][:12] for entry in listed(shelf, capsys, as_json=True)[1]]
    assert code == 0
    assert text.splitlines() == [
        "checkpoint        kind      SHA-256       state",
        f"broth-aa          pretrain  {hashes[0]}  finished: 900 steps",
        f"soup-bb           sft       {hashes[1]}  finished: 290 steps",
        "    adapter on recipe/broth.yaml",
        f"  checkpoint-20   sft       {hashes[2]}  unfinished: step 20 of 290",
        f"  checkpoint-100  sft       {hashes[3]}  unfinished: step 100 of 290",
        "stew-cc           sft       —             not finished",
        "    adapter on recipe/broth.yaml",
        f"  checkpoint-100  sft       {hashes[4]}  unfinished: step 100 of 290",
    ]


def test_a_training_under_way_is_said_to_be(shelf, capsys):
    (shelf / "stew-cc" / "checkpoint-150").mkdir()
    with being_trained(shelf / "stew-cc"):
        assert "stew-cc           sft       —             being trained now\n" in listed(shelf, capsys)[1]
        assert [entry["being_trained"] for entry in listed(shelf, capsys, as_json=True)[1]] == [False] * 4 + [True]
        assert "no manifest" not in listed(shelf, capsys)[1]
    assert "  checkpoint-150  —         —             no manifest\n" in listed(shelf, capsys)[1]


def test_an_early_end_and_restored_weights_are_said(tmp_path, capsys):
    adapter(tmp_path / "c" / "soup-bb", steps_done=180, weights_step=150, ended="no better for 3 evaluations")
    text = listed(tmp_path / "c", capsys)[1]
    assert "unfinished: step 180 of 290" in text
    assert "    stopped early: no better for 3 evaluations\n    its weights are of step 150\n" in text


def test_a_broken_manifest_hides_no_other(shelf, capsys):
    (shelf / "soup-bb" / "checkpoint-20" / "manifest.json").write_text('{"steps_done": 20')
    code, found, said = listed(shelf, capsys, as_json=True)
    assert (code, len(found)) == (2, 4)
    assert said.count("\n") == 1
    assert said.startswith(f"{shelf}/soup-bb/checkpoint-20/manifest.json: is not the manifest of a checkpoint (")


def test_other_folders_are_no_checkpoints(shelf, capsys):
    (shelf / "notes").mkdir()
    (shelf / "notes" / "manifest.json").write_text('{"name": "some web app", "icons": []}')
    (shelf / ".soup-bb.building-x").mkdir()
    assert len(listed(shelf, capsys, as_json=True)[1]) == 5


def test_one_training_can_be_listed_alone(shelf, capsys):
    assert [entry["saved_step"] for entry in listed(shelf / "soup-bb", capsys, as_json=True)[1]] == [None, 20, 100]


def test_a_shelf_with_a_folder_named_like_a_step_is_still_a_shelf(shelf, capsys):
    (shelf / "checkpoint-500").mkdir()
    assert len(listed(shelf, capsys, as_json=True)[1]) == 5
    adapter(shelf / "checkpoint-7")
    assert len(listed(shelf, capsys, as_json=True)[1]) == 6


def test_an_unfinished_training_can_be_listed_alone(shelf, capsys):
    assert [entry["saved_step"] for entry in listed(shelf / "stew-cc", capsys, as_json=True)[1]] == [100]


def test_a_long_name_breaks_no_line_of_figures(tmp_path, capsys):
    name = "a_recipe_with_a_rather_long_name_indeed-0123456789ab"
    adapter(tmp_path / "c" / name, steps_done=100)
    lines = listed(tmp_path / "c", capsys)[1].splitlines()
    assert lines[1] == name
    assert max(map(len, lines)) <= 80
    assert lines[2].endswith("unfinished: step 100 of 290")


def test_the_command_reads_the_environment_s_folder(shelf, tmp_path):
    env = environment(tmp_path, HARNESS_CHECKPOINTS=str(shelf))
    done = harness("checkpoints", "list", "--json", env=env, cwd=tmp_path)
    assert (done.code, len(done.json)) == (0, 5)
    none = harness("checkpoints", "list", "--json", env=environment(tmp_path), cwd=tmp_path / "checkpoints" / "..")
    assert (none.code, len(none.json)) == (0, 5)
    (tmp_path / "empty").mkdir()
    none = harness("checkpoints", "list", "--json", env=environment(tmp_path), cwd=tmp_path / "empty")
    assert (none.code, none.json, none.err) == (0, [], "")
    gone = harness("checkpoints", "list", "nowhere", env=env, cwd=tmp_path)
    assert (gone.code, gone.err) == (2, "nowhere: there is no such folder of checkpoints; check the path\n")


def test_show_says_everything_that_the_manifest_says(tmp_path, capsys):
    folder = adapter(
        tmp_path / "soup",
        steps_done=180,
        weights_step=150,
        ended="no better for 3 evaluations",
        epochs=1.24,
        epochs_planned=2.0,
        metrics={"validation_loss": 1.23456789, "win_rate": 0.61},
        parent=Base(spec="recipe/sft.yaml", sha256="c" * 64),
        state={"optimizer.pt": "e" * 64},
        git={"commit": "abc", "dirty": False},
        precision="bf16",
    )
    data = checkpoint.Data(
        sha256="d" * 64,
        planned=80,
        actual=70,
        held_out=4,
        truncated=3,
        dropped=1,
        files=(checkpoint.File(name="soups.jsonl", sha256="f" * 64, examples=70),),
        sources={"soups": {"planned": 80, "actual": 70}},
        index_sha256="9" * 64,
    )
    checkpoint.write(folder, replace(checkpoint.read(folder), data=data))
    assert showing.verb(folder, as_json=False) == 0
    text = capsys.readouterr().out
    assert max(len(line) for line in text.splitlines()[1:]) <= 80
    for said in (
        "what            sft, an adapter",
        "base            recipe/broth.yaml",
        "goes on from    recipe/sft.yaml",
        "steps           180 of 290 planned",
        "epochs          1.24 of 2 planned",
        "weights of step 150",
        "stopped early   no better for 3 evaluations",
        "validation_loss 1.23457",
        "win_rate        0.61",
        "examples        70 of 80 planned",
        "held out        4 (equal or near to held-out prompts)",
        "truncated       3 (cut to the longest length)",
        "dropped         1 (no answer left after the cut)",
        "source          soups: planned 80, actual 70",
        "file            soups.jsonl: 70 examples",
        "device          cpu, bf16",
        "git             commit abc, dirty False",
        "  index         " + "9" * 64,
        "  state optimizer.pt\n                " + "e" * 64,
        "    epochs: 2",
        *("bcdef"[place] * 64 for place in range(5)),
    ):
        assert said in text
    assert showing.verb(folder, as_json=True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"path": str(folder), **json.loads((folder / "manifest.json").read_text())}


def test_show_needs_a_manifest(tmp_path):
    with pytest.raises(InputError, match="there is no such checkpoint folder; check the path"):
        showing.verb(tmp_path / "nothing", as_json=False)
    with pytest.raises(InputError, match="holds no checkpoint manifest"):
        showing.verb(tmp_path, as_json=False)
