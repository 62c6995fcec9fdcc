"""`harness validate` of matrix suites: the files of every task, and of every cell its method and its recipe.

A cell that trains is written down as it would be before it is run, into a folder that is thrown away, and its recipe is
checked there. Nothing is trained, opened or downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from harness.classify.checking import UNSEEN, Found, Known, Say, asking_misfits, known_of, placed, told
from harness.classify.launch import head_of, mode_of
from harness.classify.suite import MethodKeys
from harness.errors import InputError, Problem
from harness.matrix.suite import HEADED, TRAINED, Cell, MatrixSuite, load
from harness.matrix.written import RECIPE, as_yaml, encoder_recipe, write_cell
from harness.models.spec import parse
from harness.report.numerals import listed
from harness.tasks.keys import Where
from harness.tasks.values import Split
from harness.yamlfile import describe, load_yaml

CheckRecipe = Callable[[Path], Any]


def problems_in(path: Path, check_recipe: CheckRecipe, say: Say) -> list[Problem]:
    """Every problem of a matrix suite; `say` hears what was not checked. Raises InputError with the file's own."""
    suite = load(path)
    tasks = {name: _known(suite, name) for name in suite.keys.tasks}
    unseen = [name for name, known in tasks.items() if not known.whole]
    if unseen:
        say(f"{path}: {UNSEEN.format(listed(unseen))}")
    found: list[tuple[Where, Problem | str]] = []
    for name, known in tasks.items():
        found += [(("tasks", name, *where), each) for where, each in known.problems]
    for cell in suite.cells():
        found += _of_cell(suite, cell, tasks[cell.task], check_recipe)
    return list(dict.fromkeys(placed(found, path, load_yaml(path)[1])))


def _known(suite: MatrixSuite, name: str) -> Known:
    own = suite.keys.tasks[name]
    trained = any(cell.task == name and cell.mode in TRAINED for cell in suite.cells())
    need: tuple[Split, ...] = ("train", "test") if trained else ("test",)
    known = known_of(own.task, own.split, suite.folder, need=need)
    task = known.task
    wrong = told(lambda: head_of(task, own.head)) if task is not None else ()
    if wrong:
        return Known(task=None, whole=known.whole, problems=tuple((("head",), each) for each in wrong))
    return known


def _of_cell(suite: MatrixSuite, cell: Cell, known: Known, check_recipe: CheckRecipe) -> Found:
    """What is wrong with one cell, at the key of its mode or of its task."""
    at: Where = ("modes", cell.mode)
    wrong = list(_asked(suite, cell, suite.settings(cell).method, known)) if cell.mode not in HEADED else []
    for where, each in wrong:
        own = where == ("method", "template") and suite.keys.tasks[cell.task].template is not None
        yield ("tasks", cell.task, "template") if own else (*at, *where), each
    spec = parse(suite.keys.models[cell.model].spec, role="candidate", folder=suite.folder)
    if cell.mode in TRAINED and spec.kind not in ("hf", "recipe"):
        yield at, f"{cell}: {spec.text!r} can be asked, not trained; leave the cell out by 'exclude'"
    elif cell.mode in TRAINED and known.task is not None and not wrong:
        yield from (((*at, "recipe"), f"{cell}: {each}") for each in _recipe(suite, cell, check_recipe, known.whole))


def _asked(suite: MatrixSuite, cell: Cell, given: Mapping[str, Any], known: Known) -> Found:
    """Whether the cell's model can be asked as its method says."""
    try:
        method = MethodKeys.model_validate(given)
    except ValidationError as error:
        yield from ((("method",), f"{cell}: method: {describe(dict(item))}") for item in error.errors())
        return
    if known.task is None:
        return
    if cell.mode != "lora":
        spec = parse(suite.keys.models[cell.model].spec, role="candidate", folder=suite.folder)
        yield from ((("method",), each) for each in told(lambda: mode_of(spec, method)) if spec.kind != "recipe")
    head = head_of(known.task, suite.keys.tasks[cell.task].head)
    yield from asking_misfits(known.task, head, method, suite.folder, whole=known.whole)


def _recipe(suite: MatrixSuite, cell: Cell, check_recipe: CheckRecipe, whole: bool) -> Iterator[str]:
    """What is wrong with the recipe that the cell would train; its own lines mean nothing to the suite's reader."""
    if cell.mode == "lora" and not whole:
        return
    with TemporaryDirectory() as folder:
        into = Path(folder) / cell.name
        into.mkdir()
        try:
            if cell.mode in HEADED:
                (into / RECIPE).write_text(as_yaml(encoder_recipe(suite, cell)), encoding="utf-8")
            else:
                write_cell(suite, cell, into)
            check_recipe(into / RECIPE)
        except InputError as error:
            yield from (each.what if isinstance(each, Problem) else each for each in error.problems)
