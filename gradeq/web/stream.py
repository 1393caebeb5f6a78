"""One client's way through the feed, whatever it is told by."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from starlette.requests import HTTPConnection

from gradeq.errors import StoreError
from gradeq.web.bodies import Watch
from gradeq.web.feed import GAP, MOST_STREAMS, Block
from gradeq.web.leave import Leave
from gradeq.web.problems import Problem
from gradeq.web.rights import require_course, sees_batch
from gradeq.web.site import Site

log = logging.getLogger("gradeq")


async def open_stream(site: Site, watch: Watch, connection: HTTPConnection) -> Stream:
    """A place in the feed, from now on, for what may be seen by whoever asks.

    Raises NotFoundError for a course of others, a Problem where there is no place left.
    """
    leave = Leave(site, connection)
    if watch.course is not None:
        require_course(leave.person, watch.course)
    if site.feed.is_over:
        raise Problem(503, "stopping", "gradeq is stopping", headers={"Retry-After": "5"})
    if site.feed.is_full:
        raise Problem(
            503, "too_many_streams", f"{MOST_STREAMS} streams are open already; poll the badges"
        )
    return Stream(site, watch, leave, await site.store.last_event())


class Stream:
    """One client's place in the feed: `last` was the newest event when it came.

    `seen` is the last event that it was told of, or that it did not ask for.
    """

    def __init__(self, site: Site, watch: Watch, leave: Leave, last: int) -> None:
        self._site = site
        self._feed = site.feed
        self._watch = watch
        self.leave = leave
        self._last = last
        self.seen = last

    async def blocks(self, after: int | None) -> AsyncGenerator[Sequence[Block]]:
        """What is wanted, as it comes, until the client, its leave or the service ends.

        Nothing comes, but something does, after `heartbeat_seconds` of silence.
        """
        try:
            async with self._feed.listening():
                if first := [*await self._gap(after), *await self._first_badges()]:
                    yield first
                async with aclosing(self._on()) as ticks:
                    async for blocks in ticks:
                        yield blocks
        except StoreError as error:
            log.error("an event stream was ended: %s", error)

    async def _gap(self, after: int | None) -> list[Block]:
        """Events are numbered without holes: a jump means pruned events, or another database."""
        if after is None:
            return []
        oldest = await self._site.store.events(after, limit=1)
        first = oldest[0].seq if oldest else self._last + 1
        if after <= self._last and first == after + 1:
            self.seen = after
            return []
        self.seen = first - 1
        return [Block.of(GAP, {"after": after}, self.seen)]

    async def _first_badges(self) -> list[Block]:
        if self._watch.course is None or self._watch.assignment is None:
            return []
        found = await self._feed.badges(self._watch.course, self._watch.assignment, self.seen)
        return [] if found is None else [found]

    async def _on(self) -> AsyncGenerator[Sequence[Block]]:
        now = asyncio.get_running_loop().time
        sent_at = now()
        while not self._is_over():
            blocks = await self._next()
            if not await self.leave.lasts():
                break
            if blocks or now() - sent_at >= self._site.heartbeat_seconds:
                yield blocks
                sent_at = now()

    async def _next(self) -> Sequence[Block]:
        """What is new and wanted; nothing, at the latest after a second."""
        rings = self._feed.news.rings
        tick = await self._feed.next(self.seen)
        if tick is None:
            await self._feed.news.wait(rings, timeout=self._look_seconds)
            return ()
        seen, self.seen = self.seen, tick.last
        wanted = [one for one in tick.blocks if one.seq > seen and _wants(self._watch, one)]
        return [one for one in wanted if await self._sees(one)]

    async def _sees(self, block: Block) -> bool:
        """What belongs to no course tells of batches, or of the whole queue."""
        if self.leave.person.sees_everything:
            return True
        if block.course is not None:
            return self.leave.person.sees(block.course)
        for batch_id in block.batch_ids:
            return await sees_batch(self._site, self.leave.person, batch_id)
        return False

    @property
    def _look_seconds(self) -> float:
        return min(1.0, self._site.heartbeat_seconds)

    def _is_over(self) -> bool:
        return self._feed.is_over or not self._site.engine.is_open or host_is_stopping()


def _wants(watch: Watch, block: Block) -> bool:
    return (
        watch.course in (None, block.course)
        and watch.assignment in (None, block.assignment)
        and (watch.batch_id is None or watch.batch_id in block.batch_ids)
    )


def host_is_stopping() -> bool:
    """Whether the server that this application is mounted in was told to stop.

    Uvicorn waits for open responses before it ends the application and tells nobody that it does:
    one open stream would keep it for ever. Its signal handler is a method of its server, which
    knows.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return bool(getattr(server, "should_exit", False))
