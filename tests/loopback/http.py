"""The loopback server's own HTTP/1.1: one asyncio protocol, keep-alive, bodies by Content-Length.

It refuses chunked requests, heads above 64 KiB and bodies above 32 MiB: the SDKs under test send none. Lean on
purpose: benchmarks measure the client against it, from another process.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 32 * 1024 * 1024
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request as it came in; header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What is sent back, `after_s` seconds later. `transport` names what to do instead: "hang" or "reset"."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    transport: str = ""

    def encoded(self) -> bytes:
        """Status line, headers and body."""
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        head = (
            f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Error')}\r\n"
            f"content-type: {self.content_type}\r\ncontent-length: {len(self.body)}\r\n{extra}\r\n"
        )
        return head.encode("latin-1") + self.body


Handler = Callable[[Call], Response]


def as_json(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(status=status, body=json.dumps(value).encode(), headers=headers or {})


class Connection(asyncio.Protocol):
    """One client connection: requests are answered one after another, in order."""

    def __init__(self, handle: Handler, done: Callable[[], None], open_connections: set[Connection]) -> None:
        self._handle, self._done, self._open = handle, done, open_connections
        self._buffer = b""
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._busy:
            self._busy = False
            self._done()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._busy:
            self._next()

    def close(self) -> None:
        """Drop the connection, whatever it is doing."""
        self._transport.abort()

    def _next(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or end > HEAD_LIMIT:
            if end > HEAD_LIMIT or len(self._buffer) > HEAD_LIMIT:
                self.close()
            return
        call, size = _head(self._buffer[:end])
        if size < 0 or size > BODY_LIMIT:
            self.close()
        elif len(self._buffer) >= end + 4 + size:
            body = self._buffer[end + 4 : end + 4 + size]
            self._buffer = self._buffer[end + 4 + size :]
            self._answer(Call(method=call[0], path=call[1], headers=call[2], body=body))

    def _answer(self, call: Call) -> None:
        self._busy = True
        response = self._handle(call)
        if response.transport == "hang":
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(response.after_s, self._send, response) if response.after_s else None
        if self._timer is None:
            self._send(response)

    def _send(self, response: Response) -> None:
        self._timer = None
        if response.transport == "reset":
            _reset(self._transport)
            return
        # Counted as done before the client can have it, so that a test never sees it still under way.
        self._busy = False
        self._done()
        self._transport.write(response.encoded())
        if self._buffer:
            self._next()


def _head(raw: bytes) -> tuple[tuple[str, str, dict[str, str]], int]:
    first, *lines = raw.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = headers.get("content-length", "0")
    size = int(length) if length.isdigit() and "transfer-encoding" not in headers else -1
    return (method, rest.partition(" ")[0], headers), size


def _reset(transport: asyncio.Transport) -> None:
    # A linger of zero makes the kernel answer with RST instead of an orderly end.
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
