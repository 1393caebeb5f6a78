"""HTTP/1.1 as a server speaks it: one connection's requests in, responses out, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Protocol

import httptools

MAX_BODY = 32 * 1024 * 1024
"""Bytes; Anthropic's limit for a request."""
MAX_BATCH_BODY = 256 * 1024 * 1024
"""Bytes; Anthropic's limit for a batch, and more than OpenAI's for a batch's file."""
_MAX_WAITING = 64
"""Pipelined requests that wait on one connection before it is read no further."""
_WANTED = frozenset(
    {
        b"x-api-key",
        b"authorization",
        b"anthropic-version",
        b"x-goog-api-key",
        b"expect",
        b"host",
        b"content-type",
    }
)
_PHRASES = MappingProxyType(
    {status.value: status.phrase.encode() for status in HTTPStatus} | {529: b"Site Overloaded"}
)
JSON = b"application/json"


@dataclass(slots=True)
class Request:
    """What arrived. Headers are those the providers read, with lower-case names."""

    method: bytes = b""
    path: bytes = b""
    query: bytes = b""
    headers: dict[bytes, str] = field(default_factory=dict)
    body: bytes = b""
    too_large: bool = False
    keep_alive: bool = True


class Reply(Protocol):
    """A response that takes time, or never comes."""

    @property
    def delay(self) -> float:
        """Seconds until it is due; infinite where the client waits in vain."""
        ...

    @property
    def closes(self) -> bool:
        """True where the connection is closed after the bytes, whole or not."""
        ...

    def finish(self) -> bytes:
        """The response's bytes, now that it is due."""
        ...

    def abandon(self) -> None:
        """The client has gone before it was due."""
        ...


Handler = Callable[[Request], bytes | Reply]
"""Answers a request: bytes at once (none at all: close the connection), or a reply to wait for."""


def response(status: int, body: bytes, headers: bytes = b"", kind: bytes = JSON) -> bytes:
    """A whole response. `headers` are complete lines, each ending with CR LF."""
    return b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (
        status,
        _PHRASES.get(status, b"Unknown"),
        kind,
        len(body),
        headers,
        body,
    )


class Connections:
    """Those that are open, so that all of them can be cut and waited for."""

    def __init__(self) -> None:
        self._open: set[Connection] = set()
        self._none_open = asyncio.Event()
        self._none_open.set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> None:
        self._open.add(connection)
        self._none_open.clear()

    def remove(self, connection: Connection) -> None:
        self._open.discard(connection)
        if not self._open:
            self._none_open.set()

    def abort(self) -> None:
        """Cut every connection now."""
        for connection in tuple(self._open):
            connection.abort()

    async def gone(self) -> None:
        """Return when none is open."""
        await self._none_open.wait()


class Connection(asyncio.Protocol):
    """One client's connection. Pipelined requests are answered one after the other."""

    def __init__(
        self,
        handler: Handler,
        sleep: Callable[[float], asyncio.Future[None]],
        connections: Connections,
    ) -> None:
        self._handler = handler
        self._sleep = sleep
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._reply: Reply | None = None
        self._timer: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._begin()

    def _begin(self) -> None:
        self._request = Request()
        self._body: list[bytes] = []
        self._size = 0
        self._most = MAX_BODY

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.close()
        except httptools.HttpParserError:
            self._refuse_unreadable()
        else:
            self._serve()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._connections.remove(self)
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.abandon()

    # What the parser calls.

    def on_url(self, url: bytes) -> None:
        self._request.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _WANTED:
            self._request.headers[name] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        self._request.method = self._parser.get_method()
        self._request.keep_alive = self._parser.should_keep_alive()
        if self._request.path.endswith((b"/messages/batches", b"/files")):
            self._most = MAX_BATCH_BODY
        asks = self._request.headers.get(b"expect", "").lower() == "100-continue"
        if asks and self._reply is None and not self._waiting:
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self._most:
            self._body.append(part)

    def on_message_complete(self) -> None:
        request = self._request
        request.path, _, request.query = request.path.partition(b"?")
        request.too_large = self._size > self._most
        request.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._waiting.append(request)
        self._begin()

    # Serving.

    def _serve(self) -> None:
        while self._waiting and self._reply is None and self._transport is not None:
            request = self._waiting.popleft()
            answer = self._handler(request)
            if isinstance(answer, bytes):
                self._send(answer, closes=not (request.keep_alive and answer))
            elif answer.delay <= 0:
                self._send(answer.finish(), closes=answer.closes or not request.keep_alive)
            else:
                self._wait_for(answer, request.keep_alive)
        self._throttle()

    def _wait_for(self, reply: Reply, keep_alive: bool) -> None:
        self._reply = reply
        self._timer = self._sleep(reply.delay)
        self._timer.add_done_callback(partial(self._due, reply, keep_alive))

    def _due(self, reply: Reply, keep_alive: bool, timer: asyncio.Future[None]) -> None:
        if self._reply is reply and not timer.cancelled():
            self._reply = self._timer = None
            self._send(reply.finish(), closes=reply.closes or not keep_alive)
            self._serve()

    def _send(self, data: bytes, *, closes: bool) -> None:
        self._write(data)
        if closes:
            self.close()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and data:
            self._transport.write(data)

    def _throttle(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if len(self._waiting) >= _MAX_WAITING:
            self._transport.pause_reading()
        elif not self._transport.is_reading():
            self._transport.resume_reading()

    def _refuse_unreadable(self) -> None:
        answer = response(400, b"Bad Request", b"connection: close\r\n", b"text/plain")
        self._send(answer, closes=True)

    def close(self) -> None:
        """Close after what is written has been sent."""
        if self._transport is not None:
            self._waiting.clear()
            self._transport.close()

    def abort(self) -> None:
        """Close now; the client sees its connection end."""
        if self._transport is not None:
            self._transport.abort()
