"""What stands on an encoder: pooling, heads and their labels, as heads.json in a checkpoint's folder says it.

Reading it imports no torch. Refuses a file of another format, unknown poolings, and heads without two labels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from harness.checkpoints.files import HEADS
from harness.errors import InputError, Problem

FILE, WEIGHTS = HEADS, "heads.safetensors"
FORMAT = 1
Pool = Literal["cls", "mean", "last4_mean", "attention", "last"]


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadForm:
    """One head: its name and what its outputs are called, in order (of multiple choice: the options' places)."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What stands on the encoder.

    Each head is `depth` linear layers; the inner ones are `width` wide (the encoder's width where that is None), with
    `dropout` before each. With `choices` there is one head with a single score for every option of an item; `joined`
    is whether a question's two texts stand together before it. Texts are cut to `max_length` tokens.
    """

    heads: tuple[HeadForm, ...]
    pooling: Pool = "cls"
    depth: int = 1
    width: int | None = None
    dropout: float = 0.1
    choices: bool = False
    joined: bool = True
    max_length: int = 512

    def __post_init__(self) -> None:
        if self.pooling not in get_args(Pool):
            raise ValueError(f"unknown pooling {self.pooling!r}; known: {', '.join(get_args(Pool))}")
        if not self.heads or (self.choices and len(self.heads) > 1):
            raise ValueError("an encoder needs one head or several, for multiple choice exactly one")
        small = [head.name for head in self.heads if len(set(head.labels)) < max(2, len(head.labels))]
        if small:
            raise ValueError(f"the head {small[0]!r} needs two labels or more, each once")
        if len({head.name for head in self.heads}) < len(self.heads):
            raise ValueError("each head needs a name of its own")
        if self.depth < 1 or (self.width is not None and self.width < 1) or not 0 <= self.dropout < 1:
            raise ValueError("a head needs a depth and a width of 1 or more and a dropout in [0, 1)")

    @property
    def names(self) -> tuple[str, ...]:
        """The heads' names, in order."""
        return tuple(head.name for head in self.heads)

    def outputs(self, head: HeadForm) -> int:
        """How many numbers a head gives for one text: a score of an option is one."""
        return 1 if self.choices else len(head.labels)


def is_encoder(folder: Path) -> bool:
    """Whether a folder is a checkpoint of kind encoder."""
    return (folder / FILE).is_file()


def write(folder: Path, form: Form) -> None:
    """Write heads.json into a folder."""
    text = json.dumps({"format": FORMAT, **asdict(form)}, indent=2, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read(folder: Path) -> Form:
    """What heads.json of a folder says. Raises InputError where it is missing or broken."""
    file = folder / FILE
    try:
        return _form(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        what = f"is no encoder checkpoint: it holds no {FILE}; give what a recipe of kind encoder made"
        raise InputError([Problem(path=str(folder), what=what)]) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        what = f"does not describe an encoder's heads ({error}); train or copy the checkpoint again"
        raise InputError([Problem(path=str(file), what=what)]) from None


def _form(value: Any) -> Form:
    if not isinstance(value, Mapping) or value.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    heads = tuple(HeadForm(name=str(head["name"]), labels=tuple(map(str, head["labels"]))) for head in value["heads"])
    # What does not say so was trained when a second text stood beside the option.
    given = {"joined": not value.get("choices")} | {
        key: value[key] for key in Form.__dataclass_fields__ if key in value
    }
    return Form(**given | {"heads": heads})
