"""Tables of a dataset of the hub (or of a folder of one) through the `datasets` library, imported only here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from harness.errors import InputError, Problem
from harness.tasks.keys import TaskKeys
from harness.tasks.layout import GLUE_HUB, GLUE_TEST
from harness.tasks.rows import Table
from harness.tasks.values import SPLITS, Split


def tables(keys: TaskKeys, folder: Path, *, near: bool = False) -> list[Table]:
    """A table for each split; with `near` only of what this machine holds already.

    Raises InputError where the dataset cannot be loaded, or lacks a split.
    """
    name, config = (GLUE_HUB, keys.glue) if keys.glue else (str(keys.hub), keys.config)
    data = _loaded(name, config, keys.revision, folder, near)
    found = [
        _table(f"{name}/{config}" if config else name, split, of, data[of])
        for split, of in _wanted(keys, name, tuple(data)).items()
    ]
    empty = [table for table in found if not table.rows]
    if empty:
        raise InputError([Problem(path=table.path, what="holds no rows; it needs at least one") for table in empty])
    return found


def _wanted(keys: TaskKeys, name: str, there: tuple[str, ...]) -> dict[Split, str]:
    """Which split of the dataset is which here."""
    wanted: dict[Split, str]
    if keys.glue is not None:
        wanted = {"train": "train", "test": GLUE_TEST[keys.glue]}
    elif keys.splits is not None:
        wanted = {split: of for split in SPLITS if (of := getattr(keys.splits, split))}
    else:
        wanted = {split: split for split in SPLITS if split in there}
    lacking = [of for of in wanted.values() if of not in there]
    if lacking or not wanted:
        what = f"has no split {lacking[0]!r}" if lacking else "has no split train, validation or test"
        raise InputError(f"the dataset {name!r} {what}; name in 'splits' some of {', '.join(there)}")
    return wanted


def _loaded(name: str, config: str | None, revision: str | None, folder: Path, only_near: bool) -> Mapping[str, Any]:
    try:
        import datasets
    except ImportError:
        raise InputError(
            f"the dataset {name!r} needs the datasets library; install judge-harness[train], or give files"
        ) from None
    near = folder / name
    try:
        with _unconnected() if only_near else nullcontext():
            found: Mapping[str, Any] = datasets.load_dataset(
                str(near) if near.is_dir() else name, config, revision=None if near.is_dir() else revision
            )
    except Exception as error:  # The library raises a dozen unrelated types; each means the same here.
        if only_near:
            raise InputError(f"the dataset {name!r} is not on this machine") from None
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"the dataset {name!r} (config {config}, revision {revision}) cannot be loaded: {reason}; check its id, or "
            "give files"
        ) from None
    return found


@contextmanager
def _unconnected() -> Iterator[None]:
    """The library without its hub, which it would otherwise look for at length where there is no network."""
    import datasets
    import huggingface_hub.constants

    held: list[Any] = [datasets.config, huggingface_hub.constants]
    before = [module.HF_HUB_OFFLINE for module in held]
    for module in held:
        module.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        for module, was in zip(held, before, strict=True):
            module.HF_HUB_OFFLINE = was


def _table(name: str, split: Split, of: str, data: Any) -> Table:
    names = {
        column: tuple(feature.names)
        for column, feature in (data.features or {}).items()
        if getattr(feature, "names", None)
    }
    told = f"{name}, {of}"
    return Table(
        path=told,
        name=told,
        sha256=_sha256(data),
        rows=tuple(enumerate((dict(row) for row in data), 1)),
        split=split,
        names=names,
    )


def _sha256(rows: Iterable[Any]) -> str:
    """SHA-256 of the rows themselves: the library's own fingerprint changes with where and when they were loaded."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, default=str).encode() + b"\n")
    return digest.hexdigest()
