"""The small real model: its grammar, its figures, its limits, its death."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from local_kit import (
    MODEL_SECONDS,
    a_class,
    environ,
    is_alive,
    needs_model,
    real_model,
    running,
    settings,
    until,
)

from gradeq.clock import SystemClock
from gradeq.errors import ConfigError
from gradeq.providers.local.assembled import looked_at
from gradeq.providers.local.link import Link, Serving
from gradeq.providers.local.machine import this_machine
from gradeq.providers.local.model_file import find_model
from gradeq.providers.local.sharing import meeting_folder

pytestmark = [pytest.mark.slow, needs_model, pytest.mark.timeout(600)]


async def test_a_killed_server_is_started_again_and_no_paper_is_lost_or_graded_twice(
    tmp_path: Path,
):
    model = real_model()
    async with a_class(tmp_path, model, concurrency=1, timeout_seconds=500) as at:
        batch = await at.submit([f"Sleep matters, says paper {n}." for n in range(3)])
        await until(lambda: at.pool.reading().last_minute.answered, "an answer", MODEL_SECONDS)
        server = running(model, tmp_path)
        os.kill(server.pid, signal.SIGKILL)
        results = await at.results(batch.id)
        jobs = await at.jobs(batch.id)
        attempts = [await at.engine.store.attempts(job.id) for job in jobs]
        assert is_alive(running(model, tmp_path).pid)
    assert [one.status for one in results] == ["graded"] * 3
    assert {job.attempts for job in jobs} == {0}
    answered = [[each for each in several if each.http_status == 200] for several in attempts]
    assert [len(each) for each in answered] == [1, 1, 1]
    assert all(each.input_tokens > 200 for several in answered for each in several)


async def test_a_paper_longer_than_the_context_fails_alone(tmp_path: Path):
    at_once = {"context_tokens": 1500, "slots": 1, "timeout_seconds": 500}
    async with a_class(tmp_path, real_model(), **at_once) as at:
        results = await at.graded(["Sleep matters. " * 1000, "Sleep matters."])
        jobs = await at.jobs(1)
    by_id = {one.id: one for one in results}
    assert by_id["p1"].status == "graded"
    assert by_id["p0"].status == "ungraded"
    assert "longer than the 1,500 tokens" in by_id["p0"].reason
    assert "raise context_tokens (this model reads up to 8,192)" in by_id["p0"].reason
    assert {job.attempts for job in jobs} == {0}


async def test_the_server_holds_to_the_schema_and_gives_probabilities(tmp_path: Path):
    """Whoever asks for log-probabilities gets them; nobody gets in without the key.

    The grammar lets twenty blanks stand at each place of the JSON where one may, and a model that
    throws dice fills them now and then: so it throws none, and has room for all of them.
    """
    told = settings(real_model(), context_tokens=512, slots=1)
    model, planned = looked_at(told, environ(tmp_path), this_machine())
    link = Link(model, planned, meeting_folder(environ(tmp_path)), SystemClock())
    try:
        serving = await link.server(MODEL_SECONDS)
        assert isinstance(serving, Serving)
        schema = {
            "type": "object",
            "properties": {"level": {"type": "string", "enum": ["good", "poor"]}},
            "required": ["level"],
            "additionalProperties": False,
        }
        body = {
            "messages": [{"role": "user", "content": "Write a poem about the sea."}],
            "temperature": 0,
            "max_tokens": 200,
            "logprobs": True,
            "top_logprobs": 5,
            "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
        }
        answer = await asyncio.to_thread(_asked, serving, body, serving.token)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            await asyncio.to_thread(_asked, serving, body, "guessed")
    finally:
        await link.aclose()
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "stop", choice
    assert json.loads(choice["message"]["content"])["level"] in ("good", "poor")
    assert len(choice["logprobs"]["content"][0]["top_logprobs"]) == 5
    assert answer["usage"]["completion_tokens"] == len(choice["logprobs"]["content"])
    assert not is_alive(serving.pid)


def _asked(serving: Serving, body: dict[str, Any], token: str) -> Any:
    request = urllib.request.Request(
        f"{serving.url}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json", "authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=MODEL_SECONDS) as response:
        return json.load(response)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
async def test_one_core_is_enough(tmp_path: Path):
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        _, planned = looked_at(settings(real_model()), environ(tmp_path), this_machine())
        async with a_class(tmp_path, real_model(), timeout_seconds=500) as at:
            (result,) = await at.graded(["Sleep matters."])
            server = running(real_model(), tmp_path)
            assert os.sched_getaffinity(server.pid) == {min(allowed)}
    finally:
        os.sched_setaffinity(0, allowed)
    assert (planned.threads, planned.slots) == (1, 1)
    assert result.status == "graded"


def test_a_real_file_that_is_cut_short_is_told_before_anything_is_loaded(tmp_path: Path):
    whole = real_model()
    size = whole.stat().st_size
    for kept in (1_000, 2_000_000, size - 1):
        cut = tmp_path / f"{kept}.gguf"
        with whole.open("rb") as file:
            cut.write_bytes(file.read(kept))
        with pytest.raises(ConfigError, match="is cut short"):
            find_model(str(cut))
    assert find_model(str(whole)).context_tokens == 8192
