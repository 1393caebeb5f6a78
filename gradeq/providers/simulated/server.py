"""The simulated provider's server: a real socket on this machine, opened and closed cleanly."""

from __future__ import annotations

import asyncio
import random
from types import TracebackType
from typing import Any, Self

from gradeq.clock import Clock, SystemClock
from gradeq.providers.simulated.http1 import Connection, Connections
from gradeq.providers.simulated.service import Service
from gradeq.providers.simulated.settings import SimulatorSettings
from gradeq.providers.simulated.stats import Standing, Stats

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Simulator:
    """A model provider that speaks Anthropic Messages, OpenAI chat completions, the batch APIs of
    both, and Gemini's generateContent over HTTP.

    `async with Simulator(settings) as sim:` listens on `sim.url` until the block is left. Latency
    and limits run on `clock`; failures and latencies are drawn from `rng`, which is seeded with
    `settings.seed` unless it is given. Anyone who can connect can change its behaviour, so it
    listens on this machine only: any other `host` raises ValueError. OSError where the port is
    taken.
    """

    def __init__(
        self,
        settings: SimulatorSettings | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        if host not in LOOPBACK:
            raise ValueError(f"the simulated provider listens on this machine only, not {host!r}")
        settings = settings or SimulatorSettings()
        self._host = host
        self._port = port
        self._clock = clock or SystemClock()
        rng = rng or random.Random(settings.seed)  # noqa: S311 - made-up faults, not secrets
        self._service = Service(settings, self._clock, rng)
        self._connections = Connections()
        self._sleeping: set[asyncio.Future[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def settings(self) -> SimulatorSettings:
        return self._service.settings

    @property
    def stats(self) -> Stats:
        """What has happened so far."""
        self._service.tally.connections = len(self._connections)
        return self._service.tally.snapshot()

    @property
    def standings(self) -> list[Standing]:
        """Where each key stands with each model it has asked for."""
        return self._service.standings()

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        """Without a path: for the OpenAI SDK, add /v1."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def change(self, **changes: Any) -> None:
        """Change settings by name from now on; what is in flight stays. Raises ValueError."""
        self._service.change(changes)

    def disconnect_all(self) -> None:
        """Cut every connection, as a restart of the provider would."""
        self._connections.abort()

    async def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, cut every connection, and wait until all of it is gone."""
        if self._server is None:
            return
        self._server.close()
        # One turn for connections that were accepted and not yet made.
        await asyncio.sleep(0)
        self.disconnect_all()
        await self._connections.gone()
        await self._service.close()
        await asyncio.gather(*self._sleeping, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _connection(self) -> Connection:
        return Connection(self._service.handle, self._sleep, self._connections)

    def _sleep(self, seconds: float) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        if seconds == float("inf"):
            return loop.create_future()
        sleeping = loop.create_task(self._clock.sleep(seconds))
        self._sleeping.add(sleeping)
        sleeping.add_done_callback(self._sleeping.discard)
        return sleeping
