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
    """What a journal is against its seal: `longer` where lines were only added, `unknown` where nothing was sealed."""
    if not seals:
        return "unknown"
    begun = sealed_bytes(seals, name)
    data = (run / name).read_bytes() if (run / name).exists() else b""
    kept = seals.get(name)
    sha256 = kept.get("sha256") if isinstance(kept, Mapping) else hashlib.sha256(b"").hexdigest()
    if hashlib.sha256(data[:begun]).hexdigest() != sha256:
        return "changed"
    return "longer" if len(data) > begun else "whole"


def sealed_bytes(seals: Mapping[str, Any], name: str) -> int:
    """How long a journal was when it was sealed; 0 where it was not there."""
    kept = seals.get(name)
    return int(kept.get("bytes", 0)) if isinstance(kept, Mapping) else 0
