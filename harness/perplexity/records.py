"""A line of losses.jsonl: what one model's loss on one document is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.records import Count, Finite, Id, Record

LOSSES = {"candidate": "losses.jsonl", "baseline": "losses_baseline.jsonl"}
Status = Literal["ok", "nothing_to_count", "not_finite"]


class LossRecord(Record):
    """`{"id", "tokens", "loss", "nll", "bytes", "windows", "status", …}`; nats.

    `loss` is the mean over the counted tokens, `nll` their sum, both null where the status is not ok.
    """

    tokens: Count
    loss: Finite | None
    nll: Finite | None
    bytes: Count
    windows: Count
    status: Status
    targets: Annotated[str, Field(min_length=1)]
    begin_mark: bool | None = None
    category: str | None = None
    cluster: Id | None = None
