"""From losses to the figures of a perplexity run. Values in, values out: no file, no clock, no order of lines.

The document is the unit. Two means stand side by side, for they answer different questions: by token (how well is all
this text foreseen, long documents counting for more) and by document (how well is one of these documents foreseen).
Bits per byte stand beside both, for losses per token of two tokenizers cannot be compared.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.perplexity.ratio import Array, Ratio, permuted, ratio, ratio_difference
from harness.perplexity.records import LossRecord

Unit = Literal["nats per token", "bits per byte"]
Records = Mapping[str, LossRecord]
SEED = 0
# exp of more overflows.
_MOST = 700.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One model on a set of documents: losses in nats per counted token, and in bits per byte of counted text.

    `n` documents have a loss, of `n` + `lost`; `statuses` counts all that were measured.
    """

    n: int
    lost: int
    tokens: int
    bytes: int
    loss: Ratio
    by_document: Ratio
    bits: Ratio
    statuses: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """The object that stands under `candidate`, `baseline` and every category."""
        return {
            "documents": self.n,
            "uncounted": self.lost,
            "tokens": self.tokens,
            "bytes": self.bytes,
            "loss": self.loss.value,
            "se": self.loss.se,
            "ci": _at_least_zero(self.loss.ci),
            "perplexity": exp(self.loss.value),
            "perplexity_ci": _exp_of(_at_least_zero(self.loss.ci)),
            "bits_per_byte": self.bits.value,
            "bits_per_byte_ci": _at_least_zero(self.bits.ci),
            "document_mean": {"loss": self.by_document.value, "ci": _at_least_zero(self.by_document.ci)},
            "statuses": dict(self.statuses),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Shift:
    """One difference, candidate minus baseline, and the p-value of the paired permutation test."""

    found: Ratio
    p_value: float | None

    def as_json(self) -> dict[str, Any]:
        """Difference, interval, p-value and the documents it rests on."""
        return {
            "difference": self.found.value,
            "ci": list(self.found.ci) if self.found.ci else None,
            "p_value": self.p_value,
            "n": self.found.n,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """Candidate minus baseline on the documents that both have a loss of; below 0 the candidate foresees them better.

    `same_tokens` says whether both were asked for the very same tokens. `main` is the difference of token-weighted
    losses where they were, else that of bits per byte. `by_document` compares means of documents in the same unit.
    `documents` holds every document's difference per token (or in bits per byte).
    """

    same_tokens: bool
    main: Shift
    by_document: Shift
    bits: Shift
    documents: Mapping[str, float]

    @property
    def unit(self) -> Unit:
        """What `main` and `by_document` are in."""
        return "nats per token" if self.same_tokens else "bits per byte"

    def as_json(self) -> dict[str, Any]:
        """The object that stands under `delta`."""
        main = self.main.found
        return {
            **self.main.as_json(),
            "unit": self.unit,
            "perplexity_ratio": exp(main.value) if self.same_tokens else None,
            "perplexity_ratio_ci": _exp_of(main.ci) if self.same_tokens else None,
            "document_mean": self.by_document.as_json(),
            "bits_per_byte": self.bits.as_json(),
        }


def exp(value: float | None) -> float | None:
    """e to a value; None where there is none, or it is too large for a number."""
    return math.exp(value) if value is not None and value < _MOST else None


def _exp_of(ci: Sequence[float] | None) -> list[float] | None:
    ends = [exp(end) for end in ci] if ci is not None else [None]
    return [end for end in ends if end is not None] if None not in ends else None


def _at_least_zero(ci: tuple[float, float] | None) -> list[float] | None:
    """An interval of a loss, which cannot be below 0."""
    return [max(0.0, ci[0]), ci[1]] if ci is not None else None


def measured(records: Records, ids: Sequence[str]) -> Measured:
    """One model's figures over the documents `ids`; those without a loss are counted, never averaged."""
    known = [records[name] for name in ids if name in records]
    rows = [record for record in known if record.status == "ok"]
    sums, tokens, sizes = _columns(rows)
    clusters = [cluster_of(record) for record in rows]
    means = np.asarray([record.loss for record in rows], dtype=np.float64)
    return Measured(
        n=len(rows),
        lost=len(ids) - len(rows),
        tokens=sum(record.tokens for record in rows),
        bytes=sum(record.bytes for record in rows),
        loss=ratio(sums, tokens, clusters),
        by_document=ratio(means, np.ones(len(rows)), clusters),
        bits=ratio(sums / math.log(2), sizes, clusters),
        statuses=dict(sorted(Counter(record.status for record in known).items())),
    )


def delta(candidate: Records, baseline: Records, ids: Sequence[str], *, same: bool | None = None) -> Delta:
    """What moved from baseline to candidate, on the documents of `ids` that both have a loss of.

    `same` says whether both were asked for the same tokens, where it is known of more documents than these.
    """
    both = [name for name in ids if _has_loss(candidate, name) and _has_loss(baseline, name)]
    ours, theirs = [candidate[name] for name in both], [baseline[name] for name in both]
    if same is None:
        same = all(a.targets == b.targets for a, b in zip(ours, theirs, strict=True))
    clusters = [cluster_of(record) for record in ours]
    (nll, tokens, size), (nll_b, tokens_b, size_b) = _columns(ours), _columns(theirs)
    bits = _shift((nll / math.log(2), size), (nll_b / math.log(2), size_b), clusters)
    each = [_per_unit(record, same=same) for record in ours]
    each_b = [_per_unit(record, same=same) for record in theirs]
    ones = np.ones(len(both))
    means = _shift((np.asarray(each), ones), (np.asarray(each_b), ones), clusters)
    return Delta(
        same_tokens=same,
        main=_shift((nll, tokens), (nll_b, tokens_b), clusters) if same else bits,
        by_document=means,
        bits=bits,
        documents={name: a - b for name, a, b in zip(both, each, each_b, strict=True)},
    )


def cluster_of(record: LossRecord) -> str:
    """The cluster of a document: its own, else the document itself."""
    return f"cluster {record.cluster}" if record.cluster is not None else f"document {record.id}"


def _has_loss(records: Records, name: str) -> bool:
    return name in records and records[name].status == "ok"


def _per_unit(record: LossRecord, *, same: bool) -> float:
    nll = record.nll or 0.0
    return nll / record.tokens if same else nll / math.log(2) / max(1, record.bytes)


def _columns(rows: Sequence[LossRecord]) -> tuple[Array, Array, Array]:
    """Sums of losses in nats, tokens and bytes of documents."""
    columns = ([row.nll for row in rows], [row.tokens for row in rows], [row.bytes for row in rows])
    sums, tokens, sizes = (np.asarray(column, dtype=np.float64) for column in columns)
    return sums, tokens, sizes


def _shift(a: tuple[Array, Array], b: tuple[Array, Array], clusters: Sequence[str]) -> Shift:
    found = ratio_difference(a, b, clusters)
    return Shift(found=found, p_value=permuted(a, b, clusters, np.random.default_rng(SEED)))
