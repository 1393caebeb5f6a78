"""serve(): where it listens, how it stops; and the application inside another one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from web_kit import ESSAY, SECONDS, Desk, Service, make_engine, served_app, serving, told

from gradeq import ConfigError, StoreLockedError
from gradeq.store.sqlite.lock import read_holder
from gradeq.web import create_app, serve
from gradeq.web.stream import host_is_stopping

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "school.example"])
async def test_without_a_token_it_listens_on_this_machine_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="no token"):
        await serve(make_engine(tmp_path), host, 0)
    assert not (tmp_path / "grades.db").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", ""])
async def test_with_a_token_it_listens_everywhere(tmp_path: Path, host: str) -> None:
    async with serving(make_engine(tmp_path, work=False), "secret", host) as service:
        assert service.url.startswith("http://127.0.0.1:")
        answer = await service.client.get("/api/courses", headers={"Host": "school.example"})
        assert answer.status_code == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2", "::1"])
async def test_every_name_of_this_machine_will_do(tmp_path: Path, host: str) -> None:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, 0), family=family).close()
    except OSError:
        pytest.skip(f"this machine has no {host}")
    async with serving(make_engine(tmp_path, work=False), host=host) as service:
        assert (await service.client.get("/readyz")).status_code == 200


@pytest.mark.parametrize("port", [70_000, -1])
async def test_a_port_that_is_none(tmp_path: Path, port: int) -> None:
    with pytest.raises(ConfigError, match="cannot listen"):
        await serve(make_engine(tmp_path, work=False), port=port)


async def test_a_port_in_use_is_told_of_and_the_engine_closed(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, work=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}.*nothing was started"):
            await serve(engine, port=port)
    assert not engine.is_open


async def test_other_processes_learn_where_it_listens(tmp_path: Path) -> None:
    path = tmp_path / "grades.db"
    async with serving(make_engine(tmp_path, work=False)) as service:
        assert read_holder(path).url == service.url
        with pytest.raises(StoreLockedError) as caught:
            await serve(make_engine(tmp_path, work=False), port=0)
        assert caught.value.url == service.url
    assert read_holder(path).url is None


async def test_the_stop_lets_calls_finish(tmp_path: Path, desk: Desk) -> None:
    async with serving(make_engine(tmp_path, desk)) as service:
        ids = await service.add(*["hold"] * 7)
        await service.grade(submission_ids=ids, grader="desk")
        await desk.busy.wait()
        async with asyncio.timeout(SECONDS), service.events() as events:
            service.stop.set()
            assert [one async for one in events] == []
            desk.go.set()
            assert service.serving is not None
            assert await service.serving == 0
    async with make_engine(tmp_path, work=False) as engine:
        badges = await engine.badges("biology", "sleep")
        assert (badges.graded, badges.submitted, badges.grading) == (5, 2, 2)


async def test_a_hurried_stop_gives_jobs_back_uncounted(tmp_path: Path, desk: Desk) -> None:
    engine = make_engine(tmp_path, desk)
    async with serving(engine) as service:
        ids = await service.add("hold", "hold")
        ordered = await service.grade(submission_ids=ids, grader="desk")
        await desk.busy.wait()
        async with asyncio.timeout(SECONDS):
            service.stop.set()
            engine.hurry()
            assert service.serving is not None
            assert await service.serving == 2
    async with make_engine(tmp_path, desk, work=False) as again:
        job = await again.store.job(ordered["task_ids"][0])
        assert job is not None
        assert (job.state, job.attempts, job.interruptions) == ("pending", 0, 0)


async def test_it_serves_from_another_thread(tmp_path: Path) -> None:
    """Where no signals arrive; `stop` is then the way to end it."""
    ready: list[str] = []
    listening, ended = threading.Event(), threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def tell(url: str) -> None:
        ready.append(url)
        listening.set()

    async def run() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        await serve(make_engine(tmp_path, work=False), port=0, stop=stop, on_ready=tell)
        ended.set()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert await asyncio.to_thread(listening.wait, SECONDS)
    async with httpx.AsyncClient(base_url=ready[0]) as client:
        assert (await client.get("/readyz")).status_code == 200
    loop, stop = loops[0]
    loop.call_soon_threadsafe(stop.set)
    assert await asyncio.to_thread(ended.wait, SECONDS)
    thread.join()


_DAEMON = """
import asyncio, sys
sys.path[:0] = {path!r}
from pathlib import Path
from web_kit import Desk, make_engine
from gradeq.web import serve

async def main():
    engine = make_engine(Path({folder!r}), Desk())
    given_back = await serve(engine, port=0, on_ready=lambda url: print(url, flush=True))
    print("given back", given_back, flush=True)

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def daemon(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, Service]]:
    """The service in a process of its own, which signals can be sent to."""
    script = _DAEMON.format(path=sys.path, folder=str(folder))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, env={**os.environ}
    )
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        async with httpx.AsyncClient(base_url=url, timeout=SECONDS) as client:
            yield process, Service(make_engine(folder), url, client)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_softly_in_spite_of_an_open_stream(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with asyncio.timeout(SECONDS), daemon(tmp_path) as (process, service):
        async with service.events() as events:
            process.send_signal(number)
            assert [one async for one in events] == []
        output, _ = await process.communicate()
        assert (process.returncode, output) == (0, b"given back 0\n")


@needs_signals
async def test_a_second_signal_stops_it_at_once(tmp_path: Path) -> None:
    async with asyncio.timeout(SECONDS), daemon(tmp_path) as (process, service):
        ids = await service.add("hold", "hold")
        async with service.events() as events:
            await service.grade(submission_ids=ids, grader="desk")
            started = [await anext(e async for e in events if e.event == "job.processing")]
            assert started
            process.send_signal(signal.SIGTERM)
            # The stream ends while the calls go on: their grace is half a minute.
            _ = [one async for one in events]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.7)
        process.send_signal(signal.SIGTERM)
        output, _ = await process.communicate()
        assert (process.returncode, output) == (0, b"given back 2\n")


async def test_it_can_be_mounted_in_another_application(tmp_path: Path, desk: Desk) -> None:
    engine = make_engine(tmp_path, desk)
    app = Starlette(
        routes=[Mount("/grading", create_app(engine, token="secret"))], lifespan=engine.lifespan
    )
    async with served_app(app) as (client, _):
        page = await client.get("/grading/", params={"token": "secret"})
        assert page.headers["location"] == "./"
        assert "path=/grading" in page.headers["set-cookie"].lower()
        assert (await client.get("/grading/")).status_code == 200
        assert (await client.get("/grading/static/live.js")).status_code == 200
        course = "/grading/api/courses/a%2Fb/assignments/c%25"
        paper = {"id": "p", "text": ESSAY, "course": "a/b", "assignment": "c%"}
        assert (await client.post("/grading/api/submissions", json=paper)).status_code == 201
        order = {"submission_ids": ["p"], "grader": "desk"}
        async with (
            asyncio.timeout(SECONDS),
            client.stream("GET", "/grading/api/events", params={"course": "a/b"}) as answer,
        ):
            await client.post("/grading/api/grade", json=order)
            async for event in told(answer.aiter_lines()):
                if event.event == "badges" and event.data["graded"] == 1:
                    break
        badges = await client.get(f"{course}/badges")
        assert badges.json()["graded"] == 1
        assert (await client.get("/grading/healthz")).status_code == 200
        missing = await client.get("/grading/nowhere")
        assert (missing.status_code, missing.json()["code"]) == (404, "no_such_path")
    assert not engine.is_open


async def test_a_prefix_may_need_quoting(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, work=False)
    app = Starlette(routes=[Mount("/my grades", create_app(engine))], lifespan=engine.lifespan)
    async with served_app(app) as (client, _):
        page = await client.get("/my%20grades/?language=de")
        assert "path=/my%20grades;" in page.headers["set-cookie"].lower()
        assert 'href="/my%20grades/batches"' in page.text
        assert 'lang="de"' in (await client.get("/my%20grades/batches")).text


async def test_a_host_that_stops_is_not_held_up_by_a_stream(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, work=False)
    app = Starlette(routes=[Mount("/grading", create_app(engine))], lifespan=engine.lifespan)
    async with (
        asyncio.timeout(SECONDS),
        served_app(app) as (client, server),
        client.stream("GET", "/grading/api/events") as answer,
    ):
        assert not host_is_stopping()
        server.should_exit = True
        assert [one async for one in told(answer.aiter_lines())] == []
        assert host_is_stopping()
    assert not engine.is_open


async def test_the_description_says_where_the_service_is_mounted(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, work=False)
    app = Starlette(
        routes=[Mount("/a b/grading", create_app(engine)), Mount("/", create_app(engine))],
        lifespan=engine.lifespan,
    )
    async with served_app(app) as (client, _):
        below = (await client.get("/a%20b/grading/openapi.json")).json()
        alone = (await client.get("/openapi.json")).json()
    assert below["servers"] == [{"url": "/a%20b/grading"}]
    assert "servers" not in alone


async def test_a_port_that_is_taken_is_told_plainly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as refused:
            await serve(make_engine(tmp_path, work=False), port=port)
    told = f"cannot listen on 127.0.0.1 port {port} (Address already in use); nothing was started."
    assert str(refused.value).startswith(told)


async def test_a_whole_application_opens_its_engine_itself(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, work=False)
    async with served_app(create_app(engine, owns_engine=True)) as (client, _):
        assert engine.is_open
        assert (await client.get("/readyz")).json() == {"status": "ready"}
    assert not engine.is_open


async def test_two_services_live_in_one_process(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    async with (
        serving(make_engine(tmp_path / "a", work=False)) as first,
        serving(make_engine(tmp_path / "b", work=False)) as second,
    ):
        async with asyncio.timeout(SECONDS), second.events() as events:
            await first.add(ESSAY)
            await second.add(ESSAY, ESSAY)
            told_of = [await anext(events), await anext(events)]
        assert told_of[1].data["submitted"] == 2
        assert (await first.badges())["submitted"] == 1


async def test_importing_gradeq_loads_no_server() -> None:
    script = (
        "import sys, json, gradeq\n"
        "print(json.dumps([m for m in ('starlette', 'uvicorn', 'httpx') if m in sys.modules]))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"import sys; sys.path[:0] = {sys.path!r}\n{script}",
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert json.loads(output) == []
