"""GET /api/events: what happens, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gradeq.web.bodies import Watch
from gradeq.web.intake import converted
from gradeq.web.site import Site
from gradeq.web.stream import Stream, open_stream

MEDIA_TYPE = "text/event-stream"
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
_RETRY = b"retry: 2000\n\n"


async def events(site: Site, request: Request, query: Watch) -> Response:
    """What happens, as it happens: server-sent events with `id`, `event` and JSON `data`.

    Choose by `course`, `assignment` and `batch_id`. `Last-Event-ID` (or `after`) replays what came
    after that event. After the changes of an assignment comes an event `badges` with its counts;
    a stream of one assignment begins with it. An event `gap` says that older events are gone:
    read the state anew.
    """
    after = _last_seen(request, query)
    stream = await open_stream(site, query, request)
    if request.method == "HEAD":
        return Response(headers=_HEADERS, media_type=MEDIA_TYPE)
    return EventStream(_written(stream, after))


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


async def _written(stream: Stream, after: int | None) -> AsyncGenerator[bytes]:
    """The body. Every block is whole events."""
    yield _RETRY
    async with aclosing(stream.blocks(after)) as ticks:
        async for blocks in ticks:
            # An id without data moves the browser's Last-Event-ID past what was left out.
            silent = b": alive\nid: %d\n\n" % stream.seen
            yield b"".join(one.text for one in blocks) or silent
