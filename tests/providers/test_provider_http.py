"""The HTTP client against real sockets: what it sends, and every way an exchange can go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import shutil
import socket
import ssl
import struct
import subprocess

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import Exchange, ScriptedServer, response

from gradeq.errors import ConfigError
from gradeq.providers import http
from gradeq.providers.http import HttpClient, HttpResponse, HttpTrouble, Trouble
from gradeq.providers.lines import split_lines

HEADERS = [(b"content-type", b"application/json"), (b"x-api-key", b"k")]


@pytest.fixture
async def client(server: ScriptedServer):
    made = HttpClient(server.url + "/v1", timeout=5)
    yield made
    await made.aclose()


async def post(client: HttpClient, within: float | None = None) -> HttpResponse | HttpTrouble:
    return await client.post_json("/messages", HEADERS, b'{"a":1}', within)


async def test_sends_exactly_the_body_and_the_headers(server, client):
    server.will(response({"ok": True}, headers={"Request-Id": "r1"}))
    reply = await post(client)
    assert reply == HttpResponse(200, {"content-length": "11", "request-id": "r1"}, b'{"ok":true}')
    (seen,) = server.requests
    assert seen.line == "POST /v1/messages HTTP/1.1"
    assert seen.body == b'{"a":1}'
    assert seen.headers["x-api-key"] == "k"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["host"] == f"127.0.0.1:{server.port}"


async def test_a_mapping_is_sent_as_json(server, client):
    server.will(response())
    await client.post_json("/messages", HEADERS, {"text": "Größe"})
    assert server.requests[0].json == {"text": "Größe"}


async def test_a_query_in_the_base_url_stays_behind_the_path(server):
    client = HttpClient(server.url + "/v1?api-version=2", timeout=5)
    server.will(response())
    await post(client)
    await client.aclose()
    assert server.requests[0].line == "POST /v1/messages?api-version=2 HTTP/1.1"


async def test_connections_are_reused(server, client):
    server.will(response())
    for _ in range(3):
        assert isinstance(await post(client), HttpResponse)
    assert server.connections == 1


async def test_cookies_are_not_kept(server):
    client = HttpClient(f"http://localhost:{server.port}", timeout=5)
    server.will(response(headers={"set-cookie": "session=1; Path=/"}))
    await post(client)
    await post(client)
    await client.aclose()
    assert "cookie" not in server.requests[1].headers


async def test_redirects_are_not_followed(server, client):
    server.will(response(status=308, headers={"location": server.url + "/elsewhere"}))
    reply = await post(client)
    assert reply.status == 308
    assert len(server.requests) == 1


async def test_a_hundred_at_once(server, monkeypatch):
    """No pool of connections is a hidden limit, nor is how many may be opening."""
    monkeypatch.setattr(http, "CONNECTING_AT_ONCE", 10)
    client = HttpClient(server.url, timeout=5)
    everyone_here = asyncio.Event()

    async def together(exchange: Exchange) -> None:
        if len(server.requests) == 100:
            everyone_here.set()
        await everyone_here.wait()
        await exchange.send(response())

    server.will(together)
    replies = await asyncio.gather(*(post(client) for _ in range(100)))
    await client.aclose()
    assert all(isinstance(reply, HttpResponse) for reply in replies)
    assert server.connections == 100


async def test_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = HttpClient(f"http://127.0.0.1:{taken.getsockname()[1]}", timeout=5)
        reply = await post(client)
        await client.aclose()
    assert reply.kind is Trouble.CONNECT
    assert "127.0.0.1" in reply.detail


async def test_a_name_that_does_not_exist():
    client = HttpClient("http://nowhere.invalid", timeout=5)
    reply = await post(client)
    await client.aclose()
    assert reply.kind is Trouble.CONNECT


async def test_a_server_that_never_answers(server, client):
    async def hang(exchange: Exchange) -> None:
        await exchange.closed.wait()

    server.will(hang)
    reply = await post(client, within=0.05)
    assert reply == HttpTrouble(Trouble.TIMEOUT, "no complete answer within 0.05 s")


async def test_one_deadline_covers_a_body_that_drips(server, client):
    async def drip(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        while True:
            await exchange.send(b" ")
            await asyncio.sleep(0.005)

    server.will(drip)
    reply = await post(client, within=0.1)
    assert reply.kind is Trouble.TIMEOUT


async def hang_up(exchange: Exchange) -> None:
    await exchange.hang_up()


async def reset(exchange: Exchange) -> None:
    raw = exchange.writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.writer.transport.abort()


async def drop_in_headers(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-le")
    await exchange.hang_up()


async def drop_in_body(exchange: Exchange) -> None:
    await exchange.send(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"half')
    await exchange.hang_up()


async def drop_in_chunk(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
    await exchange.hang_up()


async def garbage(exchange: Exchange) -> None:
    await exchange.send(b"220 mail.example.org ESMTP ready\r\n\r\n")
    await exchange.hang_up()


@pytest.mark.parametrize(
    "fault", [hang_up, reset, drop_in_headers, drop_in_body, drop_in_chunk, garbage]
)
async def test_an_answer_that_is_lost_is_not_asked_for_again(server, client, fault):
    server.will(fault)
    reply = await post(client)
    assert reply.kind is Trouble.LOST
    assert reply.detail
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x-long: " + b"a" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000 + b"\r\n",
        b"HTTP/9.9 ??? \xff\xff\r\n\r\n",
        b"\x16\x03\x01\x00\x00",
        b"\0" * 100_000,
    ],
)
async def test_what_is_not_http_is_lost(server, client, raw):
    async def send(exchange: Exchange) -> None:
        with contextlib.suppress(ConnectionError):
            await exchange.send(raw)
            await exchange.hang_up()

    server.will(send)
    assert (await post(client)).kind is Trouble.LOST


@pytest.mark.parametrize("fault", [drop_in_headers, drop_in_body, garbage])
async def test_nor_on_a_connection_used_before_once_a_byte_has_come(server, client, fault):
    server.will(response(), fault)
    await post(client)
    assert (await post(client)).kind is Trouble.LOST
    assert len(server.requests) == 2


@pytest.mark.parametrize("fault", [hang_up, reset])
async def test_a_stale_connection_is_replaced_unseen(server, client, fault):
    server.will(response(), fault, response(b"second"))
    await post(client)
    reply = await post(client)
    assert reply.body == b"second"
    assert [seen.connection for seen in server.requests] == [1, 1, 2]


async def test_the_replacement_is_a_new_connection_every_time(server, client):
    server.will(response(), hang_up, response(), response(), hang_up, response())
    for _ in range(4):
        assert isinstance(await post(client), HttpResponse)
    assert [seen.connection for seen in server.requests] == [1, 1, 2, 3, 3, 4]


async def test_but_only_once(server, client):
    server.will(response(), hang_up)
    await post(client)
    assert (await post(client)).kind is Trouble.LOST
    assert len(server.requests) == 3


async def test_a_connection_that_dies_late_had_taken_the_request(server, client, monkeypatch):
    monkeypatch.setattr(http, "STALE_SECONDS", 0.0)
    server.will(response(), hang_up)
    await post(client)
    assert (await post(client)).kind is Trouble.LOST
    assert len(server.requests) == 2


async def test_connections_closed_while_idle_are_not_used_again(server, client):
    async def answer_and_leave(exchange: Exchange) -> None:
        await exchange.send(response())
        await exchange.hang_up()

    server.will(answer_and_leave)
    for _ in range(5):
        assert isinstance(await post(client), HttpResponse)
        await asyncio.sleep(0.01)
    assert len(server.requests) == 5


async def test_a_body_without_end_is_bounded(server, client, monkeypatch):
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 1 << 20)

    async def endless(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        while True:
            await exchange.send(b"x" * 65536)

    server.will(endless)
    reply = await post(client)
    assert reply == HttpTrouble(Trouble.TOO_BIG, "the answer is larger than 1 MiB")
    await asyncio.wait_for(server.dropped.wait(), 5)


async def test_a_compressed_body_is_bounded_by_what_it_holds(server, client, monkeypatch):
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 1 << 20)
    bomb = gzip.compress(bytes(64 << 20))
    server.will(response(bomb, headers={"content-encoding": "gzip"}))
    reply = await post(client)
    assert reply.kind is Trouble.TOO_BIG


async def test_a_compressed_body_is_read(server, client):
    server.will(response(gzip.compress(b'{"a":1}'), headers={"content-encoding": "gzip"}))
    assert (await post(client)).body == b'{"a":1}'


async def test_a_body_that_only_says_it_is_compressed(server, client):
    server.will(response(b"plain", headers={"content-encoding": "gzip"}))
    assert (await post(client)).kind is Trouble.LOST


async def until_dropped(exchange: Exchange) -> None:
    while True:
        await exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(0.005)


async def test_cancelling_closes_the_connection(server, client):
    arrived = asyncio.Event()

    async def hang(exchange: Exchange) -> None:
        arrived.set()
        await until_dropped(exchange)

    server.will(hang)
    call = asyncio.create_task(post(client))
    await arrived.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(server.dropped.wait(), 5)


async def test_closing_ends_calls_in_flight(server):
    client = HttpClient(server.url, timeout=5)
    arrived = asyncio.Event()

    async def hang(exchange: Exchange) -> None:
        arrived.set()
        await exchange.closed.wait()

    server.will(hang)
    call = asyncio.create_task(post(client))
    await arrived.wait()
    await client.aclose()
    assert (await call).kind is Trouble.LOST


async def test_any_httpx_transport_can_stand_in_for_the_network():
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(418, text="teapot")

    client = HttpClient("https://example.org", transport=httpx.MockTransport(answer))
    reply = await post(client)
    await client.aclose()
    assert (reply.status, reply.body) == (418, b"teapot")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError, Trouble.CONNECT),
        (httpx.ConnectTimeout, Trouble.CONNECT),
        (httpx.ProxyError, Trouble.CONNECT),
        (httpx.ReadTimeout, Trouble.TIMEOUT),
        (httpx.ReadError, Trouble.LOST),
        (httpx.RemoteProtocolError, Trouble.LOST),
    ],
)
async def test_httpx_errors_keep_their_meaning(error, kind):
    def fail(request: httpx.Request) -> httpx.Response:
        raise error("it failed")

    client = HttpClient("https://example.org", transport=httpx.MockTransport(fail))
    assert await post(client) == HttpTrouble(kind, "it failed")
    await client.aclose()


async def test_loopback_never_goes_through_a_proxy(server, client, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    direct = HttpClient(server.url, timeout=5)
    server.will(response(b"direct"))
    assert (await post(direct)).body == b"direct"
    await direct.aclose()


async def test_other_hosts_go_through_the_proxy_of_the_environment(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    client = HttpClient("http://provider.example", timeout=5)
    server.will(response(b"through the proxy"))
    assert (await post(client)).body == b"through the proxy"
    await client.aclose()
    assert server.requests[0].line == "POST http://provider.example/messages HTTP/1.1"


async def test_https_is_tunnelled_and_a_proxy_that_refuses_is_no_connection(server, monkeypatch):
    monkeypatch.setenv("https_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    client = HttpClient("https://provider.example", timeout=5)
    server.will(response(status=403))
    reply = await post(client)
    await client.aclose()
    assert reply.kind is Trouble.CONNECT
    assert server.requests[0].line == "CONNECT provider.example:443 HTTP/1.1"


async def test_no_proxy_is_honoured(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "provider.invalid")
    client = HttpClient("http://provider.invalid", timeout=5)
    reply = await post(client)
    await client.aclose()
    assert "provider.invalid" in reply.detail


def test_a_proxy_that_cannot_be_used_is_named(monkeypatch):
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1080")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(ConfigError, match=r"socks5 proxy.*HTTPS_PROXY"):
        HttpClient("https://provider.example")


def test_certificates_that_cannot_be_read_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        HttpClient("https://provider.example")


@pytest.fixture
def certificate(tmp_path):
    """A certificate for localhost that nobody has signed."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


@pytest.fixture
async def https_url(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response(b"safe", headers={"connection": "close"}))
        writer.close()

    listening = await asyncio.start_server(answer, "localhost", 0, ssl=context)
    yield f"https://localhost:{listening.sockets[0].getsockname()[1]}"
    listening.close()


async def test_a_certificate_that_nobody_signed_is_refused(https_url):
    client = HttpClient(https_url, timeout=5)
    reply = await post(client)
    await client.aclose()
    assert reply.kind is Trouble.CONNECT
    assert "certificate" in reply.detail.lower()


async def test_a_certificate_in_ssl_cert_file_is_trusted(https_url, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    client = HttpClient(https_url, timeout=5)
    assert (await post(client)).body == b"safe"
    await client.aclose()


async def test_too_many_open_files_says_so(server, client):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as highest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest.fileno(), hard))
        try:
            reply = await post(client)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert reply.kind is Trouble.CONNECT
    assert "too many open files" in reply.detail


# What batch APIs need beside it ------------------------------------------------------------------


async def lines_of(client: HttpClient, path: str = "/results") -> list:
    return [each async for each in client.lines(path, HEADERS)]


async def test_get_adds_its_query_to_that_of_the_base_url(server):
    client = HttpClient(server.url + "/v1?api-version=2", timeout=5)
    server.will(response({"ok": True}))
    reply = await client.get("/batches", HEADERS, {"after": "a b&c"})
    await client.aclose()
    (seen,) = server.requests
    assert seen.line == "GET /v1/batches?api-version=2&after=a+b%26c HTTP/1.1"
    assert (reply.body, seen.headers["x-api-key"], seen.body) == (b'{"ok":true}', "k", b"")


async def test_an_upload_is_sent_whole_with_its_length_and_not_twice(server, client):
    async def take_and_hang_up(exchange: Exchange) -> None:
        await exchange.hang_up()

    server.will(response(), response({"ok": True}), take_and_hang_up)
    await post(client)
    parts = [b"x" * 1000] * 3000
    assert (await client.upload("/files", HEADERS, parts)).body == b'{"ok":true}'
    seen = server.requests[1]
    assert (seen.line, seen.body) == ("POST /v1/files HTTP/1.1", b"".join(parts))
    assert (seen.headers["content-length"], "transfer-encoding" in seen.headers) == (
        "3000000",
        False,
    )
    reply = await client.upload("/files", HEADERS, [b"x"])
    assert (reply.kind, len(server.requests)) == (Trouble.LOST, 3)


async def test_an_upload_may_take_longer_the_larger_it_is(server, monkeypatch):
    async def slowly(exchange: Exchange) -> None:
        await asyncio.sleep(0.2)
        await exchange.send(response())

    server.will(slowly)
    client = HttpClient(server.url, timeout=0.05)
    monkeypatch.setattr(http, "SLOWEST_BYTES_PER_SECOND", 100)
    assert (await client.upload("/files", HEADERS, [b"x"])).kind is Trouble.TIMEOUT
    assert isinstance(await client.upload("/files", HEADERS, [b"x" * 1000]), HttpResponse)
    await client.aclose()


async def test_lines_come_as_they_arrive(server, client):
    second = asyncio.Event()

    async def in_two_halves(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        await exchange.send(b"6\r\none\ntw\r\n")
        await second.wait()
        await exchange.send(b"4\r\no\n\n3\r\n1\r\n3\r\n0\r\n\r\n")

    server.will(in_two_halves)
    found = []
    async for line in client.lines("/results", HEADERS):
        found.append(line)
        second.set()
    assert found == [b"one", b"two", b"", b"33"]
    assert server.requests[0].line == "GET /v1/results HTTP/1.1"


async def test_another_status_comes_whole_instead_of_lines(server, client):
    server.will(response(b"not\nhere", 404))
    assert await lines_of(client) == [HttpResponse(404, {"content-length": "8"}, b"not\nhere")]


async def test_lines_that_end_too_early_end_with_a_trouble(server, client):
    async def cut_off(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\none\ntwo")
        await exchange.hang_up()

    server.will(cut_off)
    *lines, last = await lines_of(client)
    assert (lines, last.kind) == ([b"one"], Trouble.LOST)


async def test_a_line_has_the_whole_timeout_and_no_more(server):
    async def drip(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\none\n")
        while not exchange.closed.is_set():
            await exchange.send(b"x")
            await asyncio.sleep(0.01)

    server.will(drip)
    client = HttpClient(server.url, timeout=1.0)
    first, last = await lines_of(client)
    await client.aclose()
    assert (first, last.kind) == (b"one", Trouble.TIMEOUT)


async def test_a_line_may_not_be_endless(server, client, monkeypatch):
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 10)
    server.will(response(b"one\n" + b"x" * 20))
    first, last = await lines_of(client)
    assert (first, last.kind) == (b"one", Trouble.TOO_BIG)


async def test_compressed_lines_are_read(server, client):
    server.will(response(gzip.compress(b"one\ntwo"), headers={"content-encoding": "gzip"}))
    assert await lines_of(client) == [b"one", b"two"]


async def test_whoever_reads_no_further_leaves_no_connection(server, client):
    body = b"line\n" * 100_000
    server.will(response(body))
    async with contextlib.aclosing(client.lines("/results", HEADERS)) as lines:
        assert await anext(lines) == b"line"
    await server.dropped.wait()


async def test_nobody_sends_lines():
    client = HttpClient("http://nowhere.invalid", timeout=5)
    [trouble] = await lines_of(client)
    await client.aclose()
    assert trouble.kind is Trouble.CONNECT


@given(st.lists(st.binary(max_size=6)))
def test_lines_are_the_same_however_they_are_cut(chunks: list[bytes]) -> None:
    async def cut() -> list[bytes]:
        async def all_chunks():
            for chunk in chunks:
                yield chunk

        return [line async for line in split_lines(all_chunks(), 1000)]

    whole = b"".join(chunks).split(b"\n")
    assert asyncio.run(cut()) == (whole if whole[-1] else whole[:-1])
