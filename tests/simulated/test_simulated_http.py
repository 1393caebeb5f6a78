"""The server on the wire: raw sockets, odd requests, another process's questions, a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sample_paper import KEY

from gradeq.providers.simulated import Simulator, SimulatorSettings, http1

HEAD = f"host: x\r\nx-api-key: {KEY}\r\nanthropic-version: 2023-06-01\r\n"


class Wire:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, method: str, path: str, body: bytes = b"", extra: str = "") -> None:
        length = f"content-length: {len(body)}\r\n"
        self.writer.write(f"{method} {path} HTTP/1.1\r\n{HEAD}{length}{extra}\r\n".encode() + body)

    async def receive(self) -> tuple[int, dict[str, str], Any]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        is_json = headers.get("content-type") == "application/json"
        return int(status.split()[1]), headers, json.loads(body) if is_json else body


@contextlib.asynccontextmanager
async def wire_to(simulator: Simulator) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port, limit=1 << 20)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
def body(anthropic_request) -> bytes:
    return json.dumps(anthropic_request).encode()


async def test_a_connection_is_kept(simulate, body):
    simulator = await simulate()
    async with wire_to(simulator) as wire:
        for _ in range(3):
            wire.send("POST", "/v1/messages", body)
            assert (await wire.receive())[0] == 200
        assert simulator.stats.connections == 1


async def test_pipelined_requests_are_answered_in_order(simulate, body, clock):
    simulator = await simulate(latency=1)
    async with wire_to(simulator) as wire:
        wire.send("POST", "/v1/messages", body)
        wire.send("GET", "/simulated/stats")
        wire.send("GET", "/nowhere")
        while clock.next_waking() is None:
            await asyncio.sleep(0)
        clock.advance(1)
        assert [(await wire.receive())[0] for _ in range(3)] == [200, 200, 404]


async def test_more_pipelined_requests_than_the_queue_holds_are_all_answered(simulate, body, clock):
    simulator = await simulate(latency=1)
    async with wire_to(simulator) as wire:
        wire.send("POST", "/v1/messages", body)
        while clock.next_waking() is None:
            await asyncio.sleep(0)
        for _ in range(200):
            wire.send("GET", "/nowhere")
            await asyncio.sleep(0)
        clock.advance(1)
        assert (await wire.receive())[0] == 200
        assert {(await wire.receive())[0] for _ in range(200)} == {404}


async def test_a_chunked_body_is_put_together(simulate, body):
    async with wire_to(await simulate()) as wire:
        head = f"POST /v1/messages HTTP/1.1\r\n{HEAD}transfer-encoding: chunked\r\n\r\n"
        wire.writer.write(head.encode())
        for start in range(0, len(body), 100):
            part = body[start : start + 100]
            wire.writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            await wire.writer.drain()
        wire.writer.write(b"0\r\n\r\n")
        assert (await wire.receive())[0] == 200


async def test_a_request_may_arrive_byte_by_byte(simulate, body):
    async with wire_to(await simulate()) as wire:
        head = f"POST /v1/messages?beta=true HTTP/1.1\r\n{HEAD}content-length: {len(body)}\r\n\r\n"
        for byte in head.encode():
            wire.writer.write(bytes([byte]))
            await asyncio.sleep(0)
        wire.writer.write(body)
        assert (await wire.receive())[0] == 200


async def test_a_client_may_ask_before_it_sends_a_body(simulate, body):
    async with wire_to(await simulate()) as wire:
        head = f"POST /v1/messages HTTP/1.1\r\n{HEAD}expect: 100-continue\r\n"
        wire.writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode())
        assert (await wire.receive())[0] == 100
        wire.writer.write(body)
        assert (await wire.receive())[0] == 200


async def test_a_connection_is_closed_where_the_client_asks_for_it(simulate, body):
    async with wire_to(await simulate()) as wire:
        wire.send("POST", "/v1/messages", body, "connection: close\r\n")
        assert (await wire.receive())[0] == 200
        assert await wire.reader.read() == b""


async def test_what_is_not_http_is_refused(simulate):
    async with wire_to(await simulate()) as wire:
        wire.writer.write(b"hello there\r\n\r\n")
        assert (await wire.receive())[0] == 400
        assert await wire.reader.read() == b""


async def test_what_is_not_json_is_refused(simulate):
    async with wire_to(await simulate()) as wire:
        wire.send("POST", "/v1/messages", b"{")
        status, _, error = await wire.receive()
        assert (status, error["error"]["type"]) == (400, "invalid_request_error")
        wire.send("POST", "/v1/chat/completions", b"\xff", f"authorization: Bearer {KEY}\r\n")
        status, _, error = await wire.receive()
        assert (status, error["error"]["type"]) == (400, "invalid_request_error")


async def test_a_body_beyond_the_limit_is_too_large(simulate, monkeypatch, body):
    monkeypatch.setattr(http1, "MAX_BODY", 1000)
    async with wire_to(await simulate()) as wire:
        wire.send("POST", "/v1/messages", body)
        status, _, error = await wire.receive()
        assert (status, error["error"]["type"]) == (413, "request_too_large")
        wire.send("POST", "/v1/chat/completions", body, f"authorization: Bearer {KEY}\r\n")
        assert (await wire.receive())[0] == 413


async def test_another_process_can_read_the_statistics_and_change_behaviour(simulate, body):
    async with wire_to(await simulate()) as wire:
        wire.send("POST", "/v1/messages", body)
        await wire.receive()
        changes = {"fail": "529", "requests_per_minute": 100}
        wire.send("POST", "/simulated/settings", json.dumps(changes).encode())
        status, _, settings = await wire.receive()
        assert (status, settings["fail"], settings["requests_per_minute"]) == (200, "529", 100)
        wire.send("POST", "/v1/messages", body)
        assert (await wire.receive())[0] == 529
        wire.send("GET", "/simulated/stats")
        _, _, stats = await wire.receive()
    assert (stats["requests"], stats["answered"], stats["failures"]) == (2, 1, {"529": 1})
    assert list(stats["calls_per_paper"].values()) == [1]


@pytest.mark.parametrize("changes", [b'{"fail": "nothing"}', b'{"rpm": 1}', b"[]", b"{"])
async def test_bad_changes_change_nothing(simulate, changes):
    simulator = await simulate(fail="500")
    async with wire_to(simulator) as wire:
        wire.send("POST", "/simulated/settings", changes)
        status, _, answer = await wire.receive()
    assert (status, bool(answer["error"])) == (400, True)
    assert simulator.settings == SimulatorSettings(fail="500")


async def test_a_restart_cuts_connections_and_frees_the_port(simulate, body):
    simulator = await simulate()
    async with wire_to(simulator) as wire:
        wire.send("POST", "/v1/messages", body)
        await wire.receive()
        simulator.disconnect_all()
        with contextlib.suppress(ConnectionError):
            assert await wire.reader.read() == b""
    port = simulator.port
    await simulator.close()
    await simulator.close()
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", port)
    async with Simulator(port=port) as again:
        assert again.url == f"http://127.0.0.1:{port}"


async def test_a_client_that_leaves_frees_its_place(simulate, body):
    simulator = await simulate(latency=60)
    async with wire_to(simulator) as wire:
        wire.send("POST", "/v1/messages", body)
        while not simulator.stats.in_flight:
            await asyncio.sleep(0)
    while simulator.stats.in_flight:
        await asyncio.sleep(0)
    assert simulator.stats.abandoned == 1


def test_it_listens_on_this_machine_only() -> None:
    with pytest.raises(ValueError, match="this machine only"):
        Simulator(host="0.0.0.0")
