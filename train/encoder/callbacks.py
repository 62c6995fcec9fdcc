"""What a trainer of encoders reports while it runs: its history under our names, and the collapse alarm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from train.encoder.collapse import Alarm, Look, collapsed
from train.encoder.keys import EncoderKeys
from train.recorder import NAMES, History

EVAL = "eval_"


class EncoderHistory(History):
    """A history that keeps every validation figure, whatever the heads are called."""

    def named(self, logs: Mapping[str, Any]) -> Mapping[str, Any]:
        own = {NAMES[name]: value for name, value in logs.items() if name in NAMES and not name.startswith(EVAL)}
        held = {name.removeprefix(EVAL): value for name, value in logs.items() if name.startswith(EVAL)}
        return own | {f"validation_{name}": value for name, value in held.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """A figure that the collapse alarm looks at: what history calls it, in words, and what it must not fall to."""

    name: str
    words: str
    floor: float


def alarm_of(keys: EncoderKeys) -> Alarm | None:
    """The recipe's alarm; None where it is off."""
    given = keys.collapse
    return Alarm(after=given.after, drop=given.drop, looks=given.looks) if given else None


def collapse_in(history: History, watched: tuple[Watched, ...], alarm: Alarm, planned: int) -> str | None:
    """What the alarm says of a history: the first figure that has collapsed."""
    for each in watched:
        looks = [Look(step=int(row["step"]), figure=row[each.name]) for row in history.rows if each.name in row]
        found = collapsed(looks, each.floor, planned, alarm, each.words)
        if found is not None:
            return found
    return None


def alarming(
    history: History, watched: tuple[Watched, ...], alarm: Alarm, planned: int, say: Callable[[str], None]
) -> Any:
    """A trainer's callback that stops a training that has collapsed, and says so."""
    from transformers import TrainerCallback

    class Collapse(TrainerCallback):  # type: ignore[misc]
        def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            reason = collapse_in(history, watched, alarm, planned)
            if reason is not None:
                say(reason)
                control.should_training_stop = True

    return Collapse()
