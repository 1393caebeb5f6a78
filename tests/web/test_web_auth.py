"""Who may ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from web_kit import Service, code, documented, make_engine, served_app, serving

from gradeq import ConfigError
from gradeq.web import create_app

TOKEN = "correct horse ☃ battery"


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(make_engine(tmp_path, work=False), TOKEN) as running:
        yield running


@pytest.fixture
async def stranger(guarded: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with documented(guarded.url) as client:
        yield client


async def test_with_a_token_everything_asks_for_it(
    guarded: Service, stranger: httpx.AsyncClient
) -> None:
    for path in ("/api/courses", "/api/events", "/readyz", "/openapi.json"):
        answer = await stranger.get(path)
        assert code(answer, 401) == "unauthorized"
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for path in ("/", "/people", "/x"):
        answer = await stranger.get(path)
        assert (answer.status_code, answer.headers["content-type"][:9]) == (401, "text/html")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    # The page to sign in has its looks.
    assert (await stranger.get("/static/gradeq.css")).status_code == 200
    assert code(await stranger.post("/api/submissions", json=[]), 401) == "unauthorized"
    assert (await stranger.get("/healthz")).status_code == 200
    assert await guarded.get("/api/courses") == {"courses": [], "next": None}


TOLD_TOKENS: list[Any] = [
    "Bearer wrong",
    f"Bearer  {TOKEN}",
    f"bearer {TOKEN}",
    f"Basic {TOKEN}",
    "Bearer",
    "",
]


async def test_only_the_right_token_counts(stranger: httpx.AsyncClient) -> None:
    for told in TOLD_TOKENS:
        answer = await stranger.get("/api/courses", headers={"Authorization": told.encode()})
        right = told.lower().startswith("bearer ") and TOKEN in told
        assert answer.status_code == (200 if right else 401), told


async def test_a_token_in_the_address_opens_the_page_and_nothing_else(
    stranger: httpx.AsyncClient,
) -> None:
    assert code(await stranger.get("/api/courses", params={"token": TOKEN}), 401) == "unauthorized"
    refused = await stranger.get("/")
    assert refused.status_code == 401
    assert "token" in refused.text
    assert (await stranger.get("/", params={"token": "wrong"})).status_code == 401
    assert not stranger.cookies


async def test_the_pages_token_becomes_a_cookie(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    cookie = answer.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=lax", "path=/"):
        assert part in cookie
    assert "secure" not in cookie
    assert "horse" not in cookie
    assert (await stranger.get("/")).status_code == 200
    assert (await stranger.get("/api/courses")).status_code == 200
    # A bookmark of the first address must not keep the token in it.
    assert (await stranger.get("/", params={"token": TOKEN})).status_code == 303


async def test_a_cookie_does_not_act_for_another_site(stranger: httpx.AsyncClient) -> None:
    await stranger.get("/", params={"token": TOKEN})
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        answer = await stranger.post("/api/submissions", json=[], headers=headers)
        assert code(answer, 403) == "foreign_site"
    own = {"Origin": str(stranger.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    answer = await stranger.post("/api/submissions", json=[], headers=own)
    assert answer.status_code == 201


async def test_a_forged_cookie_is_none(stranger: httpx.AsyncClient) -> None:
    await stranger.get("/", params={"token": TOKEN})
    [name] = stranger.cookies
    async with documented(str(stranger.base_url)) as other:
        for value in ("", "x", TOKEN.encode().hex()):
            answer = await other.get("/api/courses", headers={"Cookie": f"{name}={value}"})
            assert code(answer, 401) == "unauthorized"


HOSTS: list[Any] = [
    ("127.0.0.1", 200),
    ("127.0.0.1:9999", 200),
    ("127.1.2.3", 200),
    ("localhost:80", 200),
    ("LOCALHOST", 200),
    ("[::1]:8000", 200),
    ("evil.example", 403),
    ("evil.example:80", 403),
    ("localhost.evil.example", 403),
    ("127.0.0.1.evil.example", 403),
    ("192.168.0.5", 403),
    ("[::", 403),
    ("user@localhost", 200),
    ("localhost@evil.example", 403),
    ("", 403),
]


async def test_without_a_token_only_this_machine_is_meant(resting: Service) -> None:
    """A foreign name that points at 127.0.0.1 is how a web page reaches a local service."""
    for host, status in HOSTS:
        answer = await resting.client.get("/api/courses", headers={"Host": host})
        assert answer.status_code == status, host
        if status == 403:
            assert answer.json()["code"] == "foreign_host"


async def test_without_a_token_no_other_site_may_post(resting: Service) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        answer = await resting.client.post("/api/submissions", json=[], headers=headers)
        assert code(answer, 403) == "foreign_site"
        answer = await resting.client.get("/api/courses", headers=headers)
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers
    own = await resting.client.post("/api/submissions", json=[], headers={"Origin": resting.url})
    assert own.status_code == 201


async def test_other_hosts_are_let_in_by_name(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, work=False)
    async with engine, served_app(create_app(engine, hosts=["School.example"])) as (client, _):
        for host, status in (("school.example:443", 200), ("evil.example", 403)):
            answer = await client.get("/api/courses", headers={"Host": host})
            assert answer.status_code == status
    async with engine, served_app(create_app(engine, hosts=["*"])) as (client, _):
        answer = await client.get("/api/courses", headers={"Host": "any.example"})
        assert answer.status_code == 200


async def test_behind_https_the_cookie_is_secure(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, work=False)
    async with engine, served_app(create_app(engine, token=TOKEN)) as (client, _):
        told = {"X-Forwarded-Proto": "https"}
        answer = await client.get("/", params={"token": TOKEN}, headers=told)
        assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("token", ["", "  "])
def test_a_blank_token_is_refused(tmp_path: Path, token: str) -> None:
    with pytest.raises(ConfigError, match="blank"):
        create_app(make_engine(tmp_path), token=token)
