"""What a report shows, gathered: values in, no arithmetic. Pages, Markdown and terminal lines are all made of this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.records import JudgmentRecord
from harness.summary import Summary


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One contestant as the reader should see it: its spec, and a warning where its training is unfinished, say."""

    spec: str
    fingerprint: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One prompt with both responses (one text per turn) of one repeat, and every judgment of it.

    A response is None where the model failed or the file analyzed holds no texts.
    """

    id: str
    repeat: int
    turns: tuple[str, ...] = ()
    category: str | None = None
    candidate: tuple[str, ...] | None = None
    baseline: tuple[str, ...] | None = None
    judgments: tuple[JudgmentRecord, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """One control verdict: the whole response beside a damaged copy. `right` None: neither was named."""

    id: str
    judge: str
    order: str
    damage: str
    whole: tuple[str, ...]
    damaged: tuple[str, ...]
    right: bool | None
    status: str
    reply: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything one report shows. `facts` are label → text lines on how it was made (seed, orders, sampling, …)."""

    title: str
    summary: Summary
    candidate: Side | None = None
    baseline: Side | None = None
    comparisons: tuple[Comparison, ...] = ()
    controls: tuple[Control, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
