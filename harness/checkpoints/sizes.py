"""How large folders are, and how much removing them frees: a file with several names counts once."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path


def total(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum({(found.st_dev, found.st_ino): found.st_size for found in _files([folder])}.values())


def freed(folders: Iterable[Path]) -> int:
    """Bytes that are free once these folders are gone: a file that has a name elsewhere too stays."""
    names: dict[tuple[int, int], int] = {}
    sizes: dict[tuple[int, int], int] = {}
    for found in _files(folders):
        place = (found.st_dev, found.st_ino)
        names[place] = names.get(place, 0) + 1
        sizes[place] = found.st_size if names[place] >= found.st_nlink else 0
    return sum(sizes.values())


def in_words(size: int) -> str:
    """Bytes for a reader: "0 bytes", "1 byte", "3.7 MB" (a MB is a million bytes)."""
    if size < 1000:
        return f"{size} byte{'' if size == 1 else 's'}"
    value = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"


def _files(folders: Iterable[Path]) -> Iterator[os.stat_result]:
    for folder in folders:
        for root, _, names in os.walk(folder):
            for name in names:
                found = (Path(root) / name).lstat()
                if stat.S_ISREG(found.st_mode):
                    yield found
