"""Recipes are checked whole, and another recipe, data file, base or parent is another checkpoint."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.errors import InputError
from tests.published import write_lines
from train import recipe
from train.keys import KINDS

ROOT = Path(recipe.__file__).parents[1]
SHIPPED = 11
"""Recipes of language models; those of encoders are read in tests/train/encoder."""
OF_LOGS = ("brie", "twix", "recipe_mpr", "mbert")
GOOD = """
name: small
kind: sft
seed: 1
base: hf/somewhere
data: {files: [d.jsonl]}
lora: {rank: 4, alpha: 8}
training: {epochs: 1, batch_size: 4, learning_rate: 0.01}
"""


def write(folder, text=GOOD):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "d.jsonl").write_text('{"prompt": "a", "response": "b"}\n')
    path = folder / "r.yaml"
    path.write_text(text)
    return path


def said(path, *changes):
    with pytest.raises(InputError) as caught:
        recipe.load(path, changes)
    return str(caught.value).replace(f"{path.parent}/", "").splitlines()


def test_every_shipped_recipe_is_whole(tmp_path):
    """Files that a user brings are not there; all else is, and what each recipe says is read to the last key."""
    folder = shutil.copytree(ROOT / "train/recipes", tmp_path / "train/recipes")
    (tmp_path / "suites").symlink_to(ROOT / "suites")
    read = {path: yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))}
    walked = [path for path, given in read.items() if given["kind"] != recipe.ENCODER]
    kinds = set()
    for path in walked:
        given = read[path]
        for part in (given["data"], *given["data"].get("mix", []), given["data"].get("validation") or {}):
            for name in part.get("files", []):
                (path.parent / name).parent.mkdir(parents=True, exist_ok=True)
                (path.parent / name).write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}\n')
        found = recipe.load(path)
        assert found.keys.name == path.stem
        assert found.folder_name("base").startswith(f"{path.stem}-")
        kinds.add(found.keys.kind)
    assert len(walked) == SHIPPED
    assert kinds == set(KINDS)


@pytest.mark.parametrize(
    "path",
    [path for path in sorted((ROOT / "train/recipes").glob("*.yaml")) if path.name.startswith(OF_LOGS)],
    ids=lambda path: path.stem,
)
def test_every_setting_of_a_logged_experiment_says_where_it_is_from(path):
    settings = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    # What names a thing, or opens a mapping, settles nothing.
    told = [line for line in settings if not re.match(r"\s*(- )?(name|kind):|.*:$", line)]
    assert len(told) > 10
    assert [line for line in told if not re.search(r" # (log|chosen)\b", line)] == []


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (("rank: 4", "rnak: 4"), "r.yaml:7: unknown key 'lora.rnak'"),
        (("lora:", "lara:"), "r.yaml:7: unknown key 'lara'; known keys: name, seed, data,"),
        (("epochs: 1", "epochs: 0"), "r.yaml:8: training.epochs: input should be greater than 0, found 0"),
        (("files: [d.jsonl]", "files: [e.jsonl]"), "r.yaml:6: there is no file 'e.jsonl'"),
        (("kind: sft", "kind: dpp"), "r.yaml:3: unknown kind 'dpp' of recipe; use one of: pretrain, sft, dpo, reward"),
        (("kind: sft", "kind: [sft]"), "r.yaml:3: unknown kind ['sft'] of recipe"),
        (("hf/somewhere", "somewhere"), "r.yaml:5: base: string should match pattern"),
        (("hf/somewhere", "recipe/none.yaml"), "r.yaml:5: there is no file 'none.yaml'"),
        (("seed: 1", "seed: 1\nparent: recipe/none.yaml"), "r.yaml:2: 'parent' has its own adapter"),
        (("lora: {rank: 4, alpha: 8}", "parent: recipe/none.yaml"), "r.yaml:7: there is no file 'none.yaml'"),
        (("files: [d.jsonl]", "generator: kitchen_corpus"), "r.yaml:6: data: 'examples' goes with 'generator'"),
        (("[d.jsonl]}", "[d.jsonl], held_out: [h.jsonl]}"), "r.yaml:6: there is no file 'h.jsonl'"),
        (("[d.jsonl]}", "[d.jsonl], validation: {files: [v.jsonl]}}"), "r.yaml:6: there is no file 'v.jsonl'"),
        (("seed: 1", "seed: 1\nevaluate: {suite: none}"), "r.yaml:5: evaluate.suite: "),
    ],
)
def test_a_wrong_recipe_is_named_with_its_line(tmp_path, change, start):
    found = said(write(tmp_path, GOOD.replace(*change)))
    assert any(line.startswith(start) for line in found), found


def test_all_problems_come_at_once(tmp_path):
    text = GOOD.replace("epochs: 1", "epochs: 0").replace("rank: 4", "rank: 0").replace("seed: 1", "seed: one")
    assert [line.split(" ")[0] for line in said(write(tmp_path, text))] == ["r.yaml:4:", "r.yaml:8:", "r.yaml:7:"]


def test_changes_stand_above_the_file(tmp_path):
    path = write(tmp_path)
    changes = ["training.epochs=3", "lora.rank=16", "anchor.coef=0.5", "training.learning_rate=1e-3", "threads=2"]
    keys = recipe.load(path, changes).keys
    assert (keys.training.epochs, keys.lora.rank, keys.lora.alpha, keys.anchor.coef) == (3, 16, 8, 0.5)
    assert (keys.training.learning_rate, keys.threads, keys.training.batch_size) == (0.001, 2, 4)


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("a.b=3", 3),
        ("a.b=0.5", 0.5),
        ("a.b=true", True),
        ("a.b=null", None),
        ("a.b=", None),
        ("a.b='3'", "3"),
        ("a.b=[x.jsonl, y.jsonl]", ["x.jsonl", "y.jsonl"]),
        ("a.b={share: 0.1}", {"share": 0.1}),
        ("a.b=x=y", "x=y"),
    ],
)
def test_a_changed_value_has_the_type_that_yaml_gives_it(change, value):
    given = {"a": {"c": 1}}
    assert recipe.changed(given, [change]) == {"a": {"c": 1, "b": value}}
    assert given == {"a": {"c": 1}}


@pytest.mark.parametrize(
    ("change", "start"),
    [
        ("training.epochs", "--set 'training.epochs' has another form; write --set key=value, such as training.epochs"),
        ("=3", "--set '=3' has another form"),
        ("training..epochs=3", "--set 'training..epochs=3' has another form"),
        ("data.files=[a", "--set 'data.files=[a': '[a' is not YAML; put quotes around it"),
        ("name.first=a", "--set 'name.first=a': 'name' of the recipe is no mapping; set it as a whole"),
        ("training.epochs=0", "--set training.epochs=0: training.epochs: input should be greater than 0, found 0"),
        ("training.epoch=3", "--set training.epoch=3: unknown key 'training.epoch'; remove it"),
        ("lora={rank: 0, alpha: 1}", "--set lora={rank: 0, alpha: 1}: lora.rank: input should be greater than"),
        ("kind=sftt", "--set kind=sftt: unknown kind 'sftt' of recipe; use one of: pretrain, sft, dpo, reward"),
        ("data.files=[e.jsonl]", "--set data.files=[e.jsonl]: there is no file 'e.jsonl'; check the path"),
        ("base=recipe/none.yaml", "--set base=recipe/none.yaml: there is no file 'none.yaml'; check the path"),
    ],
)
def test_a_wrong_change_is_named_itself(tmp_path, change, start):
    (found,) = said(write(tmp_path), change)
    assert found.startswith(start)


def test_problems_of_the_file_keep_their_lines_beside_changes(tmp_path):
    path = write(tmp_path, GOOD.replace("rank: 4", "rank: 0"))
    found = said(path, "training.epochs=0")
    assert [line.split(" ")[0] for line in sorted(found)] == ["--set", "r.yaml:7:"]


def test_of_two_changes_of_one_key_the_last_counts_and_is_named(tmp_path):
    path = write(tmp_path)
    assert recipe.load(path, ["training.epochs=2", "training.epochs=3"]).keys.training.epochs == 3
    (found,) = said(path, "training.epochs=2", "training.epochs=0")
    assert found.startswith("--set training.epochs=0: ")


def test_another_recipe_data_file_base_or_parent_is_another_checkpoint(tmp_path):
    path = write(tmp_path)
    name = recipe.load(path).folder_name("base")
    assert name == recipe.load(path).folder_name("base")
    assert name.startswith("small-")
    assert recipe.load(path).folder_name("other") != name
    assert recipe.load(path).folder_name("base", "parent") != name
    (tmp_path / "d.jsonl").write_text('{"prompt": "a", "response": "c"}\n')
    assert recipe.load(path).folder_name("base") != name
    path.write_text(GOOD.replace("seed: 1", "seed: 2"))
    (tmp_path / "d.jsonl").write_text('{"prompt": "a", "response": "b"}\n')
    assert recipe.load(path).folder_name("base") != name
    assert recipe.load(write(tmp_path), ["training.epochs=2"]).folder_name("base") != name


@pytest.mark.parametrize("change", ["log=[]", "save.every=3", "save.keep=5"])
def test_what_changes_no_weight_changes_no_name(tmp_path, change):
    path = write(tmp_path)
    assert recipe.load(path, [change]).folder_name("base") == recipe.load(path).folder_name("base")


def test_which_steps_are_saved_matters_where_the_best_is_put_back(tmp_path):
    path = write(tmp_path, GOOD.replace("[d.jsonl]}", "[d.jsonl], validation: {share: 0.1}}"))
    stopping = "early_stopping.patience=1"
    names = {recipe.load(path, [stopping, f"save.every={every}"]).folder_name("base") for every in (1, 2)}
    assert len(names) == 2


def test_where_a_recipe_lies_names_nothing(tmp_path):
    names = {recipe.load(write(tmp_path / where)).folder_name("base") for where in ("here", "there/below")}
    assert len(names) == 1


def test_the_bytes_of_a_local_dataset_name_its_checkpoint(tmp_path):
    path = write(tmp_path, GOOD.replace("files: [d.jsonl]", "dataset: chats"))
    (tmp_path / "chats").mkdir()
    names = []
    for text in ("b", "c", "b"):
        write_lines(tmp_path / "chats" / "train.jsonl", [{"prompt": "a", "response": text}])
        names.append(recipe.load(path).folder_name("base"))
    assert names[0] == names[2] != names[1]


def test_a_bundled_suite_is_found_by_its_name_and_one_of_its_own_beside_it(tmp_path):
    path = write(tmp_path, GOOD + "evaluate: {suite: in_domain}\n")
    assert recipe.load(path).suite() == ROOT / "suites/in_domain.yaml"
    own = tmp_path / "own.yaml"
    own.write_text("name: own\n")
    assert recipe.load(path, ["evaluate.suite=own.yaml"]).suite() == own


def test_reading_a_recipe_imports_no_torch():
    program = "import sys, train.recipe, train.build; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
