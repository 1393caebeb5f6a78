"""The events as all streams share them: read once, written once, kept for a while.

A stream holds nothing but the number of the last event that it has sent. It takes what follows
from here, and where that is gone (after a reconnect, or behind a slow line) from the store. So no
buffer grows, however many watch and however slowly they read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from gradeq.bell import Bell
from gradeq.errors import StoreError
from gradeq.store.base import Store
from gradeq.store.rows import Event

log = logging.getLogger("gradeq")
BADGES = "badges"
GAP = "gap"
MOST_STREAMS = 200
_PAGE = 500
_KEPT_TICKS = 20
_GATHERING_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Block:
    """One event as it goes over the wire, and what streams choose by.

    `text` is a server-sent event, `message` a JSON object with its `kind`.
    """

    seq: int
    text: bytes
    message: bytes
    course: str | None = None
    assignment: str | None = None
    batch_ids: frozenset[int] = frozenset()

    @classmethod
    def of(cls, kind: str, data: Mapping[str, Any], seq: int) -> Block:
        """Something that no event tells: a gap before event `seq`."""
        message = msgspec.json.encode({"kind": kind, **data, "seq": seq})
        return cls(seq, _written(kind, msgspec.json.encode(data), seq), message)


@dataclass(frozen=True, slots=True)
class Tick:
    """The events after `after` up to `last`, and the badges as they stood then."""

    after: int
    last: int
    blocks: tuple[Block, ...]


class Feed:
    """Reads the store's events while anybody listens. Use it on one event loop."""

    def __init__(self, store: Store) -> None:
        self.news = Bell()
        self.is_over = False
        self._store = store
        self._committed = Bell()
        self._ticks: deque[Tick] = deque(maxlen=_KEPT_TICKS)
        self._since: int | None = None
        self.listeners = 0
        self._reading: asyncio.Task[None] | None = None
        store.subscribe(self._committed.ring)

    @property
    def is_full(self) -> bool:
        return self.listeners >= MOST_STREAMS

    def end(self) -> None:
        """Every stream ends now, and later ones at once."""
        self.is_over = True
        self.news.ring()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """The store is read for as long as somebody is inside."""
        self.listeners += 1
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_on())
        try:
            yield
        finally:
            self.listeners -= 1
            if self.listeners == 0 and self._reading is not None:
                self._reading.cancel()
                self._forget()

    async def next(self, seen: int) -> Tick | None:
        """What follows event `seen`, None where nothing does yet. Raises StoreError."""
        if self._since is None or seen < self._since:
            return await self._read(seen)
        return next((tick for tick in self._ticks if tick.last > seen), None)

    async def badges(
        self, course: str, assignment: str, seq: int, batch_ids: frozenset[int] = frozenset()
    ) -> Block | None:
        """An assignment's badges as they stand now, after event `seq`; None if there is none."""
        badges = await self._store.badges(course, assignment)
        if badges is None:
            return None
        data = {"course": course, "assignment": assignment, **asdict(badges)}
        # Without an id: the browser keeps that of the last real event.
        text = _written(BADGES, msgspec.json.encode(data))
        message = msgspec.json.encode({"kind": BADGES, **data})
        return Block(seq, text, message, course, assignment, batch_ids)

    async def _read_on(self) -> None:
        try:
            seen = self._since = await self._store.last_event()
            while True:
                rings = self._committed.rings
                tick = await self._read(seen)
                if tick is None:
                    await self._committed.wait(rings)
                else:
                    seen = tick.last
                    self._keep(tick)
                await asyncio.sleep(_GATHERING_SECONDS)
        except StoreError as error:
            log.error("events cannot be read, streams ask the store themselves: %s", error)
            self._forget()

    def _keep(self, tick: Tick) -> None:
        if len(self._ticks) == _KEPT_TICKS:
            self._since = self._ticks[0].last
        self._ticks.append(tick)
        self.news.ring()

    def _forget(self) -> None:
        self._reading = None
        self._since = None
        self._ticks.clear()

    async def _read(self, seen: int) -> Tick | None:
        events = await self._store.events(seen, limit=_PAGE)
        if not events:
            return None
        blocks = [_event_block(event) for event in events]
        last = events[-1].seq
        for (course, assignment), batches in _touched(events).items():
            badges = await self.badges(course, assignment, last, batches)
            if badges is not None:
                blocks.append(badges)
        return Tick(seen, last, tuple(blocks))


def _touched(events: Sequence[Event]) -> dict[tuple[str, str], frozenset[int]]:
    """The assignments of these events, each with the batches that worked on it."""
    touched: dict[tuple[str, str], set[int]] = {}
    for event in events:
        if event.course is not None and event.assignment is not None:
            batches = touched.setdefault((event.course, event.assignment), set())
            if event.batch_id is not None:
                batches.add(event.batch_id)
    return {place: frozenset(batches) for place, batches in touched.items()}


def _event_block(event: Event) -> Block:
    batch_ids = frozenset(() if event.batch_id is None else (event.batch_id,))
    message = msgspec.json.encode(event)
    text = _written(event.kind, message, event.seq)
    return Block(event.seq, text, message, event.course, event.assignment, batch_ids)


def _written(kind: str, data: bytes, seq: int | None = None) -> bytes:
    """An event in the format of the HTML standard, "Server-sent events"."""
    identity = b"" if seq is None else b"id: %d\n" % seq
    return b"%sevent: %s\ndata: %s\n\n" % (identity, kind.encode(), data)
