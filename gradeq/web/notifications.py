"""WS /ws/notifications/: what happens, as JSON messages; the same events as GET /api/events."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from gradeq.web.bodies import Watch
from gradeq.web.intake import converted
from gradeq.web.problems import denial, problem_of
from gradeq.web.site import Site
from gradeq.web.stream import Stream, open_stream

PATH = "/ws/notifications/"
_GOING_AWAY = 1001
_NOT_ALLOWED = 1008
_SLOWEST_SECONDS = 30.0


async def notifications(site: Site, websocket: WebSocket) -> None:
    """Tell this client until it goes or the service stops. What it sends is not looked at."""
    try:
        watch = converted("query", dict(websocket.query_params), Watch)
        stream = await open_stream(site, watch, websocket)
    except Exception as error:
        answer = denial(websocket.scope, problem_of(error, websocket).response())
        await answer(websocket.scope, websocket.receive, websocket.send)
        return
    await websocket.accept()
    async with anyio.create_task_group() as both:
        both.start_soon(_leave_with, websocket, both.cancel_scope)
        # A client that goes in the middle of a send is no error, and one that does not read what
        # it asked for is left behind: it asks again with `after`.
        with suppress(WebSocketDisconnect, TimeoutError):
            await _tell(websocket, stream, watch.after)
            await websocket.close(_NOT_ALLOWED if stream.leave.is_over else _GOING_AWAY)
        both.cancel_scope.cancel()


async def _leave_with(websocket: WebSocket, scope: anyio.CancelScope) -> None:
    """End `scope` when the client goes."""
    with suppress(WebSocketDisconnect):
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                break
    scope.cancel()


async def _tell(websocket: WebSocket, stream: Stream, after: int | None) -> None:
    async with aclosing(stream.blocks(after)) as ticks:
        async for blocks in ticks:
            async with asyncio.timeout(_SLOWEST_SECONDS):
                for block in blocks:
                    await websocket.send_text(block.message.decode())
