"""One HTTP client per provider: the only module that knows which library sends the bytes.

The interface is httpx's transport API; the work is done by httpx-aiohttp's transport. Measured on
two cores against a zero-latency server on loopback, at 5, 100 and 500 calls in flight: httpx's own
pool made 690 to 970, 230 to 380 and 200 to 330 requests a second, because it looks at every
connection for every request; this transport under `httpx.AsyncClient` 1,300 to 2,100, 1,400 to
2,000 and 970 to 1,700; the transport alone 2,200 to 3,900, 2,600 to 3,500 and 1,800 to 2,400. So
it is called without `AsyncClient`, whose cookies, redirects and hooks a JSON API has no use for.

Rules kept here, so that nobody above has to know them:
one deadline covers the whole exchange, or one line of a long one, because a server that drips a
byte a minute never trips a timeout between bytes; a body is bounded after decompression;
certificates are always verified; a proxy from the environment is honoured, except for this
machine's own addresses.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp
import httpx
import msgspec
from aiohttp.connector import Connection
from httpx_aiohttp import AiohttpTransport

from gradeq.errors import ConfigError
from gradeq.providers.lines import LineTooLongError, split_lines
from gradeq.providers.proxy import proxy_for

CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0
MAX_BODY_BYTES = 16 * 1024 * 1024

KEEP_ALIVE_SECONDS = 4.0
"""Shorter than the 5 s after which uvicorn, Node and llama.cpp close an idle connection."""

CONNECTING_AT_ONCE = 256
"""More at once only wait for each other, until all of them look like a host that is down."""

STALE_SECONDS = 1.0
"""A pooled connection that dies later than this had taken the request."""

SLOWEST_BYTES_PER_SECOND = 64 * 1024
"""An upload may take as long as this allows, on top of the client's timeout."""

Headers = Sequence[tuple[bytes, bytes]]

_EXTENSIONS: Mapping[str, Any] = {"timeout": {"connect": CONNECT_SECONDS, "pool": CONNECT_SECONDS}}

_connection_was_reused: ContextVar[bool] = ContextVar("connection_was_reused", default=False)
"""Of the current task's last request; a context variable belongs to its task alone."""


class Trouble(StrEnum):
    """Why there is no response."""

    CONNECT = "connect"
    TIMEOUT = "timeout"
    LOST = "lost"
    TOO_BIG = "too_big"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole response; header names are lower case, `body` is decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpTrouble:
    """No whole response. `detail` is the library's or the system's own word for it."""

    kind: Trouble
    detail: str


class HttpClient:
    """Speaks to one base URL over as many pooled connections as there are calls in flight.

    `timeout` is in seconds and covers connecting, sending and reading. `transport` replaces the
    network, for whoever embeds gradeq behind something else. Raises ConfigError where the
    environment names a proxy or a certificate file that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float = READ_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base = httpx.URL(base_url)
        self._urls: dict[str, httpx.URL] = {}
        self._timeout = timeout
        self._pooled = transport or _transport(self._base, reuse=True)
        self._unpooled: httpx.AsyncBaseTransport | None = transport

    async def post_json(
        self,
        path: str,
        headers: Headers,
        body: bytes | Mapping[str, Any],
        within: float | None = None,
    ) -> HttpResponse | HttpTrouble:
        """POST `body` to the base URL's path followed by `path`; raises only CancelledError.

        `within` is in seconds and replaces the client's own timeout for this call.
        """
        seconds = self._timeout if within is None else within
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        request = _request("POST", self._url(path), headers, content=content)
        return await _in_time(self._exchange(request), seconds)

    async def get(
        self, path: str, headers: Headers, query: Mapping[str, str] | None = None
    ) -> HttpResponse | HttpTrouble:
        """GET `path`, with `query` added to the base URL's own; raises only CancelledError."""
        url = self._at(path).copy_merge_params(dict(query or {}))
        return await _in_time(self._exchange(_request("GET", url, headers)), self._timeout)

    async def upload(
        self, path: str, headers: Headers, parts: Sequence[bytes]
    ) -> HttpResponse | HttpTrouble:
        """POST `parts` one after the other as one body; raises only CancelledError.

        Over a connection of its own, so that it is never sent twice: what is uploaded may cost.
        """
        size = sum(map(len, parts))
        whole = [*headers, (b"content-length", b"%d" % size)]
        request = _request("POST", self._at(path), whole, stream=_Parts(parts))
        seconds = self._timeout + size / SLOWEST_BYTES_PER_SECOND
        return await _in_time(self._exchange_on_new_connection(request), seconds)

    async def lines(
        self, path: str, headers: Headers
    ) -> AsyncGenerator[bytes | HttpResponse | HttpTrouble, None]:
        """The lines of a 200's body as they arrive, however many; raises only CancelledError.

        Any other response, or what cut this one off, comes once and last. Each line has the
        client's whole timeout, and may take as much of memory as a whole body of `get`.
        """
        request = _request("GET", self._at(path), headers)
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._unpooled_transport().handle_async_request(request)
            async with (
                contextlib.aclosing(response),
                contextlib.aclosing(self._read_lines(response)) as lines,
            ):
                async for each in lines:
                    yield each
        except TimeoutError:
            yield _too_late(self._timeout)
        except _NETWORK_ERRORS as error:
            yield _trouble(error)

    async def aclose(self) -> None:
        """Close every connection; calls still in flight end as lost."""
        await self._pooled.aclose()
        if self._unpooled is not None and self._unpooled is not self._pooled:
            await self._unpooled.aclose()

    def _url(self, path: str) -> httpx.URL:
        """The same as `_at`, remembered: for paths that are always the same."""
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._at(path)
        return url

    def _at(self, path: str) -> httpx.URL:
        return self._base.copy_with(path=self._base.path.rstrip("/") + path)

    async def _read_lines(
        self, response: httpx.Response
    ) -> AsyncGenerator[bytes | HttpResponse, None]:
        if response.status_code != 200:
            async with asyncio.timeout(self._timeout):
                whole = await _whole(response)
            yield whole
            return
        async with contextlib.aclosing(
            split_lines(_decompressed(response), MAX_BODY_BYTES)
        ) as lines:
            while (line := await self._next(lines)) is not None:
                yield line

    async def _next(self, lines: AsyncIterator[bytes]) -> bytes | None:
        async with asyncio.timeout(self._timeout):
            return await anext(lines, None)

    async def _exchange(self, request: httpx.Request) -> HttpResponse | HttpTrouble:
        loop = asyncio.get_running_loop()
        started = loop.time()
        _connection_was_reused.set(False)
        try:
            return await _send(self._pooled, request)
        except _NETWORK_ERRORS as error:
            stale = _connection_was_reused.get() and loop.time() - started < STALE_SECONDS
            if not (stale and _nothing_received(error)):
                return _trouble(error)
        return await self._exchange_on_new_connection(request)

    async def _exchange_on_new_connection(
        self, request: httpx.Request
    ) -> HttpResponse | HttpTrouble:
        """For what must not be sent twice, and for what the server saw nothing of: it closed an
        idle connection just as it was used."""
        try:
            return await _send(self._unpooled_transport(), request)
        except _NETWORK_ERRORS as error:
            return _trouble(error)

    def _unpooled_transport(self) -> httpx.AsyncBaseTransport:
        if self._unpooled is None:
            self._unpooled = _transport(self._base, reuse=False)
        return self._unpooled


class _BodyTooBigError(Exception):
    """More than `MAX_BODY_BYTES` arrived."""


_TOO_BIG_ERRORS = (_BodyTooBigError, LineTooLongError)
_NETWORK_ERRORS = (httpx.HTTPError, aiohttp.ClientError, OSError, *_TOO_BIG_ERRORS)


class _Parts(httpx.AsyncByteStream):
    """A body in pieces: a large one is not copied, and leaves the event loop time between."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


def _request(method: str, url: httpx.URL, headers: Headers, **body: Any) -> httpx.Request:
    return httpx.Request(method, url, headers=list(headers), extensions=dict(_EXTENSIONS), **body)


async def _in_time(
    exchange: Coroutine[Any, Any, HttpResponse | HttpTrouble], seconds: float
) -> HttpResponse | HttpTrouble:
    try:
        async with asyncio.timeout(seconds):
            return await exchange
    except TimeoutError:
        return _too_late(seconds)


def _too_late(seconds: float) -> HttpTrouble:
    return HttpTrouble(Trouble.TIMEOUT, f"no complete answer within {seconds:g} s")


async def _send(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> HttpResponse:
    response = await transport.handle_async_request(request)
    async with contextlib.aclosing(response):
        return await _whole(response)


async def _whole(response: httpx.Response) -> HttpResponse:
    body = await _read(response)
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in response.headers.raw
    }
    return HttpResponse(response.status_code, headers, body)


async def _read(response: httpx.Response) -> bytes:
    size = 0
    chunks: list[bytes] = []
    async for chunk in _decompressed(response):
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _BodyTooBigError(f"the answer is larger than {MAX_BODY_BYTES >> 20} MiB")
        chunks.append(chunk)
    return b"".join(chunks)


def _decompressed(response: httpx.Response) -> AsyncIterator[bytes]:
    """Nothing compressed is asked for, but a gateway may compress all the same."""
    stream = response.stream
    if "content-encoding" in response.headers or not isinstance(stream, httpx.AsyncByteStream):
        return response.aiter_bytes()
    return aiter(stream)


def _transport(base: httpx.URL, *, reuse: bool) -> AiohttpTransport:
    context = _ssl_context(base)
    proxy = proxy_for(str(base))

    def session() -> aiohttp.ClientSession:
        pool: dict[str, Any] = (
            {"keepalive_timeout": KEEP_ALIVE_SECONDS} if reuse else {"force_close": True}
        )
        return aiohttp.ClientSession(
            connector=_Connector(ssl=context, limit=0, **pool),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    return AiohttpTransport(
        verify=context, proxy=httpx.Proxy(proxy) if proxy else None, client=session
    )


class _Connector(aiohttp.TCPConnector):
    """aiohttp's pool, which also tells whether it handed out a connection used before."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._handed_out: weakref.WeakSet[Any] = weakref.WeakSet()
        self._door = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        async with self._door:
            connection = await super().connect(*args, **kwargs)
        _connection_was_reused.set(connection.protocol in self._handed_out)
        self._handed_out.add(connection.protocol)
        return connection


def _ssl_context(base: httpx.URL) -> ssl.SSLContext:
    """Trusts what SSL_CERT_FILE, SSL_CERT_DIR or certifi name; for plain HTTP, nobody."""
    if base.scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise ConfigError(
            f"The trusted certificates cannot be read ({error}). Nothing was sent. "
            "Check SSL_CERT_FILE and SSL_CERT_DIR in the environment."
        ) from error


def _nothing_received(error: Exception) -> bool:
    """True where the connection ended before the first byte of a response."""
    cause = error.__cause__
    if isinstance(cause, aiohttp.ServerDisconnectedError):
        return isinstance(cause.message, str)
    return isinstance(cause, aiohttp.ClientOSError) and not isinstance(
        cause, aiohttp.ClientConnectorError
    )


_CONNECT_ERRORS = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
)


def _trouble(error: Exception) -> HttpTrouble:
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    if isinstance(cause, _TOO_BIG_ERRORS):
        return HttpTrouble(Trouble.TOO_BIG, str(cause))
    return HttpTrouble(_kind(cause), _detail(cause))


def _kind(cause: BaseException) -> Trouble:
    if isinstance(cause, (*_CONNECT_ERRORS, httpx.ConnectError, httpx.ConnectTimeout)):
        return Trouble.CONNECT
    if isinstance(cause, (httpx.ProxyError, httpx.PoolTimeout, httpx.UnsupportedProtocol)):
        return Trouble.CONNECT
    return Trouble.TIMEOUT if isinstance(cause, httpx.TimeoutException) else Trouble.LOST


def _detail(cause: BaseException) -> str:
    if getattr(cause, "errno", None) in (errno.EMFILE, errno.ENFILE):
        return "this process has too many open files; raise its limit or lower the concurrency"
    if isinstance(cause, aiohttp.ClientConnectorError) and cause.os_error.errno:
        return f"{_system_says(cause.os_error)} ({cause.host}:{cause.port})"
    return str(cause) or type(cause).__name__


def _system_says(error: OSError) -> str:
    """`Connection refused`, without the addresses and flags that libraries put around it."""
    if isinstance(error, ssl.SSLError | socket.gaierror):
        return error.strerror or str(error)
    return os.strerror(error.errno or 0)
