"""Finds the base that an adapter was trained on, by its fingerprint, never by a name alone.

Recipes' bases lie beside the adapter among the other checkpoints; hf/ bases are a folder or a hub id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from harness import checkpoint
from harness.checkpoint import Base
from harness.checkpoints.shelf import Saved, whole_models
from harness.errors import InputError, Problem
from harness.models.weights import locate


def beside(path: Path, shelf: Path | None) -> list[Path]:
    """The folders that may hold a checkpoint's base: those around it, and the shelf of all checkpoints."""
    place = path.resolve()
    # A saved step lies one deeper than a finished checkpoint.
    around = [place.parent, place.parent.parent] if place.name.startswith("checkpoint-") else [place.parent]
    return [*around, *([shelf] if shelf is not None else [])]


def on_shelf(base: Base, folders: Sequence[Path]) -> Path | None:
    """The checkpoint in these folders whose fingerprint is the base's; None where there is none."""
    for found in _likely_first(base, whole_models(list(folders))):
        try:
            if checkpoint.fingerprint(found.path) == base.sha256:
                return found.path
        except InputError:
            # A folder that lost its weights is nobody's base.
            continue
    return None


def changed_on_shelf(base: Base, folders: Sequence[Path]) -> list[Problem]:
    """What is wrong with the checkpoints that have a base's name, where none has its fingerprint."""
    return [
        problem
        for found in whole_models(list(folders))
        if _has_name(found, base)
        for problem in checkpoint.verify(found.path)
    ]


def in_place(base: Base) -> Path | None:
    """The folder that an hf/ base names here or in the hub's local cache; nothing is fetched."""
    kind, _, text = base.spec.partition("/")
    if kind != "hf" or not text:
        return None
    if Path(text).is_dir():
        return Path(text)
    if text.startswith((".", "/")) or text.count("/") > 1 or find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(text, local_files_only=True))
    # The hub client raises a dozen unrelated types; each means that it is not here.
    except Exception:
        return None


def require(adapter: Path, base: Base | None, given: Path | None, shelf: Path | None) -> Path:
    """The folder of an adapter's base: the one given, else found by fingerprint, else by its hf/ spec.

    Raises InputError where it is another than the adapter was trained on, or cannot be found.
    """
    if given is None and base is None:
        what = "says nowhere on which base it was trained; name it with --base"
        raise InputError([Problem(path=str(adapter), what=what)])
    if given is None and base is not None:
        found = on_shelf(base, beside(adapter, shelf))
        if found is not None:
            return found
        given = in_place(base) or _fetched(adapter, base)
    assert given is not None
    wrong = checkpoint.on_its_base(given, adapter)
    if wrong is not None:
        raise InputError([wrong])
    return given


def _fetched(adapter: Path, base: Base) -> Path:
    if not base.spec.startswith("hf/"):
        what = f"its base {base.spec} (SHA-256 {base.sha256[:12]}) is not among the checkpoints; name it with --base"
        raise InputError([Problem(path=str(adapter), what=what)])
    try:
        return locate(base.spec.removeprefix("hf/"), base.spec)
    except InputError as error:
        what = f"its base cannot be found ({error}); name its folder with --base"
        raise InputError([Problem(path=str(adapter), what=what)]) from None


def _likely_first(base: Base, found: Iterable[Saved]) -> list[Saved]:
    return sorted(found, key=lambda one: not _has_name(one, base))


def _has_name(found: Saved, base: Base) -> bool:
    return found.manifest.name in (base.spec, Path(base.spec).stem)
