"""A real service on a free port of this machine, and a client that checks what it documents."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import uvicorn
from starlette.routing import compile_path
from starlette.types import ASGIApp

from gradeq import Engine, Grade, Job, ProviderSettings, Reject
from gradeq.web import serve
from gradeq.web.openapi import codes_of
from gradeq.web.problems import ProblemAnswer
from gradeq.web.routes import ENDPOINTS

SECONDS = 20.0
"""How long a test waits for what must happen, before it fails."""

RUBRIC = """
title = "Sleep"
[[criteria]]
id = "claim"
description = "Is there a clear claim?"
levels = [
  { name = "clear", points = 3 },
  { name = "vague", points = 1 },
  { name = "none", points = 0 },
]
[[criteria]]
id = "evidence"
description = "Is it supported?"
points = 2
"""
ESSAY = "School should start later because teenagers sleep late. A study in Seattle shows it."
HOSTILE = "<script>alert('x')</script>\"&'"

_PATTERNS = [(one, compile_path(one.path)[0]) for one in ENDPOINTS]


class Desk:
    """A grader under control: holds papers until `go`, refuses those whose text says so."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.busy = asyncio.Event()

    async def grade(self, job: Job) -> Grade:
        assert job.submission is not None
        self.busy.set()
        if "hold" in job.submission.text:
            await self.go.wait()
        if "refuse" in job.submission.text:
            raise Reject("it cannot be read")
        return Grade(score=1.0, max_score=2.0, feedback="Fine.")


def simulated(**settings: Any) -> ProviderSettings:
    return ProviderSettings("sim", "simulated", "simulated-marker", **settings)


def make_engine(folder: Path, desk: Desk | None = None, **options: Any) -> Engine:
    engine = Engine(folder / "grades.db", **{"providers": [simulated()], **options})
    if desk is not None:
        engine.grader("desk")(desk.grade)
    return engine


@dataclass
class Service:
    """A running service. `client` fails a test where an answer is not as documented."""

    engine: Engine
    url: str
    client: httpx.AsyncClient
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    serving: asyncio.Task[int] | None = None
    course: str = "biology"
    assignment: str = "sleep"

    async def put_rubric(self, source: str = RUBRIC) -> int:
        answer = await self.client.put(f"{self.place}/rubric", json={"source": source})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["rubric_id"])

    @property
    def place(self) -> str:
        return f"/api/courses/{self.course}/assignments/{self.assignment}"

    async def add(self, *texts: str, first: int = 1, **given: Any) -> list[int]:
        """Papers p1, p2, … with these texts; their ids."""
        rows = [
            {"id": f"p{n}", "text": text, "course": self.course, "assignment": self.assignment}
            | given
            for n, text in enumerate(texts, start=first)
        ]
        answer = await self.client.post("/api/submissions", json=rows)
        assert answer.status_code == 201, answer.text
        return [one["id"] for one in answer.json()["submissions"]]

    async def grade(self, **order: Any) -> dict[str, Any]:
        answer = await self.client.post("/api/grade", json=order)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def badges(self) -> dict[str, int]:
        return dict(await self.get(f"{self.place}/badges"))

    async def job_ended(self, job_id: int) -> dict[str, Any]:
        async for job in self.watched(f"/api/jobs/{job_id}"):
            if job["status"] not in ("pending", "processing"):
                return dict(job)
        raise AssertionError

    async def batch_ended(self, batch_id: int) -> dict[str, Any]:
        async for batch in self.watched(f"/api/batches/{batch_id}"):
            if batch["finished_at"] is not None:
                return dict(batch)
        raise AssertionError

    async def watched(self, path: str) -> AsyncIterator[Any]:
        """The answer of `path` once now and once after each thing that happens."""
        async with asyncio.timeout(SECONDS), self.events() as events:
            yield await self.get(path)
            async for _ in events:
                yield await self.get(path)

    @asynccontextmanager
    async def events(
        self, headers: dict[str, str] | None = None, **query: Any
    ) -> AsyncIterator[AsyncIterator[Told]]:
        request = self.client.stream("GET", "/api/events", params=query, headers=headers)
        async with request as answer:
            assert answer.status_code == 200, await answer.aread()
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield told(answer.aiter_lines())


@dataclass(frozen=True)
class Told:
    """One server-sent event as a browser would dispatch it."""

    event: str
    data: Any
    id: str


async def told(lines: AsyncIterator[str]) -> AsyncIterator[Told]:
    """By the parsing rules of the HTML standard; an event without data only sets the id."""
    event, data, last_id = "", [], ""
    async for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                yield Told(event or "message", msgspec.json.decode("\n".join(data)), last_id)
            event, data = "", []
        elif name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            last_id = value


@asynccontextmanager
async def serving(
    engine: Engine,
    token: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    on_first_link: Callable[[str], None] | None = None,
) -> AsyncIterator[Service]:
    """The service on a free port, stopped at the end."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    task = asyncio.create_task(
        serve(
            engine,
            host,
            port,
            token,
            stop=stop,
            on_ready=ready.set_result,
            on_first_link=on_first_link,
        )
    )
    await asyncio.wait((ready, task), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    headers = {} if token is None else {"Authorization": f"Bearer {token}".encode()}
    try:
        async with documented(ready.result(), headers) as client:
            yield Service(engine, ready.result(), client, stop, task)
    finally:
        stop.set()
        engine.hurry()
        await task


@asynccontextmanager
async def served_app(app: ASGIApp) -> AsyncIterator[tuple[httpx.AsyncClient, uvicorn.Server]]:
    """Any application behind a real server, as somebody else would run it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, log_level="warning"))
        task = asyncio.create_task(server.serve([listener]))
        async with documented(url) as client:
            while not server.started:
                await asyncio.sleep(0.01)
            yield client, server
            server.should_exit = True
            await task


def documented(url: str, headers: Mapping[str, bytes] | None = None) -> httpx.AsyncClient:
    hooks: dict[str, list[Callable[..., Awaitable[None]]]] = {"response": [check_answer]}
    return httpx.AsyncClient(
        base_url=url,
        headers=dict(headers or {}),
        timeout=SECONDS,
        event_hooks=hooks,
        verify=False,  # nothing here is HTTPS, and loading the authorities takes its time
    )


async def check_answer(answer: httpx.Response) -> None:
    """What comes is of the type that the table of routes tells, problems have a known code."""
    kind = answer.headers.get("content-type", "")
    if answer.request.method == "HEAD":
        return
    if answer.status_code >= 400:
        await _check_problem(answer, kind)
    elif kind == "application/json" and (endpoint := _endpoint(answer.request)):
        await answer.aread()
        assert answer.status_code == endpoint.status
        msgspec.json.decode(answer.content, type=endpoint.answers)


async def _check_problem(answer: httpx.Response, kind: str) -> None:
    if kind.startswith("text/html"):
        return
    assert kind == "application/problem+json", kind
    problem = msgspec.json.decode(await answer.aread(), type=ProblemAnswer)
    assert problem.status == answer.status_code
    assert "Traceback" not in answer.text
    endpoint = _endpoint(answer.request)
    if endpoint is not None:
        assert problem.code in codes_of(endpoint), f"{problem.code} is not documented"


def _endpoint(request: httpx.Request) -> Any:
    path = request.url.raw_path.partition(b"?")[0].decode()
    method = "GET" if request.method == "HEAD" else request.method
    for endpoint, pattern in _PATTERNS:
        if endpoint.method == method and pattern.match(path):
            return endpoint
    return None


def code(answer: httpx.Response, status: int) -> str:
    """A problem's code; the test fails where the answer has another status."""
    assert answer.status_code == status, answer.text
    return str(answer.json()["code"])
