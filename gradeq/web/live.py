"""GET /api/events: what happens, as server-sent events."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gradeq.errors import StoreError
from gradeq.web.bodies import Watch
from gradeq.web.feed import MOST_STREAMS, Block, written
from gradeq.web.intake import converted
from gradeq.web.people import Person
from gradeq.web.problems import Problem
from gradeq.web.rights import require_course, sees_batch
from gradeq.web.site import Site

log = logging.getLogger("gradeq")
MEDIA_TYPE = "text/event-stream"
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
_RETRY = b"retry: 2000\n\n"


async def events(site: Site, request: Request, query: Watch, person: Person) -> Response:
    """What happens, as it happens: server-sent events with `id`, `event` and JSON `data`.

    Choose by `course`, `assignment` and `batch_id`. `Last-Event-ID` (or `after`) replays what came
    after that event. After the changes of an assignment comes an event `badges` with its counts;
    a stream of one assignment begins with it. An event `gap` says that older events are gone:
    read the state anew.
    """
    if query.course is not None:
        require_course(person, query.course)
    after = _last_seen(request, query)
    if site.feed.is_over:
        raise Problem(503, "stopping", "gradeq is stopping", headers={"Retry-After": "5"})
    if site.feed.is_full:
        raise Problem(
            503, "too_many_streams", f"{MOST_STREAMS} streams are open already; poll the badges"
        )
    if request.method == "HEAD":
        return Response(headers=_HEADERS, media_type=MEDIA_TYPE)
    last = await site.store.last_event()
    return EventStream(_Stream(site, query, person, last).blocks(after))


def _last_seen(request: Request, query: Watch) -> int | None:
    told = request.headers.get("last-event-id", "").strip()
    return converted("header", {"after": told}, Watch).after if told else query.after


class EventStream(StreamingResponse):
    """Closes its source at once when the client goes, wherever it stood."""

    def __init__(self, source: AsyncGenerator[bytes]) -> None:
        super().__init__(source, headers=_HEADERS, media_type=MEDIA_TYPE)
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # By version 2.4 a server tells of the end only when something is sent; a silent stream
        # listens for it, as by 2.3. A client that goes in the middle of a send is no error.
        scope = {**scope, "asgi": {**scope.get("asgi", {}), "spec_version": "2.3"}}
        async with aclosing(self._source):
            with suppress(OSError):
                await super().__call__(scope, receive, send)


class _Stream:
    """One client's place in the feed: `last` was the newest event when it came."""

    def __init__(self, site: Site, watch: Watch, person: Person, last: int) -> None:
        self._site = site
        self._feed = site.feed
        self._watch = watch
        self._person = person
        self._last = last
        self._seen = last

    async def blocks(self, after: int | None) -> AsyncGenerator[bytes]:
        """The body, until the client or the service ends. Every block is whole events."""
        try:
            async with self._feed.listening():
                yield _RETRY + await self._gap(after) + await self._first_badges()
                async with aclosing(self._on()) as blocks:
                    async for block in blocks:
                        yield block
        except StoreError as error:
            log.error("an event stream was ended: %s", error)

    async def _gap(self, after: int | None) -> bytes:
        """Events are numbered without holes: a jump means pruned events, or another database."""
        if after is None:
            return b""
        oldest = await self._site.store.events(after, limit=1)
        first = oldest[0].seq if oldest else self._last + 1
        if after <= self._last and first == after + 1:
            self._seen = after
            return b""
        self._seen = first - 1
        return written("gap", {"after": after}, self._seen)

    async def _first_badges(self) -> bytes:
        if self._watch.course is None or self._watch.assignment is None:
            return b""
        return await self._feed.badges(self._watch.course, self._watch.assignment)

    async def _on(self) -> AsyncGenerator[bytes]:
        now = asyncio.get_running_loop().time
        sent_at = now()
        while not self._is_over():
            chunk = await self._next()
            if not chunk and now() - sent_at >= self._site.heartbeat_seconds:
                # An id without data moves the browser's Last-Event-ID past what was left out.
                chunk = b": alive\nid: %d\n\n" % self._seen
            if chunk:
                yield chunk
                sent_at = now()

    async def _next(self) -> bytes:
        """What is new and wanted; nothing, at the latest after a second."""
        rings = self._feed.news.rings
        tick = await self._feed.next(self._seen)
        if tick is None:
            await self._feed.news.wait(rings, timeout=self._look_seconds)
            return b""
        seen, self._seen = self._seen, tick.last
        wanted = [one for one in tick.blocks if one.seq > seen and _wants(self._watch, one)]
        return b"".join([one.text for one in wanted if await self._sees(one)])

    async def _sees(self, block: Block) -> bool:
        """What belongs to no course tells of batches, or of the whole queue."""
        if self._person.sees_everything:
            return True
        if block.course is not None:
            return self._person.sees(block.course)
        for batch_id in block.batch_ids:
            return await sees_batch(self._site, self._person, batch_id)
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
