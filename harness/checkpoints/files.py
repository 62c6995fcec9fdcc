"""What lies in a folder of weights, and its hashes: the whole, the weights, the tokenizer, the template, the config.

Refuses folders without safetensors weights: pickled ones can run code. Imports no torch: what is wrong with a file of
weights is read from its header.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import InputError, Problem

ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
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
# What an encoder's heads are and what their outputs are called.
HEADS = "heads.json"
# In the folder of several trainings of one recipe: which of its folders answer together.
ENSEMBLE = "ensemble.json"
CONFIG_FILES = (ADAPTER_CONFIG, "config.json", "generation_config.json", HEADS, WEIGHTS_INDEX)

# Where a checkpoint lay, and which release wrote it, changes no answer.
PLACE_KEYS = frozenset({"_name_or_path", "name_or_path", "base_model_name_or_path"})
_SILENT_KEYS = PLACE_KEYS | {"transformers_version", "peft_version"}


def fingerprint(path: Path) -> str:
    """SHA-256 over every file of a checkpoint that changes its answers: weights, configs, tokenizer, template, adapter.

    Names and contents count; paths, times and library versions do not. Raises InputError without safetensors.
    """
    require_weights(path)
    digest = hashlib.sha256()
    for file in sorted(answering_files(path), key=lambda file: file.name):
        digest.update(f"{file.name}\0{_content_sha256(file)}\n".encode())
    return digest.hexdigest()


def pair_fingerprint(base: str, adapter: str | None) -> str:
    """The fingerprint of a base and the adapter on it, from their own; without an adapter, the base's."""
    return base if adapter is None else hashlib.sha256(f"{base}+{adapter}".encode()).hexdigest()


def weights_sha256(path: Path) -> str:
    """SHA-256 of a folder's weights: of the file itself where it is one, else over its shards' names and hashes."""
    files = require_weights(path)
    if len(files) == 1:
        return file_sha256(files[0])
    return _hash_list(files)


def tokenizer_sha256(path: Path) -> str | None:
    """SHA-256 over a folder's tokenizer files; None where it has none."""
    return _hash_files(_present(path, TOKENIZER_FILES) + sorted(path.glob("*.model")))


def chat_template_sha256(path: Path) -> str | None:
    """SHA-256 over a folder's chat template; None where it has none of its own."""
    return _hash_files(_present(path, TEMPLATE_FILES))


def config_sha256(path: Path) -> str | None:
    """SHA-256 over a folder's configs (architecture, generation, adapter), paths and versions in them left out."""
    return _hash_files(_present(path, CONFIG_FILES))


def file_sha256(file: Path) -> str:
    """SHA-256 of a file's bytes. Raises OSError where it cannot be read."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_adapter(path: Path) -> bool:
    """Whether a folder holds an adapter's weights."""
    return (path / ADAPTER_WEIGHTS).is_file()


def require_weights(path: Path) -> list[Path]:
    """The safetensors files of a folder. Raises InputError where it has none."""
    files = sorted(path.glob("*.safetensors"))
    if files:
        return files
    if not path.is_dir():
        raise InputError([Problem(path=str(path), what="there is no such checkpoint folder; check the path")])
    pickled = sorted(file.name for ending in ("*.bin", "*.pt", "*.pth", "*.ckpt") for file in path.glob(ending))
    held = f"only {', '.join(pickled[:3])}, which can run code when opened" if pickled else "none"
    what = f"needs safetensors weights, found {held}; save the model with safe_serialization"
    raise InputError([Problem(path=str(path), what=what)])


def answering_files(path: Path) -> Iterator[Path]:
    """Every file that changes a checkpoint's answers: weights, configs, tokenizer, template."""
    yield from path.glob("*.safetensors")
    yield from path.glob("*.model")
    yield from _present(path, (*TOKENIZER_FILES, *TEMPLATE_FILES, *CONFIG_FILES))


def tensors(file: Path) -> Mapping[str, Any]:
    """Name to dtype, shape and place of every tensor of a safetensors file, from its header.

    Raises ValueError where the header is none, or the file is shorter or longer than it says; OSError where it cannot
    be read.
    """
    with file.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        length = file.stat().st_size
        if not 2 <= size <= length - 8:
            raise ValueError("it has no safetensors header")
        header = json.loads(stream.read(size))
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    found = {name: value for name, value in header.items() if name != "__metadata__"}
    try:
        end = max((int(value["data_offsets"][1]) for value in found.values()), default=0)
    except (KeyError, TypeError, IndexError):
        raise ValueError("its header names no places") from None
    if 8 + size + end != length:
        raise ValueError(f"its header speaks of {8 + size + end} bytes, it has {length}")
    return found


def damage(path: Path) -> list[Problem]:
    """What is wrong with a folder's weights as far as headers show it: torn files, missing shards, keys in no shard."""
    held: dict[str, Mapping[str, Any]] = {}
    problems = []
    for file in sorted(path.glob("*.safetensors")):
        try:
            held[file.name] = tensors(file)
        except (OSError, ValueError) as error:
            what = f"is no whole safetensors file ({error}); copy or train it again"
            problems.append(Problem(path=str(file), what=what))
    index = path / WEIGHTS_INDEX
    # transformers reads the index only where there is no single file.
    if not problems and index.is_file() and WEIGHTS not in held:
        problems += _index_problems(index, held)
    return problems


def _index_problems(index: Path, held: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = sorted(set(places.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [Problem(path=str(index), what=f"is no index of shards ({error}); copy or train the model again")]
    missing = [name for name in shards if name not in held]
    if missing:
        what = f"names shards that are not there: {_some(missing)}; copy or download the model again"
        return [Problem(path=str(index), what=what)]
    lost = sorted(key for key, shard in places.items() if key not in held[shard])
    if lost:
        what = f"names keys that their shards do not hold: {_some(lost)}; copy or download the model again"
        return [Problem(path=str(index), what=what)]
    return []


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" … ({len(names)} in all)" if len(names) > most else "")


def _present(path: Path, names: tuple[str, ...]) -> list[Path]:
    return [path / name for name in sorted(names) if (path / name).is_file()]


def _hash_files(files: list[Path]) -> str | None:
    return _hash_list(files) if files else None


def _hash_list(files: list[Path]) -> str:
    lines = "".join(f"{file.name}\0{_content_sha256(file)}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def _content_sha256(file: Path) -> str:
    if file.name not in (*CONFIG_FILES, "tokenizer_config.json"):
        return file_sha256(file)
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return file_sha256(file)
    if isinstance(value, dict):
        value = {key: value[key] for key in value if key not in _SILENT_KEYS}
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
