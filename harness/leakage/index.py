"""A compact index of training examples: enough to find a leaked prompt without the training files.

For every distinct text of the user's it holds a digest (exact duplicates), a MinHash signature (candidates), the normal
form (candidates are verified with it, and a reader sees what matched), and the file and line it came from. So it
reveals what users wrote: whoever may not have the training data may not have the index either. It is a .npz
archive of plain arrays; a pickle inside is refused, and so is an index of another version.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError, Problem
from harness.leakage import grams
from harness.leakage.examples import TrainingExample, examples_of
from harness.leakage.forms import normal

FILE = "training_index.npz"
"""Its name beside a checkpoint's weights."""
FORMAT = "judge-harness training index"
VERSION = 1
DIGEST = 16
SHORTEST_LINE = 16
"""Characters (of the normal form) from which on a line of a training text is compared for itself."""

_CHUNK = 4096
# What zipfile, zlib, numpy and json raise for an archive that is damaged or made to mislead.
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
_ARRAYS = {
    "permutations": (np.uint32, 2),
    "digest": (np.uint8, 2),
    "signature": (np.uint8, 2),
    "text": (np.uint8, 1),
    "end": (np.uint64, 1),
    "source": (np.uint32, 1),
    "line": (np.uint32, 1),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingIndex:
    """The distinct user texts of training examples, one row each, in the order of the examples.

    `examples` counts the examples, `files` names their files. `text` holds the normal forms one after the other in
    UTF-8, each ending at its `end`.
    """

    files: tuple[str, ...]
    examples: int
    permutations: grams.Hashes
    digest: NDArray[np.uint8]
    signature: grams.Signatures
    text: NDArray[np.uint8]
    end: NDArray[np.uint64]
    source: NDArray[np.uint32]
    line: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.end)

    @classmethod
    def build(cls, examples: Iterable[TrainingExample]) -> TrainingIndex:
        """The index of these examples. Raises whatever their iteration raises."""
        return _build(examples)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of what the index holds: the same before and after saving, whatever wrote the file."""
        digest = hashlib.sha256(self._header().encode())
        for name in _ARRAYS:
            array = getattr(self, name)
            digest.update(f"\n{name} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def normal_form(self, row: int) -> str:
        """The text of a row, as far as it is compared."""
        start = int(self.end[row - 1]) if row else 0
        return self.text[start : int(self.end[row])].tobytes().decode("utf-8", "replace")

    def place(self, row: int) -> tuple[str, int]:
        """The file and line of the example that a row came from first."""
        return self.files[int(self.source[row])], int(self.line[row])

    def _header(self) -> str:
        value = {"format": FORMAT, "version": VERSION, "files": self.files, "examples": self.examples}
        return json.dumps(value, ensure_ascii=True)

    def save(self, path: Path) -> None:
        """Write the index, atomically. Raises OSError where the disk refuses."""
        building = path.with_name(f".{path.name}.{os.getpid()}")
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _ARRAYS}
        try:
            with building.open("wb") as file:
                np.savez_compressed(file, header=np.frombuffer(self._header().encode(), np.uint8), **arrays)
                file.flush()
                os.fsync(file.fileno())
            building.replace(path)
        finally:
            building.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> TrainingIndex:
        """Read an index. Raises InputError where it is none, is damaged, holds a pickle or is of another version."""
        try:
            if not zipfile.is_zipfile(path):
                raise ValueError("it is not an archive" if path.is_file() else "there is no such file")
            with np.load(path, allow_pickle=False) as archive:
                return _checked({name: archive[name] for name in ("header", *_ARRAYS)})
        except _UNREADABLE as error:
            what = f"is no index of training examples: {error}; build it again from the training files"
            raise InputError([Problem(path=str(path), what=what)]) from None


def read(path: Path) -> TrainingIndex:
    """The index of a training file: JSONL, a saved index, or a checkpoint's folder that holds one.

    Raises InputError with every problem of the file.
    """
    if path.is_dir():
        if not (path / FILE).is_file():
            what = f"holds no {FILE}; give the files that the model was trained on"
            raise InputError([Problem(path=str(path), what=what)])
        return TrainingIndex.load(path / FILE)
    if path.is_file() and zipfile.is_zipfile(path):
        return TrainingIndex.load(path)
    return TrainingIndex.build(examples_of(path))


def digest_of(form: str) -> bytes:
    """What stands for a normal form where only equality counts."""
    return hashlib.blake2b(form.encode(), digest_size=DIGEST).digest()


def _forms(example: TrainingExample) -> Iterator[str]:
    """The normal forms of an example: each turn, the whole user's side, and each line that says enough."""
    turns = [normal(turn) for turn in example.turns]
    yield from turns
    if len(turns) > 1:
        yield " ".join(turns)
    for turn in example.turns:
        lines = turn.splitlines()
        if len(lines) > 1:
            yield from (form for line in lines if len(form := normal(line)) >= SHORTEST_LINE)


class _Tally:
    """What is told apart while examples pass by: their files, and where each distinct text came from first."""

    def __init__(self) -> None:
        self.examples = 0
        self.files: dict[str, int] = {}
        self.places: dict[bytes, tuple[int, int]] = {}

    def distinct(self, examples: Iterable[TrainingExample]) -> Iterator[str]:
        """The normal forms that were not there before, as far as they are compared."""
        for example in examples:
            self.examples += 1
            file = self.files.setdefault(example.file, len(self.files))
            for form in _forms(example):
                if form and (digest := digest_of(form)) not in self.places:
                    self.places[digest] = (file, example.line)
                    yield form[: grams.LONGEST]


def _build(examples: Iterable[TrainingExample]) -> TrainingIndex:
    permuted = grams.permutations()
    tally = _Tally()
    forms = tally.distinct(examples)
    signed = [grams.signatures((), permuted)]
    texts: list[bytes] = []
    while chunk := list(islice(forms, _CHUNK)):
        signed.append(grams.signatures(chunk, permuted))
        texts += (form.encode() for form in chunk)
    places = np.array(list(tally.places.values()), dtype=np.uint32).reshape(-1, 2)
    return TrainingIndex(
        files=tuple(tally.files),
        examples=tally.examples,
        permutations=permuted,
        digest=np.frombuffer(b"".join(tally.places), np.uint8).reshape(-1, DIGEST),
        signature=np.concatenate(signed),
        text=np.frombuffer(b"".join(texts), np.uint8),
        end=np.cumsum([len(text) for text in texts], dtype=np.uint64),
        source=places[:, 0],
        line=places[:, 1],
    )


def _checked(arrays: dict[str, Any]) -> TrainingIndex:
    header = json.loads(arrays.pop("header").tobytes())
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError("its header names another format")
    if header.get("version") != VERSION:
        raise ValueError(f"it is of version {header.get('version')!r}, this program reads {VERSION}")
    files = header["files"]
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        raise ValueError("its header names no files")
    for name, (kind, depth) in _ARRAYS.items():
        if arrays[name].dtype != kind or arrays[name].ndim != depth:
            raise ValueError(f"its array {name!r} has another type")
    if not _consistent(arrays, len(files)):
        raise ValueError("its arrays contradict each other")
    return TrainingIndex(files=tuple(files), examples=int(header["examples"]), **arrays)


def _consistent(arrays: dict[str, Any], files: int) -> bool:
    rows = len(arrays["end"])
    ends = np.concatenate([np.zeros(1, np.int64), arrays["end"].astype(np.int64)])
    return bool(
        arrays["permutations"].shape == (2, grams.PERMUTATIONS)
        and arrays["digest"].shape == (rows, DIGEST)
        and arrays["signature"].shape == (rows, grams.PERMUTATIONS)
        and len(arrays["source"]) == len(arrays["line"]) == rows
        and (arrays["source"] < files).all()
        and (np.diff(ends) > 0).all()
        and ends[-1] == len(arrays["text"])
    )
