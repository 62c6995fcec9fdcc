"""The HTTP client beneath an SDK: a pool as large as the concurrency, bounded connects, and a witness of the first one.

It refuses to follow redirects: an SDK would carry its key along to wherever they point.
"""

from __future__ import annotations

from typing import Any

from harness.models.limits import Endpoint


def options(endpoint: Endpoint, *, connections: int, connect_s: float, read_s: float) -> dict[str, Any]:
    """Keyword arguments for either SDK's default HTTP client."""
    import httpx2

    return {
        "limits": httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
        "timeout": httpx2.Timeout(read_s, connect=connect_s),
        "follow_redirects": False,
        "event_hooks": {"request": [_witness(endpoint)]},
    }


def _witness(endpoint: Endpoint) -> Any:
    """A request hook that tells the endpoint when a connection stands, before any answer has come."""

    async def trace(event: str, info: Any) -> None:
        if event.startswith(("http11.", "http2.")):
            endpoint.connected()

    async def on_request(request: Any) -> None:
        if not endpoint.reached:
            request.extensions["trace"] = trace

    return on_request
