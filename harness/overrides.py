"""`--set key.key=value` on suites: the changed values, and files in them as the command line means them.

What stands in a suite is relative to it, what stands on the command line to the working directory: a file that is
named by --set is looked for from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.yamlfile import LineOf, changed, load_yaml

Steps = tuple[str, ...]
SPLITS = ("whole", "train", "validation", "test")
# Where suites name files, below the suite or below one of its tasks.
FILES = {("task", name) for name in ("recipe_mpr", "files", *SPLITS[1:])} | {("task", "files", name) for name in SPLITS}
TEMPLATES = {("template",), ("method", "template")}
SPECS = {("candidate",), ("encoder",), ("language",)}
# Mappings by name, whose values are like a suite of their own.
NAMED = ("tasks", "models", "modes")


def read(path: Path, changes: Sequence[str] = ()) -> tuple[dict[str, Any], LineOf]:
    """A suite's values with its changes on top, and the lines of its file. Raises InputError as `load_yaml` does."""
    values, line_of = load_yaml(path)
    for change in changes:
        values = changed(values, [change], of="suite")
        *above, last = change.partition("=")[0].split(".")
        inner = values
        for step in above:
            inner = inner[step]
        inner[last] = _meant((*above, last), inner[last])
    return values, line_of


def _meant(steps: Steps, value: Any) -> Any:
    """A value with every file in it made absolute."""
    if isinstance(value, Mapping):
        return {key: _meant((*steps, str(key)), own) for key, own in value.items()}
    own = steps[2:] if steps[0] in NAMED else steps
    if not isinstance(value, str) or not value:
        return value
    if own in FILES or (own in TEMPLATES and ("/" in value or value.endswith(".md"))):
        return str(Path(value).absolute())
    return _spec(value) if own in SPECS else value


def _spec(text: str) -> str:
    """A spec whose files are absolute; a hub id, and an API's model, stay what they are."""
    kind, _, rest = text.partition("/")
    if kind in ("recorded", "recipe"):
        return f"{kind}/{Path(rest).absolute()}"
    if kind == "hf":
        parts = rest.split("+")
        return "hf/" + "+".join(str(Path(part).absolute()) if part and Path(part).exists() else part for part in parts)
    return text
