"""`harness checkpoints verify`: a gate that fails where files are no longer what the manifest says, or the base is not.

Checked are weights, adapter, config, tokenizer, chat template, training index, resume state, and for an adapter that
its base, where it can be found here, is the one it was trained on. Nothing is fetched or loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness import checkpoint
from harness.checkpoints.bases import beside, changed_on_shelf, in_place, on_shelf
from harness.checkpoints.files import ENSEMBLE, damage
from harness.checkpoints.manifest import Manifest
from harness.errors import InputError, Problem
from harness.report.numerals import listed, plural


@dataclass(slots=True)
class Checked:
    """What was looked at, what was found, and what could not be looked at."""

    names: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def verb(paths: Sequence[Path], *, shelf: Path) -> int:
    """Print every finding, of an ensemble those of its members.

    Exit code 1 where there is one, 0 where there is none, 2 where a path is no checkpoint.
    """
    findings, wrong, whole = 0, 0, [own for path in paths for own in _trainings(path)]
    for path in whole:
        try:
            checked = check(path, shelf)
        except InputError as error:
            wrong += 1
            print(error, file=sys.stderr)
            continue
        findings += len(checked.problems)
        for problem in checked.problems:
            print(problem)
        print(_said(path, checked), file=sys.stderr)
    count = len(whole) - wrong
    print(f"{plural(count, 'checkpoint')} checked, {plural(findings, 'finding')}", file=sys.stderr)
    return 2 if wrong else 1 if findings else 0


def _trainings(path: Path) -> Sequence[Path]:
    """A path, or where it is an ensemble its members. Raises InputError where one of these is missing."""
    if not (path / ENSEMBLE).is_file():
        return (path,)
    from harness.models.encoder.asking import members_of

    return members_of(path)


def check(path: Path, shelf: Path | None = None) -> Checked:
    """Check one checkpoint. Raises InputError where the path holds none of ours (a broken manifest is a finding)."""
    try:
        manifest = checkpoint.find(path)
    except InputError as error:
        return Checked(["manifest"], [item for item in error.problems if isinstance(item, Problem)])
    if manifest is None:
        what = "holds no checkpoint manifest: its training did not finish, or it comes from elsewhere; check the path"
        if not path.is_dir():
            what = "there is no such checkpoint folder; check the path"
        raise InputError([Problem(path=str(path), what=what)])
    found = Checked(["manifest"])
    try:
        hashes = checkpoint.compared(path, manifest, state=True)
    except InputError as error:
        found.problems += [item for item in error.problems if isinstance(item, Problem)]
        hashes = {}
    found.problems += checkpoint.differing(path, hashes) + damage(path)
    found.names += [name for name in hashes if name not in map(checkpoint.state_name, manifest.state)]
    if manifest.state:
        found.names.append(f"resume state ({plural(len(manifest.state), 'file')})")
    if manifest.base is not None and manifest.adapter_sha256 is not None:
        _check_base(path, manifest, shelf, found)
    return found


def _check_base(path: Path, manifest: Manifest, shelf: Path | None, found: Checked) -> None:
    assert manifest.base is not None
    folders = beside(path, shelf)
    if on_shelf(manifest.base, folders) is not None:
        found.names.append("base")
        return
    place = in_place(manifest.base)
    wrong = checkpoint.on_its_base(place, path) if place is not None else None
    changed = [wrong] if wrong is not None else changed_on_shelf(manifest.base, folders) if place is None else []
    if changed or place is not None:
        found.names.append("base")
        found.problems += changed
    else:
        found.left_out.append(f"its base {manifest.base.spec}, which is not here")


def _said(path: Path, checked: Checked) -> str:
    left = f"; not checked: {listed(checked.left_out)}" if checked.left_out else ""
    names = listed(checked.names, most=20)
    if checked.problems:
        return f"{path}: {plural(len(checked.problems), 'finding')}; checked: {names}{left}"
    return f"{path}: as it was written ({names}){left}"
