"""What makes two questions the same: a SHA-256 over everything that could change the answer.

Canonical JSON: names sorted, no spaces, ASCII; a whole number written as a float counts as that whole number, so that
`temperature: 0` and `0.0` are one question. NaN and infinity are refused (ValueError).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from judges.types import Json, Request


def cache_key(identity: Mapping[str, Json], request: Request) -> str:
    """The key of a request to a model: 64 hexadecimal digits.

    `identity` says which model answers: provider, address (without secrets) and name for an API, the fingerprint of
    the weights for a local model. Every field of the request counts.
    """
    return _sha256(provenance(identity, request))


def provenance(identity: Mapping[str, Json], request: Request) -> dict[str, Json]:
    """What a key is made of: the identity, and the SHA-256 of the request in place of its text."""
    return {"identity": dict(identity), "request": _sha256(request)}


def key_of(source: Mapping[str, Json]) -> str:
    """The key that a stored provenance leads to."""
    return _sha256(dict(source))


def _sha256(value: Any) -> str:
    return hashlib.sha256(_CANONICAL.encode(value).encode("ascii")).hexdigest()


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _whole(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be part of a cache key")


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
