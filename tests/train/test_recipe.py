"""Recipes are checked whole, and another recipe, data file or base is another checkpoint."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import InputError
from train import recipe

RECIPES = Path(recipe.__file__).parent / "recipes"
GOOD = """
name: small
kind: sft
seed: 1
base: hf/somewhere
data: {files: [d.jsonl]}
lora: {rank: 4, alpha: 8}
training: {epochs: 1, batch_size: 4, learning_rate: 0.01}
"""


def write(tmp_path, text=GOOD):
    (tmp_path / "d.jsonl").write_text('{"prompt": "a", "response": "b"}\n')
    path = tmp_path / "r.yaml"
    path.write_text(text)
    return path


def said(path):
    with pytest.raises(InputError) as caught:
        recipe.load(path)
    return str(caught.value).replace(f"{path.parent}/", "").splitlines()


def test_every_shipped_recipe_is_whole():
    walked = sorted(RECIPES.glob("*.yaml"))
    assert len(walked) == 2
    assert [recipe.load(path).keys.kind for path in walked] == ["pretrain", "sft"]


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (("rank: 4", "rnak: 4"), "r.yaml:7: unknown key 'lora.rnak'"),
        (("epochs: 1", "epochs: 0"), "r.yaml:8: training.epochs: input should be greater than or equal to 1, found 0"),
        (("files: [d.jsonl]", "files: [e.jsonl]"), "r.yaml:6: there is no file 'e.jsonl'"),
        (("kind: sft", "kind: dpp"), "r.yaml:3: unknown kind 'dpp' of recipe; use one of: pretrain, sft"),
        (("hf/somewhere", "somewhere"), "r.yaml:5: base: string should match pattern"),
        (("hf/somewhere", "recipe/none.yaml"), "r.yaml:5: there is no file 'none.yaml'"),
        (("files: [d.jsonl]", "generator: kitchen_corpus"), "r.yaml:6: data: 'examples' goes with 'generator'"),
    ],
)
def test_a_wrong_recipe_is_named_with_its_line(tmp_path, change, start):
    found = said(write(tmp_path, GOOD.replace(*change)))
    assert any(line.startswith(start) for line in found), found


def test_another_recipe_data_file_or_base_is_another_checkpoint(tmp_path):
    path = write(tmp_path)
    name = recipe.load(path).folder_name("base")
    assert name == recipe.load(path).folder_name("base")
    assert name.startswith("small-")
    assert recipe.load(path).folder_name("other") != name
    (tmp_path / "d.jsonl").write_text('{"prompt": "a", "response": "c"}\n')
    assert recipe.load(path).folder_name("base") != name
    path.write_text(GOOD.replace("seed: 1", "seed: 2"))
    (tmp_path / "d.jsonl").write_text('{"prompt": "a", "response": "b"}\n')
    assert recipe.load(path).folder_name("base") != name


def test_where_a_recipe_lies_names_nothing(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    names = {recipe.load(write(folder)).folder_name("base") for folder in (here, there)}
    assert len(names) == 1


def test_reading_a_recipe_imports_no_torch():
    program = "import sys, train.recipe, train.build; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
