"""Signing in and out, tokens, and how strict a database with people is."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from people_kit import ADA, ADMIN, BO, School, school_at, with_token
from starlette.requests import Request
from web_kit import Desk, Service, code, documented, make_engine, served_app, serving

from gradeq.clock import ManualClock
from gradeq.passes import SESSION_SECONDS, first_code
from gradeq.store.people import PassKind, Role
from gradeq.web import create_app
from gradeq.web.people import Person


@pytest.fixture
async def school(tmp_path: Path, desk: Desk) -> AsyncIterator[School]:
    async with school_at(tmp_path, desk, work=False) as opened:
        yield opened


@pytest.fixture
async def browser(school: School) -> AsyncIterator[httpx.AsyncClient]:
    async with documented(school.service.url) as client:
        yield client


def code_in(link: str) -> str:
    return parse_qs(urlsplit(link).query)["code"][0]


async def signed_in(client: httpx.AsyncClient, link: str, **form: str) -> httpx.Response:
    return await client.post("/sign-in", data={"code": code_in(link), **form})


# The first start ---------------------------------------------------------------------------------


async def test_with_nobody_on_the_list_everything_is_as_before(resting: Service) -> None:
    assert (await resting.client.get("/")).status_code == 200
    assert (await resting.client.get("/api/queue")).status_code == 200
    told = {"Authorization": "Bearer whatever"}
    assert (await resting.client.get("/api/courses", headers=told)).status_code == 200


async def test_the_first_link_makes_the_administrator_once(resting: Service) -> None:
    first = await first_code(resting.engine.store.people)
    link = f"/sign-in?code={first}"
    async with documented(resting.url) as other:
        page = await resting.client.get(link)
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
        # To look at it, as programs do with links that people send, uses nothing up.
        assert (await resting.client.get(link)).status_code == 200
        nameless = await signed_in(resting.client, link, name="  ")
        assert nameless.status_code == 422
        answer = await signed_in(resting.client, link, name=" Ms  Head ")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "Ms Head" in (await resting.client.get("/")).text
        assert (await other.get("/")).status_code == 401
        assert code(await other.get("/api/courses"), 401) == "unauthorized"
        assert (await signed_in(other, link, name="Eve")).status_code == 403
        assert (await other.get(link)).status_code == 403
    people = await resting.engine.store.people.everybody()
    assert [(one.name, one.role) for one in people] == [("Ms Head", Role.ADMINISTRATOR)]
    assert await first_code(resting.engine.store.people) is None


async def test_a_served_database_tells_the_first_link_until_it_is_used(tmp_path: Path) -> None:
    links: list[str] = []
    async with serving(make_engine(tmp_path, work=False), on_first_link=links.append) as service:
        assert links[0].startswith(f"{service.url}/sign-in?code=")
    async with serving(make_engine(tmp_path, work=False), on_first_link=links.append) as service:
        assert (await signed_in(service.client, links[0], name="Eve")).status_code == 403
        assert (await signed_in(service.client, links[1], name=ADMIN)).status_code == 303
    async with serving(make_engine(tmp_path, work=False), on_first_link=links.append):
        assert len(links) == 2


# Links and sessions ------------------------------------------------------------------------------


async def test_the_cookie_is_out_of_reach(school: School, browser: httpx.AsyncClient) -> None:
    answer = await signed_in(browser, await school.link(ADA))
    cookie = answer.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=lax", "path=/"):
        assert part in cookie
    assert "secure" not in cookie
    told = {"X-Forwarded-Proto": "https"}
    app = create_app(school.service.engine)
    async with served_app(app) as (client, _):
        form = {"code": code_in(await school.link(ADA))}
        answer = await client.post("/sign-in", data=form, headers=told)
        assert "secure" in answer.headers["set-cookie"].lower()
        answer = await client.get("/sign-in?language=de", headers=told)
        cookie = answer.headers["set-cookie"].lower()
        assert cookie.startswith("gradeq_language=de")
        for part in ("httponly", "samesite=lax", "path=/", "secure"):
            assert part in cookie


async def test_a_session_is_its_persons(school: School, browser: httpx.AsyncClient) -> None:
    await signed_in(browser, await school.link(ADA))
    page = (await browser.get("/")).text
    assert "art" in page
    assert "physics" not in page
    assert ADA in page
    assert code(await browser.get("/api/queue"), 403) == "administrators_only"
    assert (await browser.get("/people")).status_code == 403


async def test_without_a_session_only_signing_in_is_open(
    school: School, browser: httpx.AsyncClient
) -> None:
    for path in ("/", "/people", "/courses/art/assignments/one", "/nowhere"):
        answer = await browser.get(path)
        assert answer.status_code == 401
        assert "art" not in Texts(answer.text)
    for path in ("/api/courses", "/api/events", "/openapi.json", "/api/nowhere"):
        assert code(await browser.get(path), 401) == "unauthorized"
    for path in ("/healthz", "/readyz", "/sign-in", "/static/gradeq.css"):
        assert (await browser.get(path)).status_code == 200
    assert code(await browser.post("/api/submissions", json=[]), 401) == "unauthorized"


class Texts(str):
    """A page's words."""

    def __contains__(self, word: object) -> bool:
        return str(word) in self.replace("<", " ").replace(">", " ").split()


async def test_signing_out_ends_the_session(school: School, browser: httpx.AsyncClient) -> None:
    await signed_in(browser, await school.link(ADA))
    kept = dict(browser.cookies)
    answer = await browser.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert not browser.cookies
    browser.cookies.update(kept)
    assert (await browser.get("/")).status_code == 401


async def test_a_session_ends_30_days_after_its_last_use(tmp_path: Path, desk: Desk) -> None:
    clock = ManualClock()
    engine = make_engine(tmp_path, desk, work=False, clock=clock)
    async with engine, served_app(create_app(engine)) as (client, _):
        await signed_in(client, f"?code={await first_code(engine.store.people)}", name=ADMIN)
        for _ in range(2):
            clock.advance(SESSION_SECONDS - 1)
            assert (await client.get("/api/courses")).status_code == 200
        clock.advance(SESSION_SECONDS)
        assert code(await client.get("/api/courses"), 401) == "unauthorized"


async def test_a_session_does_not_act_for_another_site(
    school: School, browser: httpx.AsyncClient
) -> None:
    link = await school.link(ADMIN)
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = await browser.post("/sign-in", data={"code": code_in(link)}, headers=foreign)
    assert code(answer, 403) == "foreign_site"
    await signed_in(browser, link)
    for path in ("/people", "/people/link", "/people/end", "/people/change", "/sign-out"):
        answer = await browser.post(path, data={"name": "Eve"}, headers=foreign)
        assert code(answer, 403) == "foreign_site"


async def test_wrong_codes_are_counted_and_not_told(
    school: School, browser: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gradeq")
    good = code_in(await school.link(ADA))
    handle = good.partition(".")[0]
    token = await school.token(ADA)
    guesses = ["", "x", f"{handle}.", f"{handle}.wrong", good[:-1], token, "é☃"]
    for guess in guesses:
        answer = await browser.post("/sign-in", data={"code": guess})
        assert answer.status_code == 403
    assert f"({len(guesses)} so far)" in caplog.text
    assert (await signed_in(browser, f"?code={good}")).status_code == 303
    assert good not in caplog.text
    assert token not in caplog.text


async def test_only_hashes_are_on_disk(school: School, browser: httpx.AsyncClient) -> None:
    link, token = code_in(await school.link(ADA)), await school.token(ADA)
    await signed_in(browser, await school.link(BO))
    secrets = [one.partition(".")[2] for one in (link, token, *browser.cookies.values())]
    assert len(secrets) == 3
    database = school.service.engine.store.path
    for file in (database, database.with_name(database.name + "-wal")):
        content = file.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content


# Tokens ------------------------------------------------------------------------------------------


async def test_a_token_is_given_used_listed_and_revoked(school: School) -> None:
    wish = {"name": "Cy", "role": "teacher", "courses": ["art"], "label": "a script"}
    given = (await school.admin.post("/api/tokens", json=wish)).json()
    assert given["person"] == {"name": "Cy", "role": "teacher", "courses": ["art"]}
    async with with_token(school.service.url, given["token"]) as client:
        assert (await client.get("/api/courses")).status_code == 200
        listed = (await school.admin.get("/api/tokens")).json()["tokens"]
        [row] = [one for one in listed if one["handle"] == given["handle"]]
        assert (row["label"], row["person"]["name"]) == ("a script", "Cy")
        assert row["last_used_at"] is not None
        assert given["token"] not in str(listed)
        gone = await school.admin.delete(f"/api/tokens/{given['handle']}")
        assert gone.json() == {"handle": given["handle"]}
        assert code(await client.get("/api/courses"), 401) == "unauthorized"
    answer = await school.admin.delete(f"/api/tokens/{given['handle']}")
    assert code(answer, 404) == "not_found"


async def test_a_token_may_end(tmp_path: Path, desk: Desk) -> None:
    clock = ManualClock()
    engine = make_engine(tmp_path, desk, work=False, clock=clock)
    async with engine, served_app(create_app(engine)) as (client, _):
        wish = {"name": ADA, "role": "administrator", "days": 1}
        given = (await client.post("/api/tokens", json=wish)).json()
        told = {"Authorization": f"Bearer {given['token']}"}
        clock.advance(24 * 3600 - 1)
        assert (await client.get("/api/courses", headers=told)).status_code == 200
        clock.advance(1)
        assert (await client.get("/api/courses", headers=told)).status_code == 401


async def test_neither_a_session_nor_a_link_is_a_token(
    school: School, browser: httpx.AsyncClient
) -> None:
    link = await school.link(ADA)
    await signed_in(browser, await school.link(ADA))
    [session] = browser.cookies.values()
    for secret in (code_in(link), session):
        async with with_token(school.service.url, secret) as client:
            assert code(await client.get("/api/courses"), 401) == "unauthorized"


async def test_a_link_by_api_signs_in(school: School, browser: httpx.AsyncClient) -> None:
    given = (await school.admin.post("/api/links", json={"name": BO})).json()
    assert (await signed_in(browser, given["path"])).status_code == 303
    assert BO in (await browser.get("/")).text
    nobody = await school.admin.post("/api/links", json={"name": "Eve"})
    assert code(nobody, 404) == "not_found"


async def test_the_last_administrator_stays_one(school: School) -> None:
    answer = await school.admin.post("/api/tokens", json={"name": ADMIN, "role": "teacher"})
    assert code(answer, 409) == "conflict"


async def test_who_is_behind_a_proxy_needs_no_name_of_this_machine(school: School) -> None:
    """A foreign name that points here brings no session and no token with it."""
    told = {"Host": "grades.school.example"}
    assert (await school.ada.get("/api/courses", headers=told)).status_code == 200


async def test_the_services_own_token_still_may_do_everything(tmp_path: Path) -> None:
    async with serving(make_engine(tmp_path, work=False), "secret") as service:
        await service.engine.store.people.put(ADA, Role.TEACHER, ["art"])
        assert (await service.client.get("/api/queue")).status_code == 200
        async with documented(service.url) as client:
            assert (await client.get("/", params={"token": "secret"})).status_code == 303
            assert (await client.get("/people")).status_code == 200
            await client.post("/sign-out")
            assert (await client.get("/people")).status_code == 401


# The page of people ------------------------------------------------------------------------------


async def test_people_are_added_changed_and_let_in(
    school: School, browser: httpx.AsyncClient
) -> None:
    await signed_in(browser, await school.link(ADMIN))
    form = {"name": "Cy", "role": "teacher", "courses": "music\n\n  latin \n", "course": ["art"]}
    assert (await browser.post("/people", data=form)).status_code == 303
    cy = await school.people.find("Cy")
    assert cy.courses == ("art", "latin", "music")
    assert (await browser.post("/people", data=form)).status_code == 409
    changed = {"name": "Cy", "role": "teacher", "course": ["physics"]}
    assert (await browser.post("/people/change", data=changed)).status_code == 303
    assert (await school.people.find("Cy")).courses == ("physics",)
    page = await browser.post("/people/link", data={"name": "Cy"})
    link = page.text.partition('value="http')[2].partition('"')[0]
    assert "/sign-in?code=" in link
    async with documented(school.service.url) as other:
        assert (await signed_in(other, f"http{link}")).status_code == 303
        assert (await other.get("/")).status_code == 200
        assert (await browser.post("/people/end", data={"name": "Cy"})).status_code == 303
        assert (await other.get("/")).status_code == 401
    assert await school.people.passes(PassKind.SESSION) != []


async def test_mistakes_on_the_page_are_told(school: School, browser: httpx.AsyncClient) -> None:
    await signed_in(browser, await school.link(ADMIN))
    for path, form, status in (
        ("/people", {"name": " ", "role": "teacher"}, 422),
        ("/people", {"name": "Cy", "role": "king"}, 422),
        ("/people/change", {"name": "Cy", "role": "teacher"}, 404),
        ("/people/change", {"name": ADMIN, "role": "teacher"}, 409),
        ("/people/link", {"name": "Cy"}, 404),
        ("/people/end", {"name": "Cy"}, 404),
    ):
        assert (await browser.post(path, data=form)).status_code == status, (path, form)
    assert len(await school.people.everybody()) == 3


async def test_only_administrators_see_people(school: School, browser: httpx.AsyncClient) -> None:
    await signed_in(browser, await school.link(ADA))
    for method, path in (
        ("GET", "/people"),
        ("POST", "/people"),
        ("POST", "/people/change"),
        ("POST", "/people/link"),
        ("POST", "/people/end"),
    ):
        form = {"name": ADA, "role": "administrator"}
        answer = await browser.request(method, path, data=form if method == "POST" else None)
        assert answer.status_code == 403, path
        assert 'data-code="administrators_only"' in answer.text
    assert (await school.people.find(ADA)).role is Role.TEACHER


async def test_the_first_administrator_may_begin_on_the_page(resting: Service) -> None:
    assert "Become the first administrator" in (await resting.client.get("/people")).text
    answer = await resting.client.post("/people", data={"name": ADMIN})
    assert answer.status_code == 303
    assert ADMIN in (await resting.client.get("/people")).text
    async with documented(resting.url) as other:
        assert (await other.post("/people", data={"name": "Eve"})).status_code == 401


# An application around gradeq --------------------------------------------------------------------


class Header:
    """As a proxy would tell it."""

    async def person(self, request: Request) -> Person | None:
        name = request.headers.get("x-user")
        if name is None:
            return None
        return Person(name) if name == ADMIN else Person(name, False, frozenset({"art"}))


async def test_an_application_brings_its_own_people(tmp_path: Path, desk: Desk) -> None:
    engine = make_engine(tmp_path, desk, work=False)
    async with engine, served_app(create_app(engine, identity=Header())) as (client, _):
        for path, status in (("/", 401), ("/people", 401), ("/api/courses", 401), ("/readyz", 200)):
            assert (await client.get(path)).status_code == status, path
        cut_off = await client.post("/submissions/1/grade", data={"feedback": "Long."})
        assert cut_off.status_code == 401
        assert "Sign in to the application that gradeq is part of" in cut_off.text
        ada = {"X-User": ADA, "Host": "school.example"}
        rows = [{"id": "x", "text": "x", "course": course} for course in ("art", "physics")]
        answer = await client.post("/api/submissions", json=rows, headers=ada)
        assert code(answer, 404) == "not_found"
        answer = await client.post("/api/submissions", json=rows, headers={"X-User": ADMIN})
        assert answer.status_code == 201
        page = (await client.get("/", headers=ada)).text
        assert "physics" not in page
        assert ADA in page
        assert "sign-out" not in page
        assert (await client.get("/sign-in", headers=ada)).status_code == 404
        assert (await client.get("/people", headers={"X-User": ADMIN})).status_code == 404
        foreign = {**ada, "Sec-Fetch-Site": "cross-site"}
        answer = await client.post("/api/submissions", json=[], headers=foreign)
        assert code(answer, 403) == "foreign_site"
