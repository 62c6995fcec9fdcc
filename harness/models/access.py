"""Where an API is reached and with which key, and how both stay out of everything that is shown or stored.

Refuses an unset key, a key that no header can carry, and an address that is not http(s). Neither `repr` nor an error
holds a key, nor the name, password or query of an address.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from harness.errors import InputError

MASK = "***"
# Placeholders such as "x" for servers that want no key: masking them would only garble the message.
SHORTEST_SECRET = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """An address and its key. `url` may hold secrets; `shown` is the same address without any."""

    url: str = field(repr=False)
    key: str = field(repr=False)
    shown: str

    def scrub(self, text: str) -> str:
        """The text with every secret of this access replaced by ***."""
        text = text.replace(self.url, self.shown)
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = text.replace(secret, MASK)
        return text

    def _secrets(self) -> set[str]:
        parts = urlsplit(self.url)
        found = {self.key, parts.password or "", parts.username or "", *(value for _, value in parse_qsl(parts.query))}
        return {secret for one in found for secret in (one, unquote(one)) if len(secret) >= SHORTEST_SECRET}


def access(*, url: str, key: str, origin: str = "the base URL") -> Access:
    """Check an address and a key. `origin` says where the address came from, for the error.

    Raises InputError where either cannot be used.
    """
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        found = "nothing that reads as an address" if parts is None else repr(_without_secrets(parts))
        raise InputError(f"{origin} must be an http:// or https:// address, found {found}; correct it")
    return Access(url=url, key=key, shown=_without_secrets(parts))


def access_from_env(
    *, spec: str, prefix: str, default_url: str | None, environ: Mapping[str, str] = os.environ
) -> Access:
    """Read `<prefix>_API_KEY` and `<prefix>_BASE_URL`. An address without a default must be set.

    Raises InputError with one sentence for each variable that is unset or cannot be used.
    """
    key, url = (environ.get(f"{prefix}_{name}", "").strip() for name in ("API_KEY", "BASE_URL"))
    problems = []
    if not key:
        problems.append(f"{spec}: the environment variable {prefix}_API_KEY is not set; set it to the API's key")
    elif not (key.isascii() and key.isprintable() and " " not in key):
        problems.append(f"{spec}: {prefix}_API_KEY holds characters that no key has; copy the key again")
    if not url and default_url is None:
        problems.append(f"{spec}: the environment variable {prefix}_BASE_URL is not set; set it to the API's address")
    if problems:
        raise InputError("\n".join(problems))
    return access(url=url or str(default_url), key=key, origin=f"{spec}: {prefix}_BASE_URL")


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _without_secrets(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
