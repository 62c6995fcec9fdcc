"""How long a training took, in `time.json` beside its weights: written on the way too, whatever ends the training.

It tells nothing of the weights: fingerprints pass it over, and a checkpoint without it is whole.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = "time.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """The seconds of all sessions of a training since its first step, how many there were, and the last one's device.

    Counted is opening the model, training, looks on the way and saving; not the loading of libraries, its base's
    training, or what was asked of it afterwards.
    """

    seconds: float
    sessions: int
    device: str

    def after(self, seconds: float, device: str) -> Spent:
        """With one more session of so many seconds."""
        return Spent(seconds=self.seconds + seconds, sessions=self.sessions + 1, device=device)

    def as_json(self) -> dict[str, Any]:
        """As the file holds it."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}


NONE = Spent(seconds=0.0, sessions=0, device="")


def write(folder: Path, spent: Spent) -> None:
    """Write the file, whole or not at all. Raises OSError where that fails."""
    building = folder / f".{FILE}"
    building.write_text(json.dumps(spent.as_json()) + "\n", encoding="utf-8")
    building.replace(folder / FILE)


def read(folder: Path) -> Spent | None:
    """What a folder's file says; None where there is none, or where it is broken."""
    try:
        value = json.loads((folder / FILE).read_text(encoding="utf-8"))
        found = Spent(
            seconds=float(value["seconds"]), sessions=int(value["sessions"]), device=str(value.get("device", ""))
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return found if math.isfinite(found.seconds) and found.seconds >= 0 and found.sessions >= 0 else None


def together(folders: Sequence[Path]) -> Spent | None:
    """The sum over several trainings; None where one of them is not known, or there are none."""
    each = [read(folder) for folder in folders]
    known = [spent for spent in each if spent is not None]
    if not known or len(known) < len(each):
        return None
    devices = dict.fromkeys(spent.device for spent in known)
    return Spent(
        seconds=sum(spent.seconds for spent in known),
        sessions=sum(spent.sessions for spent in known),
        device=", ".join(devices),
    )
