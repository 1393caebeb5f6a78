"""One HTTP client per provider: the only module that knows which library sends the bytes.

The interface is httpx's transport API; the work is done by httpx-aiohttp's transport. Measured on
two cores against a zero-latency server on loopback, at 5, 100 and 500 calls in flight: httpx's own
pool made 690 to 970, 230 to 380 and 200 to 330 requests a second, because it looks at every
connection for every request; this transport under `httpx.AsyncClient` 1,300 to 2,100, 1,400 to
2,000 and 970 to 1,700; the transport alone 2,200 to 3,900, 2,600 to 3,500 and 1,800 to 2,400. So
it is called without `AsyncClient`, whose cookies, redirects and hooks a JSON API has no use for.

Rules kept here, so that nobody above has to know them:
one deadline covers the whole exchange, because a server that drips a byte a minute never trips a
timeout between bytes; a body is bounded after decompression; certificates are always verified; a
proxy from the environment is honoured, except for this machine's own addresses.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
import weakref
from collections.abc import AsyncIterator, Mapping, Sequence
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
    """Posts JSON to one base URL over as many pooled connections as there are calls in flight.

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
        request = self._request(path, headers, body)
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(request)
        except TimeoutError:
            return HttpTrouble(Trouble.TIMEOUT, f"no complete answer within {seconds:g} s")

    async def aclose(self) -> None:
        """Close every connection; calls still in flight end as lost."""
        await self._pooled.aclose()
        if self._unpooled is not None and self._unpooled is not self._pooled:
            await self._unpooled.aclose()

    def _request(
        self, path: str, headers: Headers, body: bytes | Mapping[str, Any]
    ) -> httpx.Request:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return httpx.Request(
            "POST",
            self._url(path),
            headers=list(headers),
            content=content,
            extensions=dict(_EXTENSIONS),
        )

    def _url(self, path: str) -> httpx.URL:
        url = self._urls.get(path)
        if url is None:
            url = self._base.copy_with(path=self._base.path.rstrip("/") + path)
            self._urls[path] = url
        return url

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
        """The server closed an idle connection just as it was used: it saw no request."""
        if self._unpooled is None:
            self._unpooled = _transport(self._base, reuse=False)
        try:
            return await _send(self._unpooled, request)
        except _NETWORK_ERRORS as error:
            return _trouble(error)


class _BodyTooBigError(Exception):
    """More than `MAX_BODY_BYTES` arrived."""


_NETWORK_ERRORS = (httpx.HTTPError, aiohttp.ClientError, OSError, _BodyTooBigError)


async def _send(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> HttpResponse:
    response = await transport.handle_async_request(request)
    try:
        body = await _read(response)
    finally:
        await response.aclose()
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
    if isinstance(cause, _BodyTooBigError):
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
    return str(cause) or type(cause).__name__
