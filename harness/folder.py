"""A run's folder: created with its plan inside, locked by the kernel while it is written, its manifest rewritten whole.

Refuses a folder that holds a run already, a second process on the same run, and a place it cannot write to.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, InputError, Problem, RunStopped

MANIFEST = "manifest.json"
LOCK = ".lock"


def default_out(suite: str, manifest: Mapping[str, Any]) -> Path:
    """runs/<suite>/<UTC time>-<short hash of what is run, and by which process>."""
    what = json.dumps([manifest, os.getpid(), time.time_ns()], sort_keys=True, default=str)
    return Path("runs") / suite / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{hashlib.sha256(what.encode()).hexdigest()[:8]}"


def write_whole(path: Path, text: str | Iterable[str]) -> None:
    """Replace a file atomically with a text, or the pieces of one. Raises RunStopped where the disk refuses."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", errors="replace") as file:
            file.writelines([text] if isinstance(text, str) else text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise RunStopped(f"{path}: cannot be written: {error.strerror}; free some space and resume") from None


def as_json(value: Any) -> str:
    """The text of a JSON file of a run: indented, stable, without NaN."""
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


@contextlib.contextmanager
def create(out: Path, manifest: Mapping[str, Any]) -> Iterator[Path]:
    """Make the folder of a new run with its manifest inside, and hold its lock.

    It appears at once and whole: it is built beside its place and renamed. Raises InputError where `out` holds a run
    already, is not empty or cannot be written.
    """
    free(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        what = f"cannot be written: {error.strerror}; give another --out"
        raise InputError([Problem(path=str(out), what=what)]) from None
    try:
        building.chmod(0o755)
        with _locked(building, out):
            write_whole(building / MANIFEST, as_json(manifest))
            _appear(building, out)
            yield out
    finally:
        shutil.rmtree(building, ignore_errors=True)


def free(out: Path) -> None:
    """Raise InputError where `out` holds a run already or is not empty: nothing is overwritten."""
    if (out / MANIFEST).exists():
        what = f"holds a run already; `harness resume {out}` goes on with it, or give another --out"
        raise InputError([Problem(path=str(out), what=what)])
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError([Problem(path=str(out), what="is there already and is no run; give an empty or new --out")])


def _appear(building: Path, out: Path) -> None:
    try:
        building.rename(out)
    except OSError as error:
        what = f"another process made it first, or it cannot be written: {error.strerror}; give another --out"
        raise InputError([Problem(path=str(out), what=what)]) from None


@contextlib.contextmanager
def reopen(run: Path) -> Iterator[dict[str, Any]]:
    """Open a run to go on with it, holding its lock; yields its manifest. Raises InputError where that cannot be."""
    manifest = read_manifest(run)
    with _locked(run, run):
        yield manifest


def read_manifest(run: Path) -> dict[str, Any]:
    """The manifest of a run. Raises InputError where the folder holds no run or the manifest is broken."""
    path = run / MANIFEST
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError([Problem(path=str(run), what="holds no run (no manifest.json); check the path")]) from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError([Problem(path=str(path), what=f"cannot be read: {error}; is it a run's manifest?")]) from None
    if not isinstance(value, dict) or "suite" not in value:
        raise InputError([Problem(path=str(path), what="is not the manifest of a run; check the path")])
    return value


def kind_of(run: Path) -> str | None:
    """The kind of suite that a folder's run is of; None where it holds no run."""
    try:
        suite = read_manifest(run)["suite"]
    except InputError:
        return None
    return str(suite.get("kind", "pairwise")) if isinstance(suite, dict) else None


@contextlib.contextmanager
def _locked(folder: Path, name: Path) -> Iterator[None]:
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        what = f"cannot be written: {error.strerror}; a run needs a folder it can write to"
        raise InputError([Problem(path=str(name), what=what)]) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise HarnessError(f"{name}: another process is working on this run; wait for it to end") from None
        yield
    finally:
        os.close(descriptor)
