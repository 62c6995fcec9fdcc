"""The manifest of a checkpoint as values: what training says of the weights it wrote, and how it is read from JSON.

Keys that are not known are left out, keys that were added later have defaults; a value of the wrong type is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any, Literal, get_args

Kind = Literal["pretrain", "sft", "dpo", "reward", "encoder"]


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
    equal or near to held-out prompts, `truncated` what was cut to the longest length, `dropped` those of
    them that had no answer left. `sources` says planned and actual for each source. `index_sha256` is that of the index
    file beside the weights, which the leakage guard reads; `unindexed` names checkpoints that these weights come from
    and whose training data no index tells.
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
    unindexed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What training says of the checkpoint it wrote.

    `sha256` is that of the weights in this folder (`weights_sha256`), `adapter_sha256` the same where they are an
    adapter's. `parent` is the checkpoint whose adapter training went on with. `epochs` is how often the data were seen.
    `weights_step` is the step that these weights are of, where a better one than the last was put back; `ended` says
    why training stopped before its planned end on purpose. `metrics` are this step's figures. `state` holds the SHA-256
    of the files that only a resumed training reads. `recipe` is the recipe as it was resolved. `merged_from` is the
    adapter that these weights took in, where they are a base and an adapter made one.
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
    config_sha256: str | None = None
    merged_from: Base | None = None

    @property
    def complete(self) -> bool:
        """Whether training ran to its planned end."""
        return self.steps_done == self.steps_planned

    @property
    def progress(self) -> str:
        """How far training came, for a reader: "step 100 of 290"."""
        return f"step {self.steps_done} of {self.steps_planned}"

    @property
    def standing(self) -> str | None:
        """What a report must say where training ended early or a better step's weights were put back; else None."""
        of = self.weights_step
        put_back = f"; its weights are of step {of}" if of is not None and of != self.steps_done else ""
        if not self.complete:
            ended = f" (stopped early: {self.ended})" if self.ended else ""
            return f"unfinished training: {self.name} stands at {self.progress}{ended}{put_back}"
        # A collapse that the last look of all showed.
        fallen = f" ({self.ended})" if self.ended else ""
        return f"{self.name} was trained to {self.progress}{fallen}{put_back}" if put_back or fallen else None


def as_json(manifest: Manifest) -> dict[str, Any]:
    """A manifest as the object its file holds. A figure that is not finite is null there: JSON has no NaN."""
    metrics = {name: value if math.isfinite(value) else None for name, value in manifest.metrics.items()}
    return asdict(manifest) | {"metrics": metrics, "complete": manifest.complete}


def from_json(value: Any) -> Manifest:
    """The manifest that an object holds. Raises ValueError or TypeError, saying which key is wrong."""
    if not isinstance(value, dict):
        raise TypeError("it holds no object")
    # A manifest of an earlier release lacks the keys that were added since; a later one has more.
    known = _known(Manifest, value)
    if known["kind"] not in get_args(Kind):
        raise ValueError(f"unknown kind {known['kind']!r}")
    for key in ("steps_done", "steps_planned", "seed"):
        _require(known, key, int)
    for key in ("epochs", "epochs_planned", "weights_step"):
        _require(known, key, int | float, none=key != "epochs")
    for key in ("name", "sha256", "device"):
        _require(known, key, str)
    for key in ("adapter_sha256", "tokenizer_sha256", "chat_template_sha256", "config_sha256", "ended", "created"):
        _require(known, key, str, none=True)
    for key in ("versions", "recipe", "metrics", "state", "data"):
        _require(known, key, dict)
    for key in ("base", "parent", "merged_from"):
        _require(known, key, dict, none=True)
        known[key] = _strings(Base, known[key]) if known.get(key) is not None else None
    known["metrics"] = {name: _figure(name, found) for name, found in known.get("metrics", {}).items()}
    known["data"] = _data(known["data"])
    return Manifest(**known)


def _data(value: Mapping[str, Any]) -> Data:
    known = _known(Data, value)
    for key in ("planned", "actual", "held_out", "truncated", "dropped", "validation"):
        _require(known, key, int)
    _require(known, "sources", dict)
    _require(known, "index_sha256", str, none=True)
    known["unindexed"] = tuple(map(str, known.get("unindexed", ())))
    known["files"] = tuple(File(**_known(File, file)) for file in known.get("files", ()))
    return Data(**known)


def _strings(kind: type[Base], value: Mapping[str, Any]) -> Base:
    known = _known(kind, value)
    for key in known:
        _require(known, key, str)
    return kind(**known)


def _figure(name: str, value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"the metric {name!r} must be a number, found {value!r}")
    return value


def _require(known: Mapping[str, Any], key: str, kind: Any, *, none: bool = False) -> None:
    value = known.get(key)
    if key not in known or (value is None and none):
        return
    if not isinstance(value, kind) or isinstance(value, bool):
        names = {int: "a whole number", str: "text", dict: "an object"}
        raise TypeError(f"{key} must be {names.get(kind, 'a number')}, found {value!r}")


def _known(kind: type[Any], value: Any) -> dict[str, Any]:
    """The fields of a dataclass that an object holds. Raises where one that is needed is missing."""
    if not isinstance(value, dict):
        raise TypeError(f"{kind.__name__.lower()} must be an object, found {value!r}")
    lacking = [item.name for item in fields(kind) if item.name not in value and _needed(item)]
    if lacking:
        raise ValueError(f"it lacks {', '.join(lacking)}")
    return {item.name: value[item.name] for item in fields(kind) if item.name in value}


def _needed(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING
