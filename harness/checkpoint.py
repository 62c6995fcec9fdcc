"""Checkpoints on disk: what is in a folder of weights, its fingerprint, and the manifest that training leaves in it.

The manifest is written after the weights, so its presence means that they are whole; a training that stopped early says
so in it (`steps_done` below `steps_planned`). Refuses folders without safetensors weights: pickled ones can run code.
Imports no torch.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from harness.errors import InputError, Problem

MANIFEST = "manifest.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
TOKENIZER_FILES = (
    "added_tokens.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")
CONFIG_FILES = ("adapter_config.json", "config.json", "generation_config.json", "model.safetensors.index.json")

# Where a checkpoint lay, and which release wrote it, changes no answer.
_SILENT_KEYS = frozenset(
    {"_name_or_path", "name_or_path", "base_model_name_or_path", "transformers_version", "peft_version"}
)

Kind = Literal["pretrain", "sft", "dpo", "reward"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """What was trained on: its spec or name, and its fingerprint."""

    spec: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A training file: its name (no path), SHA-256 and number of examples."""

    name: str
    sha256: str
    examples: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    """The training data: SHA-256 of the examples in order, the files they were read from, and their counts.

    `planned` is what the recipe's ratios ask for, `actual` what the trainer got; `held_out` counts what was left out as
    equal or near to held-out prompts, `truncated` what was cut to the longest length, `dropped` what had no answer left
    after the cut. `sources` says planned and actual for each source. `index_sha256` is that of the index file beside
    the weights, which the leakage guard reads.
    """

    sha256: str
    planned: int
    actual: int
    held_out: int = 0
    truncated: int = 0
    dropped: int = 0
    validation: int = 0
    files: tuple[File, ...] = ()
    sources: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    index_sha256: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What training says of the checkpoint it wrote.

    `sha256` is that of the weights in this folder (`weights_sha256`), `adapter_sha256` the same where they are an
    adapter's. `parent` is the checkpoint whose adapter training went on with. `epochs` is how often the data were seen.
    `weights_step` is the step that these weights are of, where a better one than the last was put back; `ended` says
    why training stopped before its planned end on purpose. `metrics` are this step's figures. `state` holds the SHA-256
    of the files that only a resumed training reads. `recipe` is the recipe as it was resolved.
    """

    name: str
    kind: Kind
    base: Base | None
    sha256: str
    adapter_sha256: str | None
    tokenizer_sha256: str | None
    chat_template_sha256: str | None
    steps_done: int
    steps_planned: int
    epochs: float
    data: Data
    seed: int
    device: str
    versions: Mapping[str, str]
    recipe: Mapping[str, Any]
    parent: Base | None = None
    epochs_planned: float | None = None
    weights_step: int | None = None
    ended: str | None = None
    precision: str = "fp32"
    metrics: Mapping[str, float] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)
    git: Mapping[str, Any] | None = None
    created: str | None = None

    @property
    def complete(self) -> bool:
        """Whether training ran to its planned end."""
        return self.steps_done == self.steps_planned

    @property
    def progress(self) -> str:
        """How far training came, for a reader: "step 100 of 290"."""
        return f"step {self.steps_done} of {self.steps_planned}"


def fingerprint(path: Path) -> str:
    """SHA-256 over every file of a checkpoint that changes its answers: weights, configs, tokenizer, template, adapter.

    Names and contents count; paths, times and library versions do not. Raises InputError without safetensors.
    """
    _require_weights(path)
    digest = hashlib.sha256()
    for file in sorted(_answering_files(path), key=lambda file: file.name):
        digest.update(f"{file.name}\0{_content_sha256(file)}\n".encode())
    return digest.hexdigest()


def pair_fingerprint(base: str, adapter: str | None) -> str:
    """The fingerprint of a base and the adapter on it, from their own; without an adapter, the base's."""
    return base if adapter is None else hashlib.sha256(f"{base}+{adapter}".encode()).hexdigest()


def weights_sha256(path: Path) -> str:
    """SHA-256 of a folder's weights: of the file itself where it is one, else over its shards' names and hashes."""
    files = _require_weights(path)
    if len(files) == 1:
        return _file_sha256(files[0])
    return _hash_list(files)


def tokenizer_sha256(path: Path) -> str | None:
    """SHA-256 over a folder's tokenizer files; None where it has none."""
    return _hash_files(_present(path, TOKENIZER_FILES) + sorted(path.glob("*.model")))


def chat_template_sha256(path: Path) -> str | None:
    """SHA-256 over a folder's chat template; None where it has none of its own."""
    return _hash_files(_present(path, TEMPLATE_FILES))


def write(path: Path, manifest: Manifest) -> None:
    """Write a checkpoint's manifest, atomically; call it last, when the weights are on disk."""
    value = asdict(manifest) | {"complete": manifest.complete}
    building = path / f".{MANIFEST}.{os.getpid()}"
    with building.open("w", encoding="utf-8") as file:
        file.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    building.replace(path / MANIFEST)


def read(path: Path) -> Manifest:
    """The manifest of a checkpoint folder. Raises InputError where there is none or it is broken."""
    file = path / MANIFEST
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
        return _manifest(value)
    except FileNotFoundError:
        what = "holds no checkpoint manifest: its training did not finish writing, or it comes from elsewhere"
        raise InputError([Problem(path=str(path), what=what)]) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        what = f"is not the manifest of a checkpoint ({error}); delete the folder and train again"
        raise InputError([Problem(path=str(file), what=what)]) from None


def find(path: Path) -> Manifest | None:
    """The manifest of a checkpoint folder, or None where it has none (a folder from elsewhere)."""
    return read(path) if (path / MANIFEST).is_file() else None


def verify(path: Path) -> list[Problem]:
    """Every hash of the manifest that the files no longer match; empty where the checkpoint is as it was written.

    Raises InputError where there is no readable manifest.
    """
    manifest = read(path)
    try:
        found = weights_sha256(path)
    except InputError as error:
        return [item for item in error.problems if isinstance(item, Problem)]
    hashes: dict[str, tuple[str | None, Callable[[Path], str | None]]] = {
        "weights": (manifest.sha256, lambda _: found),
        "adapter": (manifest.adapter_sha256, lambda _: found if _is_adapter(path) else None),
        "tokenizer": (manifest.tokenizer_sha256, tokenizer_sha256),
        "chat template": (manifest.chat_template_sha256, chat_template_sha256),
    }
    return [
        Problem(path=str(path), what=f"the {name} changed since training: SHA-256 {now}, the manifest says {then}")
        for name, (then, compute) in hashes.items()
        if (now := compute(path)) != then
    ]


def _is_adapter(path: Path) -> bool:
    return (path / ADAPTER_WEIGHTS).is_file()


def _require_weights(path: Path) -> list[Path]:
    files = sorted(path.glob("*.safetensors"))
    if files:
        return files
    if not path.is_dir():
        raise InputError([Problem(path=str(path), what="there is no such checkpoint folder; check the path")])
    pickled = sorted(file.name for ending in ("*.bin", "*.pt", "*.pth", "*.ckpt") for file in path.glob(ending))
    held = f"only {', '.join(pickled[:3])}, which can run code when opened" if pickled else "none"
    what = f"needs safetensors weights, found {held}; save the model with safe_serialization"
    raise InputError([Problem(path=str(path), what=what)])


def _answering_files(path: Path) -> Iterator[Path]:
    yield from path.glob("*.safetensors")
    yield from path.glob("*.model")
    yield from _present(path, (*TOKENIZER_FILES, *TEMPLATE_FILES, *CONFIG_FILES))


def _present(path: Path, names: tuple[str, ...]) -> list[Path]:
    return [path / name for name in sorted(names) if (path / name).is_file()]


def _hash_files(files: list[Path]) -> str | None:
    return _hash_list(files) if files else None


def _hash_list(files: list[Path]) -> str:
    lines = "".join(f"{file.name}\0{_content_sha256(file)}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def _content_sha256(file: Path) -> str:
    if file.name not in (*CONFIG_FILES, "tokenizer_config.json"):
        return _file_sha256(file)
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return _file_sha256(file)
    if isinstance(value, dict):
        value = {key: value[key] for key in value if key not in _SILENT_KEYS}
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _file_sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _manifest(value: Any) -> Manifest:
    if not isinstance(value, dict):
        raise TypeError("it holds no object")
    # A manifest of an earlier release lacks the keys that were added since.
    known = {item.name: value[item.name] for item in fields(Manifest) if item.name in value or _needed(item)}
    if known["kind"] not in get_args(Kind):
        raise ValueError(f"unknown kind {known['kind']!r}")
    for key in ("steps_done", "steps_planned", "seed"):
        if not isinstance(known[key], int):
            raise TypeError(f"{key} must be a whole number, found {known[key]!r}")
    for key in ("base", "parent"):
        known[key] = Base(**known[key]) if known.get(key) is not None else None
    data = dict(known["data"])
    data["files"] = tuple(File(**file) for file in data.get("files", ()))
    known["data"] = Data(**data)
    return Manifest(**known)


def _needed(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING
