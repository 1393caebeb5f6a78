"""A server that does exactly what a test tells it to, byte by byte."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gradeq.providers.base import Prompt


@dataclass(frozen=True)
class Seen:
    """One request as it arrived, and the number of the connection it came on."""

    line: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Exchange:
    """What a step of the script may do with one request."""

    request: Seen
    writer: asyncio.StreamWriter
    closed: asyncio.Event

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hang_up(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


Step = bytes | Callable[[Exchange], Awaitable[None]]


@dataclass
class ScriptedServer:
    """Answers the n-th request with the n-th step, and all after the last with the last."""

    steps: deque[Step] = field(default_factory=deque)
    requests: list[Seen] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    dropped: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client has closed a connection."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def will(self, *steps: Step) -> None:
        self.steps.extend(steps)

    async def open(self) -> asyncio.Server:
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer, self.connections))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        closed = asyncio.Event()
        try:
            while True:
                request = await _read(reader, number)
                self.requests.append(request)
                step = self.steps.popleft() if len(self.steps) > 1 else self.steps[0]
                if isinstance(step, bytes):
                    writer.write(step)
                else:
                    await step(Exchange(request, writer, closed))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.dropped.set()
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader, number: int) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.strip().split("\r\n")
    headers = dict(_header(each) for each in rest)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(line, headers, body, number)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()


def response(
    body: bytes | Mapping[str, Any] | list[Any] = b"",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A whole HTTP/1.1 response."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"level": {"type": "string", "enum": ["good", "poor"]}},
    "required": ["level"],
    "additionalProperties": False,
}

PROMPT = Prompt(system="Mark the paper.", user="An essay about rain.", schema=SCHEMA)

KEY = "sk-test-0123456789abcdefghij"
