"""What a cell is written down as before it is run: a classify suite, and where it trains a recipe with its examples.

A cell's folder can be run by hand: `harness run …/suite.yaml`. All paths in it are absolute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from harness.classify.asking import shown
from harness.classify.launch import head_of, template_of, words_of
from harness.classify.suite import MethodKeys
from harness.classify.template import TaskTemplate, is_bundled
from harness.errors import InputError
from harness.folder import write_whole
from harness.matrix.suite import HEADED, TRAINED, Cell, MatrixSuite, TaskCellKeys, merged
from harness.tasks.load import load as load_task
from harness.tasks.values import Item, Task
from harness.yamlfile import load_yaml

SUITE, RECIPE, EXAMPLES, VALIDATION = "suite.yaml", "recipe.yaml", "train.jsonl", "validation.jsonl"
LORA_HEAD: Mapping[str, Any] = {"lora": {"rank": 16, "alpha": 32}, "head": {"pooling": "last"}}
# What of a recipe names a file or another checkpoint, relative to the recipe.
REFERRING = ("base", "parent")


def write_cell(suite: MatrixSuite, cell: Cell, into: Path) -> Path:
    """Write what a cell needs into its folder; returns its suite. Raises InputError where task or recipe is wrong."""
    into.mkdir(parents=True, exist_ok=True)
    settings = suite.settings(cell)
    own, spec = suite.keys.tasks[cell.task], suite.keys.models[cell.model].spec
    candidate = absolute_spec(spec, suite.folder)
    if cell.mode in TRAINED:
        task = load_task(own.task, own.split, suite.folder, where=f"tasks.{cell.task}", need=("train", "test"))
        if cell.mode in HEADED:
            recipe = encoder_recipe(suite, cell)
        else:
            recipe = _label_generation(suite, cell, candidate, settings, task, into)
        write_whole(into / RECIPE, as_yaml(recipe))
        candidate = f"recipe/{into.resolve() / RECIPE}"
    method = dict(settings.method) if cell.mode not in HEADED else {}
    template = method.get("template")
    if isinstance(template, str) and (suite.folder / template).is_file() and not is_bundled(template):
        method["template"] = str((suite.folder / template).resolve())
    values = {
        "name": cell.name,
        "kind": "classify",
        **task_keys(own, suite.folder),
        "candidate": candidate,
        **({"method": method} if method else {}),
        "seed": suite.keys.seed,
    }
    write_whole(into / SUITE, as_yaml(values))
    return into / SUITE


def task_keys(own: TaskCellKeys, folder: Path) -> dict[str, Any]:
    """`task`, `split` and `head` as a suite or a recipe elsewhere would have them."""
    task = own.task.model_dump(mode="json", exclude_unset=True)
    found: dict[str, Any] = {"task": _absolute_task(task, folder)}
    split = own.split.model_dump(mode="json", exclude_unset=True)
    if split:
        found["split"] = split
    if own.head is not None:
        found["head"] = own.head
    return found


def _absolute_task(task: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    found = dict(task)
    for key in ("recipe_mpr", "train", "validation", "test"):
        if isinstance(found.get(key), str):
            found[key] = str((folder / found[key]).resolve())
    if isinstance(found.get("hub"), str) and (folder / found["hub"]).is_dir():
        found["hub"] = str((folder / found["hub"]).resolve())
    files = found.get("files")
    if isinstance(files, Mapping):
        named = {name: str((folder / path).resolve()) for name, path in files.items() if path is not None}
        found["files"] = named.get("whole", named)
    return found


def absolute_spec(spec: str, folder: Path) -> str:
    """A spec whose files are found from anywhere; a hub id stays what it is."""
    kind, _, rest = spec.partition("/")
    if kind not in ("recipe", "recorded", "hf", "reward"):
        return spec
    places = [rest] if kind in ("recipe", "recorded") or (folder / rest).exists() else rest.split("+")
    always = kind in ("recipe", "recorded")
    return f"{kind}/{'+'.join(str((folder / p).resolve()) if always or (folder / p).exists() else p for p in places)}"


def encoder_recipe(suite: MatrixSuite, cell: Cell) -> dict[str, Any]:
    """The recipe of a fine-tuned encoder; one that is given as a recipe is taken as it is, for this task.

    Of a language model: an adapter and a head on its last token.
    """
    spec = absolute_spec(suite.keys.models[cell.model].spec, suite.folder)
    kind, _, rest = spec.partition("/")
    own = suite.keys.tasks[cell.task]
    task = {key: value for key, value in task_keys(own, suite.folder).items() if key != "head"}
    if cell.mode == "lora-head":
        given = {"kind": "encoder", "base": spec, "seed": suite.keys.seed, **LORA_HEAD}
    elif kind == "recipe":
        values, _ = load_yaml(Path(rest))
        if values.get("kind") != "encoder":
            raise InputError(f"models.{cell.model}: {rest} is no recipe of kind encoder; give one, or hf/…")
        given = {key: value for key, value in values.items() if key not in ("task", "split")}
        given |= {key: absolute_spec(given[key], Path(rest).parent) for key in REFERRING if key in given}
    else:
        given = {"kind": "encoder", "base": spec, "seed": suite.keys.seed}
    return {**merged(given, suite.settings(cell).recipe), "name": recipe_name(suite, cell), **task}


def _label_generation(
    suite: MatrixSuite, cell: Cell, spec: str, settings: Any, task: Task, into: Path
) -> dict[str, Any]:
    """The recipe of an adapter that learns to write labels, and its examples."""
    method = MethodKeys.model_validate(settings.method)
    template = template_of(task, method.template, suite.folder)
    head = head_of(task, suite.keys.tasks[cell.task].head)
    write_whole(into / EXAMPLES, _examples(task, head, template, task.train))
    data: dict[str, Any] = {"files": [EXAMPLES]}
    if task.validation:
        write_whole(into / VALIDATION, _examples(task, head, template, task.validation))
        data["validation"] = {"files": [VALIDATION]}
    given = {"kind": "sft", "base": spec, "seed": suite.keys.seed, "data": data}
    return {**merged(given, settings.recipe), "name": recipe_name(suite, cell)}


def _examples(task: Task, head: str, template: TaskTemplate, items: Sequence[Item]) -> str:
    """Items as prompts and responses: what a chat model is shown, and the label's word."""
    words = words_of(template, task, head)
    lines = []
    for item in items:
        prompt = template.chat(shown(item, task.text_fields), (), words)[-1].content
        lines.append(json.dumps({"prompt": prompt, "response": words[item.labels[head]]}, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def recipe_name(suite: MatrixSuite, cell: Cell) -> str:
    """What a cell's recipe, and so its checkpoint, is called."""
    return f"{suite.name}_{cell.name}".replace(".", "_").replace("-", "_")


def as_yaml(values: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True))
