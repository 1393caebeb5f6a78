"""A real server for the service: opens the engine, listens, and stops softly."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from starlette.applications import Starlette

from gradeq.clock import wait_for_event
from gradeq.engine import Engine
from gradeq.errors import ConfigError
from gradeq.passes import first_code
from gradeq.web.app import create_app
from gradeq.web.auth import is_loopback

_HTTP_GRACE_SECONDS = 5
_MESSAGE_BYTES = 4096
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound here
_SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")


async def serve(
    engine: Engine,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    *,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[str], None] | None = None,
    on_first_link: Callable[[str], None] | None = None,
) -> int:
    """Open `engine` and serve it until SIGTERM, Ctrl-C or `stop`; how many jobs were given back.

    Port 0 takes a free one; `on_ready` is told the address, and `on_first_link`, where nobody
    administers yet, a link that makes whoever opens it the first administrator. The stop is soft:
    nothing new is claimed, streams end, requests get 5 seconds and calls the engine's grace; a
    second signal stops at once. Sets `stop` when a signal comes. Raises ConfigError where the
    address cannot be used, or where others can reach it and there is no token; else what opening
    the engine raises.
    """
    check_address(host, token)
    stop = stop or asyncio.Event()
    # Who has the token needs no other key, and who lacks it gets none.
    local_key = secrets.token_urlsafe(32) if token is None else None
    app = create_app(engine, token=token, local_key=local_key)
    async with engine, _running(app, host, port) as server:
        with _signals(stop, lambda: _hurry(engine, server)):
            engine.store.announce(server.url, local_key)
            code = None if on_first_link is None else await first_code(engine.store.people)
            if on_ready is not None:
                on_ready(server.url)
            if on_first_link is not None and code is not None:
                on_first_link(f"{server.url}/sign-in?code={code}")
            await server.serve_until(stop)
            engine.store.announce(None)
            app.state.site.feed.end()
            await engine.stop_claiming()
            await server.end()
            return await engine.stop()


def check_address(host: str, token: str | None) -> None:
    """Raises ConfigError for an address that others can reach and no token guards."""
    if token is None and not is_loopback(host.lower()):
        raise ConfigError(
            f"{host or 'every address of this machine'} can be reached from elsewhere, and there "
            "is no token; nothing was started. Set GRADEQ_TOKEN to a long random text, or listen "
            "on 127.0.0.1"
        )


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: a stop of this service is more than one of its own."""

    def __init__(self, app: Starlette, listener: socket.socket, url: str) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                ws_max_size=_MESSAGE_BYTES,
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_HTTP_GRACE_SECONDS,
            )
        )
        self.url = url
        self._listening = asyncio.Event()
        self._ending = asyncio.Event()
        self._serving = asyncio.create_task(self.serve([listener]))

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening.set()

    async def main_loop(self) -> None:
        """Look once a second, for the Date header; uvicorn's own looks ten times, idle or not."""
        while not await self.on_tick(0):
            await wait_for_event(self._ending, 1.0)

    async def listen(self) -> None:
        """Return when requests are answered."""
        await self._first(self._listening)

    async def serve_until(self, stop: asyncio.Event) -> None:
        await self._first(stop)

    async def end(self) -> None:
        """Take no more requests; return when those under way are answered or cut off."""
        self.should_exit = True
        self._ending.set()
        await self._serving

    async def _first(self, event: asyncio.Event) -> None:
        """Wait for `event`; a server that ends by itself raises its error."""
        waiting = asyncio.create_task(event.wait())
        try:
            await asyncio.wait((waiting, self._serving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._serving.done():
            self._serving.result()


@contextlib.asynccontextmanager
async def _running(app: Starlette, host: str, port: int) -> AsyncIterator[_Server]:
    listener = _listen(host, port)
    server = _Server(app, listener, _url(host, listener.getsockname()[1]))
    log = logging.getLogger("uvicorn.error")
    log.addFilter(_is_no_false_alarm)
    try:
        await server.listen()
        yield server
    finally:
        server.force_exit = True
        await server.end()
        listener.close()
        log.removeFilter(_is_no_false_alarm)


def _is_no_false_alarm(record: logging.LogRecord) -> bool:
    """Uvicorn calls it an error where a WebSocket was refused with a reason, as it should be."""
    return record.msg != "ASGI callable returned without completing handshake."


def _listen(host: str, port: int) -> socket.socket:
    # getaddrinfo takes 70000 for 4464.
    if not 0 <= port <= 65_535:
        raise ConfigError(f"cannot listen on port {port}: ports go from 0 to 65535")
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, address = found[0]
        listener = socket.create_server(address, family=family, backlog=1024)
        # asyncio does this only where the protocol is named; without it every answer that goes out
        # in two pieces waits 40 ms for the client's delayed acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        says_itself = isinstance(error, socket.gaierror) or error.errno is None
        why = (error.strerror or error) if says_itself else os.strerror(error.errno or 0)
        raise ConfigError(
            f"cannot listen on {host or '*'} port {port} ({why}); nothing was started. "
            "Choose another port, or 0 for any that is free"
        ) from error


def _url(host: str, port: int) -> str:
    """Where programs on this machine find it."""
    host = _EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _hurry(engine: Engine, server: _Server) -> None:
    server.force_exit = True
    engine.hurry()


@contextlib.contextmanager
def _signals(stop: asyncio.Event, hurry: Callable[[], None]) -> Iterator[None]:
    """The first signal sets `stop`, the second hurries, a third does what it always did.

    By signal.signal and not by the loop's add_signal_handler, which Windows does not have.
    Outside the main thread no signals arrive.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def note() -> None:
        if stop.is_set():
            restore()
            hurry()
        stop.set()

    def restore() -> None:
        for one, handler in before.items():
            signal.signal(one, handler)

    def heard(_number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(note)

    known = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {one: signal.signal(one, heard) for one in known}
    try:
        yield
    finally:
        restore()
