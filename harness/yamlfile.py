"""YAML files that people write (suites, recipes): plain values, with the line each of them stands on.

Refuses what would be read silently as something else: a repeated key, a file that is no mapping, tags, bad UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from harness.errors import InputError, Problem

LineOf = Callable[[Sequence[int | str]], int | None]
_OPTION = "--set"


def read_text(path: Path, *, journal: bool = False) -> str:
    """The text of a UTF-8 file. Raises InputError where it is missing, unreadable or not UTF-8 (with the line).

    In a run's own `journal` a last line without its newline was torn by a crash; it is left out.
    """
    try:
        data = path.read_bytes()
    except IsADirectoryError:
        raise InputError([Problem(path=str(path), what="this is a folder; give a file")]) from None
    except FileNotFoundError:
        raise InputError([Problem(path=str(path), what="there is no such file; check the path")]) from None
    except OSError as error:
        raise InputError([Problem(path=str(path), what=f"cannot be read: {error.strerror or error}")]) from None
    if journal:
        data = data[: data.rfind(b"\n") + 1]
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"is not UTF-8: byte 0x{data[error.start]:02x}; save the file as UTF-8"
        raise InputError([Problem(path=str(path), line=line, what=what)]) from None


def load_yaml(path: Path) -> tuple[dict[str, Any], LineOf]:
    """Read a YAML mapping. Returns its values and a function from a pydantic error location to a 1-based line.

    Raises InputError with the line of broken YAML or of a repeated key.
    """
    text = read_text(path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = _constructed(root) if root is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        detail = getattr(error, "problem", None) or str(error)
        line = mark.line + 1 if mark is not None else None
        raise InputError([Problem(path=str(path), line=line, what=f"is not YAML: {detail}; mend the line")]) from None
    except ValueError as error:
        # A date that no calendar has.
        raise InputError([Problem(path=str(path), what=f"is not YAML: {error}; put such values in quotes")]) from None
    if not isinstance(root, yaml.MappingNode) or not isinstance(values, dict):
        raise InputError([Problem(path=str(path), line=1, what="holds no `key: value` lines; write a YAML mapping")])
    try:
        repeated = [Problem(path=str(path), line=line, what=what) for line, what in _repeated_keys(root)]
    except RecursionError:
        raise InputError(
            [Problem(path=str(path), what="a part of it holds itself, by '&' and '*'; undo that")]
        ) from None
    if repeated:
        raise InputError(repeated)
    return values, lambda location: _line(root, location)


def _constructed(root: yaml.Node) -> Any:
    """The values of a composed file. A key is the text it is written as: YAML would read `on` and `yes` as true."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.tag == "tag:yaml.org,2002:bool":
                    key.tag = "tag:yaml.org,2002:str"
                waiting.append(value)
    return yaml.SafeLoader("").construct_document(root)


def _repeated_keys(node: yaml.Node) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name = str(key.value)
            line = key.start_mark.line + 1
            if name in seen:
                found.append((line, f"the key {name!r} stands twice (first on line {seen[name]}); keep one"))
            seen.setdefault(name, line)
            found += _repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            found += _repeated_keys(child)
    return found


def _line(node: yaml.Node, location: Sequence[int | str]) -> int | None:
    """The line of the deepest part of `location` that the file holds; a missing key has its parent's line."""
    line = int(node.start_mark.line) + 1
    for step in location:
        child = _child(node, step)
        if child is None:
            return line
        line, node = child
    return line


def _child(node: yaml.Node, step: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if str(key.value) == str(step):
                return int(key.start_mark.line) + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child = node.value[step]
        return int(child.start_mark.line) + 1, child
    return None


def changed(values: Mapping[str, Any], changes: Sequence[str], *, of: str = "recipe") -> dict[str, Any]:
    """A file's values with "key.key=value" changes (values are YAML). Raises InputError for another form."""
    result = deepcopy(dict(values))
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or not all(key.split(".")):
            raise InputError(
                f"{_OPTION} {change!r} has another form; write {_OPTION} key=value, such as training.epochs=3"
            )
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise InputError(f"{_OPTION} {change!r}: {text!r} is not YAML; put quotes around it") from None
        _place(result, key.split("."), value, change, of)
    return result


def _place(values: dict[str, Any], steps: Sequence[str], value: Any, change: str, of: str) -> None:
    *above, last = steps
    inner: Any = values
    for step in above:
        inner = inner.setdefault(step, {})
        if not isinstance(inner, dict):
            raise InputError(f"{_OPTION} {change!r}: {step!r} of the {of} is no mapping; set it as a whole")
    inner[last] = value


def problem(
    what: str, where: Sequence[int | str], path: Path | str, line_of: LineOf, changes: Sequence[str] = ()
) -> Problem:
    """A problem with its line, or with the --set that the value came by."""
    name = ".".join(map(str, where))
    keys = {change.partition("=")[0]: change for change in changes}
    by = next((change for key, change in keys.items() if f"{name}.".startswith(f"{key}.")), None)
    if by is not None:
        return Problem(path=f"{_OPTION} {by}", what=what)
    return Problem(path=str(path), line=line_of(where), what=what)


def problems_of(
    error: ValidationError, path: str, line_of: LineOf, known: Sequence[str] = (), changes: Sequence[str] = ()
) -> list[Problem]:
    """Turn a pydantic error into problems worded like everywhere else: what is wrong, the value, the way out."""
    return [problem(describe(dict(item), known), tuple(item["loc"]), path, line_of, changes) for item in error.errors()]


def describe(item: dict[str, Any], known: Sequence[str] = ()) -> str:
    """One pydantic error item in words. `known` are the top-level keys to offer where one is unknown."""
    where = ".".join(str(step) for step in item["loc"]) or "this"
    kind, value = item["type"], item.get("input")
    if kind == "extra_forbidden":
        offer = f"; known keys: {', '.join(known)}" if known and len(item["loc"]) == 1 else "; remove it"
        return f"unknown key {where!r}{offer}"
    if kind == "missing":
        return f"the key {where!r} is missing; add it"
    message = str(item["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if not item["loc"]:
        return message
    shown = repr(value)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    return f"{where}: {message[0].lower()}{message[1:]}, found {shown}"
