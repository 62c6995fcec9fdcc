"""What of a run is not as it ended: journals whose bytes are others, and parts of what was asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.rerun.differences import Difference
from harness.run import JUDGMENTS
from harness.seal import JOURNALS, MANIFEST, changed, sealed_bytes, seals_of, state


def unsealed(run: Path, manifest: Mapping[str, Any]) -> Iterator[Difference]:
    """What is not what the run wrote. Other judges' judgments may be added to a run, nothing else."""
    for part in changed(manifest) or ():
        yield Difference(what=f"{MANIFEST} {part}: not what the run asked (SHA-256)", run="another value", replay=None)
    seals = seals_of(manifest)
    for name in JOURNALS:
        found = state(run, name, seals)
        if found == "changed":
            yield Difference(what=f"{name}: not what the run wrote (SHA-256)", run="other bytes", replay=None)
        elif found == "longer" and manifest.get("complete") and not _only_others(run, name, manifest, seals):
            yield Difference(what=f"{name}: lines were added after the run", run="more lines", replay=None)


def concluded(run: Path, manifest: Mapping[str, Any]) -> bool:
    """Whether the summary on disk was written for the journals on disk: a run that was killed left an older one."""
    if manifest.get("complete"):
        return True
    seals = seals_of(manifest)
    return bool(seals) and all(state(run, name, seals) == "whole" for name in JOURNALS)


def not_sealed(manifest: Mapping[str, Any]) -> list[str]:
    """What no seal vouches for, in words."""
    if not seals_of(manifest):
        return ["the run ended without seals (it was killed, or is older), so that edits show only where replayed"]
    if changed(manifest) is None:
        return ["what was asked is not sealed (the run is older), so that edits of manifest.json may not show"]
    return []


def _only_others(run: Path, name: str, manifest: Mapping[str, Any], seals: Mapping[str, Any]) -> bool:
    """Whether what stands after a journal's seal are judgments of judges that were not in the run."""
    added = (run / name).read_bytes()[sealed_bytes(seals, name) :].decode("utf-8", "replace").split("\n")
    try:
        judges = {json.loads(line).get("judge") for line in added if line.strip()}
        return name == JUDGMENTS and not judges & {None, *manifest["judge_names"]}
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        return False
