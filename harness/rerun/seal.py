"""What a run's journals were when it ended: their lengths and SHA-256, kept in its manifest so that edits show."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

JOURNALS = ("responses.jsonl", "judgments.jsonl", "controls.jsonl")
State = Literal["whole", "longer", "changed", "unknown"]


def seal(run: Path) -> dict[str, dict[str, Any]]:
    """Length and SHA-256 of every journal that a run's folder holds."""
    return {name: _of(run / name) for name in JOURNALS if (run / name).exists()}


def _of(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def state(run: Path, name: str, seals: Mapping[str, Any]) -> State:
    """What a journal is against its seal: `longer` where lines were only added, `unknown` where there is no seal."""
    kept, path = seals.get(name), run / name
    if not isinstance(kept, Mapping) or not isinstance(kept.get("bytes"), int):
        return "unknown" if not path.exists() or not seals else "longer"
    if not path.exists():
        return "changed"
    with path.open("rb") as file:
        begun = hashlib.sha256(file.read(kept["bytes"])).hexdigest()
        more = file.read(1)
    if begun != kept.get("sha256"):
        return "changed"
    return "longer" if more else "whole"
