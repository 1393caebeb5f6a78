"""Model servers as processes: started, shared, killed, and gone when nobody uses them.

A server without a model stands where the library would; everything else is as it is in use.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from local_kit import (
    LIBRARY,
    SECONDS,
    Class,
    a_class,
    a_model,
    is_alive,
    running,
    settings,
    until,
)

from gradeq.errors import ConfigError
from gradeq.limiter.base import LimitedBy
from gradeq.providers.local.door import Door

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_model")]
TEXTS = [f"Schools should start later, says paper {n}." for n in range(4)]


def asked(model: Path) -> list[str]:
    """The questions that the server has answered."""
    file = model.with_suffix(".asked")
    return file.read_text().splitlines() if file.exists() else []


async def test_papers_are_graded_and_the_server_ends_with_the_engine(tmp_path: Path):
    model = a_model(tmp_path)
    async with a_class(tmp_path, model) as at:
        assert running(model, tmp_path) is None, "nothing is loaded before there is work"
        results = await at.graded(TEXTS)
        server = running(model, tmp_path)
        assert is_alive(server.pid)
    assert not is_alive(server.pid)
    assert not list((tmp_path / "gradeq").glob("*.json")), "its key is nowhere any more"
    assert [one.status for one in results] == ["graded"] * 4
    assert {one.grade.model for one in results} == {"tiny"}
    assert len(asked(model)) == 4


async def test_papers_wait_while_the_model_is_loading_and_are_told_so(tmp_path: Path):
    model = a_model(tmp_path)
    stall = model.with_suffix(".wait")
    stall.touch()
    async with a_class(tmp_path, model) as at:
        batch = await at.submit(TEXTS)
        await until(lambda: at.pool.reading().limited_by is LimitedBy.LOADING, "a gate for loading")
        assert at.pool.reading().text.startswith("loading: the model is not loaded yet")
        while not await is_told(at, batch.id, "is being loaded on this machine"):
            await at.engine.clock.sleep(0.02)
        stall.unlink()
        results = await at.results(batch.id)
        rows = await at.jobs(batch.id)
    assert [one.status for one in results] == ["graded"] * 4
    assert {row.attempts for row in rows} == {0}


async def is_told(at: Class, batch_id: int, words: str) -> bool:
    return any(words in (row.reason or "") for row in await at.jobs(batch_id))


async def test_a_killed_server_is_started_again_and_costs_no_attempt(tmp_path: Path):
    model = a_model(tmp_path)
    async with a_class(tmp_path, model, concurrency=1) as at:
        batch = await at.submit([f"Paper {n}." for n in range(30)])
        await until(lambda: len(asked(model)) > 5, "a few answers")
        first = running(model, tmp_path).pid
        os.kill(first, signal.SIGKILL)
        results = await at.results(batch.id)
        rows = await at.jobs(batch.id)
        assert running(model, tmp_path).pid != first
    assert [one.status for one in results] == ["graded"] * 30
    assert {row.attempts for row in rows} == {0}
    papers = [one.partition("Paper ")[2].partition(".")[0] for one in asked(model)]
    assert set(papers) == {str(n) for n in range(30)}
    assert len(papers) <= 31, "only the one that was on its way is asked again"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot stop a process for a while")
async def test_a_server_that_is_stuck_is_ended_and_started_again(tmp_path: Path):
    model = a_model(tmp_path)
    async with a_class(tmp_path, model, timeout_seconds=2) as at:
        await at.graded(TEXTS[:1])
        first = running(model, tmp_path).pid
        os.kill(first, signal.SIGSTOP)
        batch = await at.submit(TEXTS[1:2])
        assert [one.status for one in await at.results(batch.id)] == ["graded"]
        assert [row.attempts for row in await at.jobs(batch.id)] == [1], "the call that was lost"
        assert running(model, tmp_path).pid != first
    assert not is_alive(first)


async def test_a_server_that_dies_again_and_again_parks_with_the_reason(tmp_path: Path):
    model = a_model(tmp_path, "die on bomb")
    async with a_class(tmp_path, model) as at:
        await at.submit(["A bomb."])
        reason = await until(lambda: at.pool.parked_reason, "parked")
    assert "The model tiny cannot be run on this machine" in reason
    assert "ended 5 times in a row" in reason
    assert "SIGKILL, as the system does when memory runs out" in reason


async def test_a_model_that_cannot_be_loaded_parks_with_what_the_library_says(tmp_path: Path):
    model = a_model(tmp_path, "refuse")
    async with a_class(tmp_path, model) as at:
        batch = await at.submit(TEXTS)
        reason = await until(lambda: at.pool.parked_reason, "parked")
        assert (await at.engine.store.batch(batch.id)).completed == 0
    assert "llama.cpp says: “unknown architecture”" in reason
    assert "The papers stay queued" in reason


async def test_two_engines_share_one_server_that_ends_with_the_last(tmp_path: Path):
    model = a_model(tmp_path)
    async with a_class(tmp_path, model, database="second") as second:
        async with a_class(tmp_path, model, database="first") as first:
            await first.graded(TEXTS[:1])
            server = running(model, tmp_path).pid
            await second.graded(TEXTS[1:2])
            assert running(model, tmp_path).pid == server
        assert is_alive(server), "the one that did not start it still uses it"
        await second.graded(TEXTS[2:3])
        assert running(model, tmp_path).pid == server
    await until(lambda: not is_alive(server), "the end of the server")
    assert len(asked(model)) == 3


async def test_two_providers_of_one_engine_share_a_server_and_a_pool(tmp_path: Path):
    model = a_model(tmp_path)
    both = (settings(model), replace(settings(model), name="again"))
    async with a_class(tmp_path, model, providers=both) as at:
        results = await at.graded(TEXTS[:1], grader="llm:here")
        results += await at.graded(TEXTS[1:2], grader="llm:again")
        assert set(at.pool.setup.providers) == {"here", "again"}
        server = running(model, tmp_path).pid
    assert [one.status for one in results] == ["graded"] * 2
    await until(lambda: not is_alive(server), "the end of the server")


async def test_who_wants_more_context_than_runs_is_told_whom_to_stop(tmp_path: Path):
    model = a_model(tmp_path)
    async with a_class(tmp_path, model, context_tokens=512) as at:
        await at.graded(TEXTS[:1])
        pid = running(model, tmp_path).pid
        with pytest.raises(ConfigError, match=f"Process {pid} runs this model .* = 512, and"):
            async with a_class(tmp_path, model, database="second", context_tokens=1024):
                pass
        async with a_class(tmp_path, model, database="third") as other:
            await other.graded(TEXTS[1:2])
            assert running(model, tmp_path).pid == pid


async def test_a_killed_gradeq_leaves_no_server_behind(tmp_path: Path):
    model = a_model(tmp_path)
    script = Path(__file__).with_name("local_process.py")
    process = subprocess.Popen([sys.executable, script, tmp_path, model, LIBRARY])
    try:
        server = await until(lambda: asked(model) and running(model, tmp_path), "an answer")
        assert is_alive(server.pid)
    finally:
        process.kill()
        process.wait()
    await until(lambda: not is_alive(server.pid), "the end of the server")
    assert running(model, tmp_path) is None


async def test_nor_one_that_is_still_writing_an_answer(tmp_path: Path):
    model = a_model(tmp_path)
    model.with_suffix(".hold").touch()
    script = Path(__file__).with_name("local_process.py")
    process = subprocess.Popen([sys.executable, script, tmp_path, model, LIBRARY])
    try:
        server = await until(lambda: asked(model) and running(model, tmp_path), "a question")
    finally:
        process.kill()
        process.wait()
    await until(lambda: not is_alive(server.pid), "the end of the server")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
async def test_nor_one_that_is_still_loading(tmp_path: Path):
    model = a_model(tmp_path)
    model.with_suffix(".wait").touch()
    script = Path(__file__).with_name("local_process.py")
    process = subprocess.Popen([sys.executable, script, tmp_path, model, LIBRARY])
    try:
        server = await until(lambda: running(model, tmp_path), "a server")
        await until(model.with_suffix(".loading").exists, "loading")
    finally:
        process.kill()
        process.wait()
    await until(lambda: not is_alive(server.pid), "the end of the server")


async def test_a_stale_notice_of_a_dead_server_misleads_nobody(tmp_path: Path):
    model = a_model(tmp_path)
    async with a_class(tmp_path, model) as at:
        await at.graded(TEXTS[:1])
        os.kill(running(model, tmp_path).pid, signal.SIGKILL)
    with socket.create_server(("127.0.0.1", 0)):
        async with a_class(tmp_path, model, database="second") as at:
            assert [one.status for one in await at.graded(TEXTS[:1])] == ["graded"]


async def test_the_door_opens_for_the_token_alone_and_closes_behind_the_last():
    door = Door("open sesame")
    door.start()
    _, silent = await asyncio.open_connection("127.0.0.1", door.port)
    reader, user = await asyncio.open_connection("127.0.0.1", door.port)
    user.write(b"open ses")
    _, another = await asyncio.open_connection("127.0.0.1", door.port)
    another.write(b"something else\n")
    user.write(b"ame\n")
    door.tell(url="http://here")
    async with asyncio.timeout(SECONDS):
        assert await reader.readline() == b'{"url": "http://here"}\n'
        user.write(b"bye\n")
        assert await reader.readline() == b'{"others": 0}\n'
        assert await reader.readline() == b""
    await asyncio.to_thread(door.join, SECONDS)
    assert not door.is_alive()
    for writer in (silent, user, another):
        writer.close()


async def test_who_set_no_context_takes_what_runs_and_who_did_is_told(tmp_path: Path):
    """All three are opened before anything runs, so that only the server itself can tell."""
    model = a_model(tmp_path)
    little = settings(model, context_tokens=512)
    others = (
        replace(settings(model), name="any"),
        replace(settings(model, context_tokens=1024), name="more"),
    )
    async with (
        a_class(tmp_path, model, providers=(little,)) as first,
        a_class(tmp_path, model, database="any", providers=others[:1]) as any_,
        a_class(tmp_path, model, database="more", providers=others[1:]) as more,
    ):
        await first.graded(TEXTS[:1])
        assert [one.status for one in await any_.graded(TEXTS[1:2])] == ["graded"]
        await more.submit(TEXTS[2:4])
        reason = await until(lambda: more.pool.parked_reason, "parked")
        assert "with context_tokens = 512, and here 1024 are wanted" in reason
    assert len(asked(model)) == 2
