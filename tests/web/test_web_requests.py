"""What holds for every request: limits, types, errors, headers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from web_kit import ESSAY, HOSTILE, SECONDS, Service, code

JSON = {"Content-Type": "application/json"}


async def test_a_body_over_its_limit_is_refused(resting: Service) -> None:
    """By its length before a byte is read, and by its bytes where no length is told."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"submission_ids": ['
        for _ in range(32):
            yield b"1," * (128 << 10)

    for content in (pieces(), b" " * (8 << 20)):
        answer = await resting.client.post("/api/grade", content=content, headers=JSON)
        assert code(answer, 413) == "too_large"
        assert "1 MiB" in answer.json()["detail"]


async def test_an_endless_body_is_cut_off(resting: Service) -> None:
    told = {**JSON, "Content-Length": str(1 << 40)}
    reader, writer = await _connected(resting)
    writer.write(_request("POST", "/api/grade", told, resting) + b"{")
    await writer.drain()
    async with asyncio.timeout(SECONDS):
        assert b"413" in await reader.readline()
        assert b"connection: close" in (await reader.read()).lower()
    writer.close()


async def test_an_import_has_a_limit_too(resting: Service) -> None:
    told = {**JSON, "Content-Length": str((32 << 20) + 1)}
    reader, writer = await _connected(resting)
    writer.write(_request("POST", "/api/submissions", told, resting))
    await writer.drain()
    async with asyncio.timeout(SECONDS):
        assert b"413" in await reader.readline()
    writer.close()


async def _connected(service: Service) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    place = urlsplit(service.url)
    return await asyncio.open_connection(place.hostname, place.port)


def _request(method: str, path: str, headers: dict[str, str], service: Service) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(service.url).netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


async def test_a_body_that_stops_half_way_hurts_nobody(resting: Service) -> None:
    _, writer = await _connected(resting)
    writer.write(
        _request("POST", "/api/grade", {**JSON, "Content-Length": "100"}, resting) + b'{"a'
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await resting.client.get("/readyz")).status_code == 200


WRONG_BODIES: list[Any] = [
    (b'{"submission_ids": [1]', "application/json", 400, "malformed_json"),
    (b"not json", "application/json", 400, "malformed_json"),
    (b'{"submission_ids": ["\xff"]}', "application/json", 400, "malformed_json"),
    (b'{"submission_ids": [NaN]}', "application/json", 400, "malformed_json"),
    (b"[" * 100_000, "application/json", 422, "invalid_body"),
    (b'{"submission_ids": ' + b"[" * 100_000, "application/json", 422, "invalid_body"),
    (b"[]", "application/json", 422, "invalid_body"),
    (b"", "", 422, "invalid_body"),
    (b"{}", "text/plain", 415, "unsupported_media_type"),
    (b"{}", "", 415, "unsupported_media_type"),
    (b"a=b", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
]


async def test_a_body_that_is_not_what_was_asked_for(resting: Service) -> None:
    for body, kind, status, wanted in WRONG_BODIES:
        headers = {"Content-Type": kind} if kind else {}
        answer = await resting.client.post("/api/grade", content=body, headers=headers)
        assert code(answer, status) == wanted, body[:40]


async def test_deep_nesting_ends_in_an_answer(resting: Service) -> None:
    body = b'{"id": "a", "text": "x", "deep": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    answer = await resting.client.post("/api/submissions", content=body, headers=JSON)
    assert code(answer, 400) == "malformed_json"
    assert "nested" in answer.json()["detail"]


async def test_a_wrong_value_is_told_with_its_path(resting: Service) -> None:
    body = {"submission_ids": [1, "a", None]}
    answer = await resting.client.post("/api/grade", json=body)
    assert code(answer, 422) == "invalid_body"
    assert answer.json()["problems"] == [
        {"path": "$.submission_ids[2]", "problem": "Expected `int | str`, got `null`"}
    ]


async def test_json_may_say_its_character_set(resting: Service) -> None:
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/x+json"):
        answer = await resting.client.post(
            "/api/submissions", content=b"[]", headers={"Content-Type": kind}
        )
        assert answer.status_code == 201


async def test_unknown_paths(resting: Service) -> None:
    for path in ("/nowhere", "/api", "/api/", "/api/courses/", "/static/x.css"):
        assert code(await resting.client.get(path), 404) == "no_such_path"
    assert code(await resting.client.post("/nowhere"), 404) == "no_such_path"
    assert code(await resting.client.post("/static/x.css"), 405) == "method_not_allowed"


async def test_a_person_who_went_astray_is_shown_a_page(resting: Service) -> None:
    at_a_browser = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": "de"}
    for path in ("/nowhere", f"/submissions/{'9' * 5000}"):
        answer = await resting.client.get(path, headers=at_a_browser)
        assert answer.status_code in (404, 422)
        assert "Das hat nicht geklappt" in answer.text


async def test_an_endless_id_is_refused(resting: Service) -> None:
    for path in ("/submissions/", "/api/submissions/", "/api/jobs/"):
        answer = await resting.client.get(path + "9" * 5000)
        assert code(answer, 422) == "invalid_path"


async def test_a_method_that_is_not_allowed_is_told_which_are(resting: Service) -> None:
    for method, path, allowed in (
        ("DELETE", "/api/submissions", {"GET", "HEAD", "POST"}),
        ("GET", "/api/submissions/release", {"POST"}),
        ("PATCH", "/api/courses/a/assignments/b/rubric", {"GET", "HEAD", "PUT"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("POST", "/", {"GET", "HEAD"}),
    ):
        answer = await resting.client.request(method, path)
        assert code(answer, 405) == "method_not_allowed"
        assert set(answer.headers["allow"].split(", ")) == allowed


async def test_what_nobody_expected_is_logged_and_not_shown(
    resting: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(resting.engine.store, "totals", broken)
    with caplog.at_level(logging.ERROR, logger="gradeq"):
        answer = await resting.client.get("/api/stats")
    assert code(answer, 500) == "internal_error"
    assert "secret" not in answer.text
    incident = answer.json()["incident"]
    [record] = [one for one in caplog.records if incident in one.getMessage()]
    assert record.exc_info is not None
    assert "secret detail" in str(record.exc_info[1])


async def test_every_answer_is_protected(resting: Service) -> None:
    paths = ("/", "/api/courses", "/nowhere", "/healthz", "/static/badges.js", "/openapi.json")
    for path in paths:
        headers = (await resting.client.get(path)).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] in ("no-store", "no-cache")
        assert "server" not in headers


async def test_an_idle_connection_serves_many_requests(resting: Service) -> None:
    """An unread body or an error in between does not confuse the next answer."""
    await resting.add(ESSAY)
    for _ in range(3):
        assert code(await resting.client.post("/nowhere", content=b"x" * 5000), 404)
        assert code(await resting.client.get("/api/jobs/5"), 404)
        assert (await resting.badges())["submitted"] == 1


async def test_a_problem_that_repeats_hostile_text_stays_json(resting: Service) -> None:
    answer = await resting.client.get(f"/api/courses/{HOSTILE}")
    assert code(answer, 404) == "no_such_path"
    assert answer.headers["content-type"] == "application/problem+json"
