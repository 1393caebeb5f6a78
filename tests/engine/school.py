"""An engine, a rubric and the simulated provider on a real socket, with a tap on the wire."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine_kit import an_engine, until

from gradeq import Engine, NewSubmission, ProviderSettings, Result
from gradeq.clock import Clock
from gradeq.providers.simulated import Simulator, SimulatorSettings
from gradeq.store.rows import AttemptRow, JobRow

RUBRIC = """
title = "Sleep"
question = "Should schools start later in the morning?"

[[criteria]]
id = "claim"
description = "Is there a clear position?"
levels = [
  { name = "clear", points = 2 },
  { name = "vague", points = 1 },
  { name = "none", points = 0 },
]

[[criteria]]
id = "evidence"
description = "Is the position supported with evidence?"
points = 3
"""

ESSAY = (
    "Schools should start later. Teenagers need sleep, and a study of 400 pupils found that "
    "marks rose when the first bell rang at nine. Some say that parents must go to work early. "
    "But older pupils can get up by themselves, so this is no reason. I wrote this as number {n}."
)


def essays(count: int, *, start: int = 1, **given: Any) -> list[NewSubmission]:
    numbers = range(start, start + count)
    return [NewSubmission(f"e{n}", ESSAY.format(n=n), **given) for n in numbers]


class Strikes(random.Random):
    """Lets a fault of the plan strike call by call as told, and never after that."""

    def told(self, *strikes: bool) -> Strikes:
        # The simulator draws once for itself before the first call.
        self._left = [True, *strikes]
        return self

    def random(self) -> float:
        return 0.0 if self._left and self._left.pop(0) else 0.999


class Tap:
    """Passes bytes on to a server and back, and keeps what went there."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sent = bytearray()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def sent(self) -> str:
        """Everything that left this machine, headers included."""
        return self._sent.decode("utf-8", "surrogateescape")

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The JSON bodies of the requests, in the order in which they were sent."""
        found = []
        for part in self.sent.split("POST /")[1:]:
            found.append(json.loads(part.partition("\r\n\r\n")[2]))
        return found

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        back, forth = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(reader, forth, keep=True))
                both.create_task(self._pass_on(back, writer))
        except* OSError:
            pass
        finally:
            writer.close()
            forth.close()
            self._tasks.discard(task)

    async def _pass_on(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, keep: bool = False
    ) -> None:
        while data := await source.read(65536):
            if keep:
                self._sent += data
            target.write(data)
            await target.drain()
        target.close()


@dataclass
class School:
    """What the tests hold: the engine, the provider it asks and the rubric it grades by."""

    engine: Engine
    sim: Simulator
    rubric_id: int = 0
    results: dict[str, Result] = field(default_factory=dict)

    async def submit(self, papers: Sequence[NewSubmission | int], **options: Any) -> Any:
        return await self.engine.submit(papers, **{"rubric_id": self.rubric_id, **options})

    async def graded(self, papers: Sequence[NewSubmission | int], **options: Any) -> Any:
        """Submit and wait for every result; the results by id."""
        batch = await self.submit(papers, **options)
        return {one.id: one async for one in self.engine.results(batch.id)}

    async def id_of(self, name: str) -> int:
        found = await self.engine.store.find_submissions([name], None, None)
        return found[name][0]

    async def jobs(self, batch_id: int) -> list[JobRow]:
        return await self.engine.store.jobs(batch_id=batch_id, limit=10_000)

    async def until_salvaged(self, job_id: int) -> AttemptRow:
        """Wait for an answer that came too late to be applied."""
        found: list[AttemptRow] = []

        async def reached() -> bool:
            attempts = await self.engine.store.attempts(job_id)
            found[:] = [one for one in attempts if one.answer_use == "salvage"]
            return bool(found)

        await until(self.engine, reached)
        return found[0]


@asynccontextmanager
async def simulator(
    clock: Clock | None = None, rng: random.Random | None = None, **settings: Any
) -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorSettings(**settings), clock=clock, rng=rng) as sim:
        yield sim


@asynccontextmanager
async def school(
    path: Path,
    sim: Simulator,
    *,
    base_url: str | None = None,
    provider: dict[str, Any] | None = None,
    rubric: str = RUBRIC,
    **options: Any,
) -> AsyncIterator[School]:
    """An open engine on `path` whose only provider is `sim`."""
    settings = {"kind": "simulated", "model": "marker-1", "base_url": base_url or sim.url}
    chosen = ProviderSettings(name="school", **(settings | (provider or {})))
    engine = an_engine(path, providers=[chosen], **options)
    async with engine:
        yield School(engine, sim, await engine.rubrics.put(rubric, "sleep.toml"))
