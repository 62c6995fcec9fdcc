"""A new folder that appears at once and whole: built beside its place, synced, renamed. Refuses to overwrite."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.errors import InputError, Problem, RunStopped


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield a folder to fill, which becomes `out` where nothing was raised, and is gone where something was.

    Raises InputError where `out` is there already, RunStopped where the disk refuses.
    """
    free(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{out.name}.building-", dir=out.parent))
    except OSError as error:
        what = f"cannot be written: {error.strerror}; give another --out"
        raise InputError([Problem(path=str(out), what=what)]) from None
    try:
        yield building
        _settle(building)
        free(out)
        building.rename(out)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise RunStopped(f"{error.filename or out}: {reason}; {out} was not written, mend that and run again") from None
    finally:
        shutil.rmtree(building, ignore_errors=True)


def free(out: Path) -> None:
    """Raise InputError where something is there already: nothing is overwritten."""
    if out.exists() or out.is_symlink():
        raise InputError([Problem(path=str(out), what="is there already; give another --out")])


def _settle(folder: Path) -> None:
    """Have every file on disk, and readable like any other, before the folder has its name."""
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o644)
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
