"""The page of an assignment and the order, as a server answers them and as a browser uses them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from browsing import MS, PAGE_IN_BROWSER, Browsed, browsing, playwright
from starlette.requests import Request
from web_kit import (
    ESSAY,
    HOSTILE,
    RUBRIC,
    Desk,
    Service,
    make_engine,
    served_app,
    serving,
    simulated,
)

from gradeq import Grade, NewSubmission
from gradeq.web import create_app
from gradeq.web.people import Person

PAGE = "/courses/biology/assignments/sleep"
BLANK = " \u200b "


async def get(service: Service, path: str = PAGE, **query: Any) -> str:
    answer = await service.client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


async def post(service: Service, what: str, **form: Any) -> httpx.Response:
    return await service.client.post(f"{PAGE}/{what}", data=form)


async def confirmed(service: Service, **form: Any) -> str:
    answer = await post(service, "grade", **form)
    assert answer.status_code == 200, answer.text
    return answer.text


def papers(page: str) -> list[int]:
    return [int(one) for one in re.findall(r'data-paper="(\d+)"', page)]


def states(page: str) -> list[str]:
    return re.findall(r'data-state="(?!still)(\w+)"', page)


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return unescape(found[1])


def ways(page: str) -> list[str]:
    return re.findall(r'name="way" value="([^"]*)"', page)


def told(answer: httpx.Response) -> str:
    """What the page that comes next says."""
    assert answer.status_code == 303, answer.text
    place = urlsplit(answer.headers["location"])
    assert place.path == PAGE
    return parse_qs(place.query)["told"][0]


def left_out(page: str) -> dict[str, int]:
    """How many, by reason."""
    found = re.findall(r'data-reason="(\w+)"><strong>(\w+) paper', page)
    return {reason: 1 if count == "One" else int(count) for reason, count in found}


async def many(service: Service, count: int, **fields: Any) -> list[int]:
    fields = {"course": "biology", "assignment": "sleep", **fields}
    rows = [
        NewSubmission(f"p{n:04}", ESSAY, student=f"Student {count - n:04}", **fields)
        for n in range(count)
    ]
    return [one.id for one in await service.engine.add(rows)]


async def graded(service: Service, ids: Iterable[int]) -> None:
    ordered = await service.grade(submission_ids=list(ids), grader="desk")
    await service.batch_ended(ordered["batch_id"])


# The list -----------------------------------------------------------------------------------------


async def test_five_thousand_papers_come_fifty_at_a_time(resting: Service) -> None:
    ids = await many(resting, 5000)
    first = await get(resting)
    assert papers(first) == ids[:50]
    assert "Page 1 of 100" in first
    assert "All 5,000 papers of this tab" in first
    assert papers(await get(resting, page=100)) == ids[-50:]
    assert papers(await get(resting, page=101)) == ids[-50:]
    assert papers(await get(resting, sort="-time")) == ids[:-51:-1]
    assert papers(await get(resting, sort="student")) == ids[:-51:-1]
    assert papers(await get(resting, sort="-student", page=2)) == ids[50:100]
    assert papers(await get(resting, find="STUDENT 0001")) == [ids[-1]]
    assert papers(await get(resting, find="p123")) == ids[1230:1240]
    assert "Page 1 of" not in await get(resting, find="p123")


async def test_scores_order_what_is_graded(service: Service) -> None:
    ids = await service.add("x", "x", "x")
    for paper, score in zip(ids, (2.0, 9.5, 0.0), strict=True):
        await service.engine.edit_grade(paper, Grade(score, 10.0), "Ms Lee")
    page = await get(service, tab="graded", sort="-score")
    assert papers(page) == [ids[1], ids[0], ids[2]]
    assert "9.5 of 10" in page
    assert "changed by Ms Lee" in page


@pytest.mark.parametrize("odd", ["tab=x", "page=x", "page=-1", "page=²", "sort=x", "find=%00%ff"])
async def test_what_makes_no_sense_is_passed_over(resting: Service, odd: str) -> None:
    await resting.add(ESSAY)
    answer = await resting.client.get(f"{PAGE}?{odd}")
    assert answer.status_code == 200
    assert "Submitted" in answer.text


async def test_an_assignment_without_papers_is_not_found(resting: Service) -> None:
    assert (await resting.client.get(PAGE)).status_code == 404


async def test_each_state_is_told(service: Service, desk: Desk) -> None:
    await service.add("x", "hold", "refuse it", "x", BLANK)
    await service.add("x", first=6, status="in_progress")
    await service.grade(submission_ids=["p2", "p3"], grader="desk")
    await desk.busy.wait()
    [job] = [one for one in await jobs(service) if one["external_id"] == "p3"]
    await service.job_ended(job["id"])
    await service.client.post(
        "/api/submissions/archive", json={"submission_ids": ["p4"], "by": "L"}
    )
    page = await get(service)
    assert states(page) == ["resting", "processing", "stayed", "resting"]
    assert "it cannot be read" in page
    assert states(await get(service, tab="in_progress")) == ["in_progress"]
    assert states(await get(service, tab="archived")) == ["archived"]
    desk.go.set()


async def jobs(service: Service, batch_id: int = 1) -> list[dict[str, Any]]:
    return list((await service.get(f"/api/batches/{batch_id}/jobs"))["jobs"])


# The order ----------------------------------------------------------------------------------------


async def test_what_will_not_be_graded_is_told_with_the_reason(
    service: Service, desk: Desk
) -> None:
    good, queued, blank, person, machine, released, away = await service.add(
        "x", "hold", BLANK, "x", "x", "x", "x"
    )
    [draft] = await service.add("x", first=8, status="in_progress")
    await graded(service, [machine, released])
    await service.engine.edit_grade(person, Grade(1.0, 2.0), "Ms Lee")
    await service.engine.release([released], "Ms Lee")
    await service.engine.archive([away])
    await service.grade(submission_ids=[queued], grader="desk")
    ids = [good, queued, blank, person, machine, released, away, draft]
    page = await confirmed(service, paper=ids, tab="submitted")
    assert left_out(page) == dict.fromkeys(
        ("queued", "blank", "person", "graded", "released", "archived", "in_progress"), 1
    )
    assert hidden(page, "papers") == str(good)
    # From the tab of the graded ones it is meant to be graded again.
    again = await confirmed(service, paper=[machine, person], tab="graded")
    assert hidden(again, "papers") == str(machine)
    desk.go.set()


async def test_all_of_a_search_are_meant_on_every_page(resting: Service) -> None:
    ids = await many(resting, 130)
    page = await confirmed(resting, all="1", tab="submitted", find="p01")
    assert hidden(page, "papers") == " ".join(map(str, ids[100:]))
    assert "30 papers will be graded." in page
    whole = await confirmed(resting, all="1", tab="submitted")
    assert 'data-count="130"' in whole


async def test_a_double_click_orders_once(resting: Service) -> None:
    ids = await many(resting, 7)
    page = await confirmed(resting, paper=ids[:6])
    form = {name: hidden(page, name) for name in ("papers", "key")} | {"way": "now:desk"}
    first = await post(resting, "order", **form, by="Ms Lee")
    second = await post(resting, "order", **form, by="Ms Lee")
    assert told(first) == told(second)
    assert told(first).startswith("6 papers are queued.")
    [batch] = (await resting.get("/api/batches"))["batches"]
    assert (batch["owner"], batch["total"], batch["grader"]) == ("Ms Lee", 6, "desk")


async def test_five_can_be_tried_first(resting: Service) -> None:
    ids = await many(resting, 7)
    page = await confirmed(resting, paper=ids)
    assert "Try 5 first" in page
    form = {name: hidden(page, name) for name in ("papers", "key")}
    await post(resting, "order", **form, way="now:desk", first="5")
    assert [one["submission_id"] for one in await jobs(resting)] == ids[:5]
    assert "Try 5 first" not in await confirmed(resting, paper=ids[5:])


async def test_without_a_rubric_no_model_is_offered(resting: Service) -> None:
    await resting.add(ESSAY)
    page = await confirmed(resting, all="1")
    assert f'href="{PAGE}/rubric"' in page
    assert "has no rubric yet" in page
    assert ways(page) == ["now:desk"]
    await resting.put_rubric()
    assert ways(await confirmed(resting, all="1")) == ["now:llm", "overnight:llm", "now:desk"]


async def test_the_cost_is_projected_and_half_overnight(tmp_path: Path) -> None:
    priced = simulated(price_input=3.0, price_output=15.0)
    async with serving(make_engine(tmp_path, work=False, providers=[priced])) as service:
        ids = await many(service, 40)
        rubric_id = await service.put_rubric()
        cost = await service.engine.projected_cost(ids, "llm", rubric_id)
        assert cost is not None
        one = await service.engine.projected_cost(ids[:1], "llm", rubric_id)
        assert one == pytest.approx(cost / 40)
        page = await confirmed(service, all="1")
        costs = re.findall(r"about \$([\d.]+)", page)
        assert [float(told) for told in costs] == pytest.approx([cost, cost / 2], rel=0.01)
        form = {name: hidden(page, name) for name in ("papers", "key")}
        await post(service, "order", **form, way="overnight:llm")
        assert (await service.get("/api/batches/1"))["mode"] == "overnight"


async def test_prices_that_are_not_known_are_said_to_be_so(resting: Service) -> None:
    [paper] = await resting.add(ESSAY)
    rubric_id = await resting.put_rubric()
    assert await resting.engine.projected_cost([paper], "llm", rubric_id) is None
    assert await resting.engine.projected_cost([paper], "desk", rubric_id) is None
    assert "the cost is not known" in await confirmed(resting, all="1")


async def test_nothing_ticked_orders_nothing(resting: Service) -> None:
    await resting.add(ESSAY)
    for what in ("grade", "archive", "unarchive"):
        assert told(await post(resting, what)).startswith("No paper was chosen")
    assert told(await post(resting, "release", by="L")).startswith("No paper was chosen")
    assert (await resting.client.get(f"{PAGE}/grade")).status_code == 303
    assert (await post(resting, "order", way="now:desk")).status_code == 422
    assert (await post(resting, "order", way="now:nobody", papers="1")).status_code == 404
    assert (await resting.get("/api/batches"))["batches"] == []


# Changes ------------------------------------------------------------------------------------------


async def test_papers_of_other_assignments_cannot_be_touched(service: Service) -> None:
    [ours] = await service.add("x")
    [theirs] = await service.add("refuse", course="chemistry")
    await graded(service, [theirs])
    for what in ("grade", "order", "archive", "unarchive", "release"):
        for form in ({"paper": [ours, theirs]}, {"papers": f"{ours} {theirs}"}):
            answer = await post(service, what, **form, by="L", way="now:desk")
            assert answer.status_code == 404, what
    assert (await post(service, "retry", job="1")).status_code == 404
    for odd in ("", "x", "99", "9" * 30):
        assert (await post(service, "retry", job=odd)).status_code == 404
    assert (await service.get("/api/batches"))["batches"][0]["id"] == 1
    assert (await service.get(f"/api/submissions/{theirs}"))["archived_at"] is None


async def test_a_batch_of_another_assignment_cannot_be_steered(resting: Service) -> None:
    await resting.add("x")
    [theirs] = await resting.add("x", course="chemistry")
    await resting.grade(submission_ids=[theirs], grader="desk")
    for what in ("pause", "resume", "cancel"):
        assert (await post(resting, f"batches/1/{what}")).status_code == 404
    assert (await resting.get("/api/batches/1"))["status"] == "pending"


class OneCourse:
    async def person(self, request: Request) -> Person:
        return Person("Ms Lee", is_admin=False, courses=frozenset({"chemistry"}))


async def test_courses_of_others_are_not_there(tmp_path: Path, desk: Desk) -> None:
    engine = make_engine(tmp_path, desk, work=False)
    async with engine, served_app(create_app(engine, identity=OneCourse())) as (client, _):
        await engine.add([NewSubmission("p", "x", course="biology", assignment="sleep")])
        await engine.add([NewSubmission("p", "x", course="chemistry", assignment="acids")])
        assert (await client.get("/courses/chemistry/assignments/acids")).status_code == 200
        assert (await client.get(PAGE)).status_code == 404
        for what in ("grade", "order", "release", "archive", "unarchive", "retry"):
            assert (await client.post(f"{PAGE}/{what}", data={"all": "1"})).status_code == 404
        assert await engine.store.batches() == []


async def test_a_release_carries_a_name(service: Service) -> None:
    ids = await service.add("x", "x")
    await graded(service, ids)
    assert 'name="by"' in await get(service, tab="graded")
    answer = await post(service, "release", all="1", tab="graded", by="  ")
    assert answer.status_code == 422
    assert "name of the person" in answer.text
    answer = await post(service, "release", paper=ids[:1], tab="graded", by="Ms Lee")
    assert told(answer) == "One paper is released."
    assert "released by Ms Lee" in await get(service, tab="released")
    service.client.cookies.extract_cookies(answer)
    assert 'name="by"' not in await get(service, tab="graded")
    answer = await post(service, "release", paper=ids, tab="graded")
    assert told(answer) == "2 papers are released."


async def test_what_is_not_graded_is_not_released(service: Service) -> None:
    ids = await service.add("x", "x")
    await graded(service, ids[:1])
    answer = await post(service, "release", paper=ids, tab="graded", by="Ms Lee")
    assert told(answer).startswith("One paper is released. One was left as it is")


async def test_archived_and_back(resting: Service) -> None:
    ids = await resting.add("x", "x", "x")
    assert told(await post(resting, "archive", paper=ids[:2])) == "2 papers are archived."
    assert papers(await get(resting, tab="archived")) == ids[:2]
    answer = await post(resting, "unarchive", all="1", tab="archived")
    assert told(answer) == "2 papers are back from the archive."
    assert papers(await get(resting)) == ids


async def test_a_paper_that_stayed_is_tried_again(service: Service) -> None:
    [paper] = await service.add("refuse")
    await graded(service, [paper])
    page = await get(service)
    job = re.search(r'name="job" value="(\d+)"', page)
    assert job is not None
    assert told(await post(service, "retry", job=job[1])) == "It is queued again."
    await service.job_ended(int(job[1]))
    await service.engine.archive([paper])
    assert told(await post(service, "retry", job=job[1])).startswith("It was not queued")


async def test_a_batch_is_paused_resumed_and_cancelled(resting: Service) -> None:
    await many(resting, 3)
    await resting.grade(course="biology", assignment="sleep", grader="desk")
    assert "0 of 3 done" in await get(resting)
    assert told(await post(resting, "batches/1/pause", by="Ms Lee")).startswith("It is paused.")
    page = await get(resting)
    assert "paused by Ms Lee" in page
    assert states(page) == ["paused"] * 3
    assert told(await post(resting, "batches/1/resume")) == "It goes on."
    assert "paused" not in await get(resting)
    assert told(await post(resting, "batches/1/cancel")).startswith("The rest was cancelled")
    page = await get(resting)
    assert 'id="running"' not in page
    assert states(page) == ["stayed"] * 3
    assert (await post(resting, "batches/1/resume")).status_code == 404


async def test_german_is_whole(resting: Service) -> None:
    await many(resting, 60)
    headers = {"Accept-Language": "de"}
    page = (await resting.client.get(PAGE, headers=headers)).text
    assert "Mit KI bewerten" in page
    assert "Seite 1 von 2" in page
    answer = await resting.client.post(f"{PAGE}/grade", data={"all": "1"}, headers=headers)
    assert "60 Arbeiten werden bewertet." in answer.text


# In a browser -------------------------------------------------------------------------------------


@pytest.fixture
async def browser() -> AsyncIterator[playwright.Browser]:
    async with browsing() as opened:
        yield opened


async def opened(service: Service, browser: playwright.Browser, **options: Any) -> Browsed:
    context = await browser.new_context(**{"locale": "en-US", **options})
    browsed = Browsed(await context.new_page())
    await browsed.page.goto(service.url.rstrip("/") + PAGE)
    return browsed


async def counted(browsed: Browsed, kind: str, count: int) -> None:
    await browsed.shows(f'[data-count="{kind}"]', str(count))


async def ticked(browsed: Browsed, count: int) -> None:
    await playwright.expect(browsed.page.locator('[name="paper"]:checked')).to_have_count(count)


def in_browser(test: Any) -> Any:
    for mark in PAGE_IN_BROWSER:
        test = mark(test)
    return test


@in_browser
async def test_thirty_are_graded_while_the_teacher_is_away(
    service: Service, desk: Desk, browser: playwright.Browser
) -> None:
    await service.add(*["hold"] * 33)
    browsed = await opened(service, browser)
    page = browsed.page
    await browsed.is_live()
    await page.locator('[name="paper"]').first.click()
    await page.locator('[name="paper"]').nth(29).click(modifiers=["Shift"])
    await browsed.shows("#chosen", "30 chosen")
    await page.get_by_role("button", name="Grade with AI").click()
    await page.get_by_role("button", name="Grade 30 papers").click()
    await playwright.expect(page.locator(".told")).to_contain_text("30 papers are queued")
    await page.goto("about:blank")
    await desk.busy.wait()
    await page.goto(service.url.rstrip("/") + PAGE)
    await browsed.is_live()
    await counted(browsed, "grading", 30)
    assert await page.locator("#running progress").get_attribute("max") == "30"
    desk.go.set()
    await counted(browsed, "graded", 30)
    await counted(browsed, "submitted", 3)
    await playwright.expect(page.locator("tr[data-paper]")).to_have_count(3)
    await playwright.expect(page.locator("#running")).to_have_count(0)
    assert browsed.complaints == []


@in_browser
async def test_ticks_outlive_refreshes_and_pages(
    resting: Service, browser: playwright.Browser
) -> None:
    ids = await many(resting, 120)
    browsed = await opened(resting, browser)
    page = browsed.page
    await browsed.is_live()
    await page.check(f"#paper-{ids[3]}")
    await page.click("#page-next")
    await browsed.shows(".pager span", "Page 2 of 3")
    await ticked(browsed, 0)
    await page.check("#page")
    await ticked(browsed, 50)
    await browsed.shows("#chosen", "51 chosen")
    await page.uncheck(f"#paper-{ids[60]}")
    await page.focus(f"#open-{ids[61]}")
    await resting.engine.archive([ids[62]])
    await counted(browsed, "submitted", 119)
    await ticked(browsed, 48)
    assert await page.evaluate("document.activeElement.id") == f"open-{ids[61]}"
    await page.click("#tab-graded")
    await playwright.expect(page.locator("#tab-graded")).to_have_attribute("aria-current", "page")
    await page.click("#tab-submitted")
    await ticked(browsed, 1)
    await page.get_by_role("button", name="Grade with AI").click()
    chosen = await page.locator('[name="papers"]').input_value()
    wanted = {ids[3], *ids[50:100]} - {ids[60], ids[62]}
    assert set(map(int, chosen.split())) == wanted
    assert await page.locator('[data-reason="archived"]').count() == 1
    assert browsed.complaints == []


def is_refresh(request: Any) -> bool:
    return "hx-request" in request.headers and "hx-boosted" not in request.headers


@in_browser
@pytest.mark.parametrize("is_refresh_late", [True, False])
async def test_a_refresh_and_a_tab_at_the_same_time(
    resting: Service, browser: playwright.Browser, is_refresh_late: bool
) -> None:
    """Whichever is answered last, the tab that was asked for is shown."""
    ids = await many(resting, 3)
    browsed = await opened(resting, browser)
    page = browsed.page
    await browsed.is_live()
    late = asyncio.Event()

    async def hold(route: Any) -> None:
        if is_refresh(route.request) is is_refresh_late:
            await late.wait()
        await route.continue_()

    await page.route(lambda url: PAGE in url, hold)
    async with page.expect_response(lambda answer: is_refresh(answer.request)) as refreshed:
        async with page.expect_request(is_refresh):
            await resting.engine.archive(ids[:1])
        async with page.expect_response(
            lambda answer: "hx-boosted" in answer.request.headers
        ) as shown:
            async with page.expect_request(lambda request: "hx-boosted" in request.headers):
                await page.click("#tab-graded")
            if not is_refresh_late:
                await counted(browsed, "submitted", 2)
                late.set()
            await shown.value
        tab = page.locator("#tab-graded")
        await playwright.expect(tab).to_have_attribute("aria-current", "page", timeout=MS)
        late.set()
        await (await refreshed.value).finished()
    await resting.engine.archive(ids[1:2])
    await counted(browsed, "submitted", 1)
    await playwright.expect(tab).to_have_attribute("aria-current", "page")
    assert browsed.complaints == []


@in_browser
async def test_all_pages_are_chosen_at_once(resting: Service, browser: playwright.Browser) -> None:
    await many(resting, 137)
    browsed = await opened(resting, browser)
    page = browsed.page
    await page.fill("#find", "Student")
    await page.keyboard.press("Enter")
    await playwright.expect(page.locator(".found")).to_contain_text("137 papers")
    await page.get_by_label("All 137 papers that were found").check()
    await ticked(browsed, 50)
    await browsed.shows("#chosen", "137 chosen")
    await browsed.shows("#said", "137 papers for “Student”. 137 chosen")
    await page.click("#page-next")
    await ticked(browsed, 50)
    await page.get_by_role("button", name="Grade with AI").click()
    await browsed.shows(".how-many", "137 papers will be graded.")
    await page.get_by_role("link", name="Back to the papers").click()
    assert await page.input_value("#find") == "Student"
    await playwright.expect(page.locator("#chosen")).to_have_text("")
    assert browsed.complaints == []


@in_browser
async def test_a_reason_stays_open_and_one_click_retries(
    service: Service, browser: playwright.Browser
) -> None:
    [paper] = await service.add("refuse")
    await graded(service, [paper])
    browsed = await opened(service, browser)
    page = browsed.page
    await browsed.is_live()
    assert not await page.locator(".reason").is_visible()
    await page.focus(f"#why-{paper} summary")
    await page.keyboard.press("Enter")
    await service.add(ESSAY, first=2)
    await counted(browsed, "submitted", 2)
    await browsed.shows(".reason", "The grader cannot grade this paper. it cannot be read")
    assert await page.locator(".reason").is_visible()
    await page.click(f"#retry-{paper}")
    await browsed.shows(".told", "It is queued again.")
    assert browsed.complaints == []


@in_browser
async def test_without_scripts_papers_are_graded_and_released(
    service: Service, browser: playwright.Browser
) -> None:
    await many(service, 60)
    browsed = await opened(service, browser, java_script_enabled=False)
    page = browsed.page
    await page.get_by_role("link", name="Next").click()
    await page.get_by_label("Choose Student 0010", exact=True).check()
    await page.get_by_role("button", name="Grade with AI").click()
    await page.get_by_role("button", name="Grade one paper").click()
    await playwright.expect(page.locator(".told")).to_contain_text("One paper is queued")
    await service.batch_ended(1)
    await page.get_by_role("link", name="Graded").click()
    await page.get_by_label("The one paper of this tab").check()
    await page.get_by_label("Your name, for the release").fill("Ms Lee")
    await page.get_by_role("button", name="Release").click()
    await browsed.shows(".told", "One paper is released.")
    assert (await service.badges())["released"] == 1


@in_browser
async def test_hostile_names_run_nothing(service: Service, browser: playwright.Browser) -> None:
    service.course, service.assignment = HOSTILE, f"</title></table>{HOSTILE}"
    rows = [f"refuse {HOSTILE}", ESSAY]
    await service.add(*rows, student=f"<img src=x onerror=alert(1)>{HOSTILE}")
    await service.add(HOSTILE, id=f"</form>{HOSTILE}")
    await graded(service, [1])
    rubric_id = await service.engine.rubrics.put(RUBRIC, f"<b>{HOSTILE}</b>")
    await service.engine.store.assign_rubric(service.course, service.assignment, rubric_id)
    context = await browser.new_context(locale="en-US")
    browsed = Browsed(await context.new_page())
    page = browsed.page
    await page.goto(service.url)
    await page.locator("tr[data-assignment] a").click()
    await browsed.is_live()
    assert await page.locator("h1").text_content() == service.assignment
    await page.fill("#find", HOSTILE)
    await page.keyboard.press("Enter")
    await playwright.expect(page.locator(".found")).to_contain_text(HOSTILE)
    assert await page.locator("tr[data-paper]").count() == 3
    await page.locator("summary").click()
    await browsed.is_accessible()
    await page.check("#all")
    await page.get_by_role("button", name="Grade with AI").click()
    await page.get_by_role("button", name="Grade 3 papers").click()
    await playwright.expect(page.locator(".told")).to_contain_text("3 papers are queued")
    assert await page.locator("img, b, main script").count() == 0
    assert browsed.complaints == []


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_tab_is_accessible(
    service: Service, desk: Desk, browser: playwright.Browser, scheme: str
) -> None:
    away, released, *rest = await many(service, 7)
    failed, held = await service.add("refuse", "hold", first=100)
    await service.add("x", first=110, status="in_progress")
    await graded(service, [failed, released, *rest[:2]])
    await service.engine.release([released], "Ms Lee")
    await service.engine.archive([away])
    await service.grade(submission_ids=[held, rest[2]], grader="desk")
    await desk.busy.wait()
    browsed = await opened(service, browser, color_scheme=scheme)
    page = browsed.page
    for tab in ("in_progress", "graded", "released", "archived", "submitted"):
        await page.click(f"#tab-{tab}")
        await playwright.expect(page.locator(f"#tab-{tab}")).to_have_attribute(
            "aria-current", "page", timeout=MS
        )
        if tab == "submitted":
            await page.locator("summary").click()
        await browsed.is_accessible()
    desk.go.set()
    assert browsed.complaints == []


async def fits(browsed: Browsed, width: int) -> None:
    await browsed.page.set_viewport_size({"width": width, "height": 800})
    assert await browsed.page.evaluate("document.documentElement.scrollWidth") <= width


@in_browser
async def test_narrow_lists_and_empty_searches_are_accessible(
    resting: Service, browser: playwright.Browser
) -> None:
    await many(resting, 51)
    browsed = await opened(resting, browser)
    page = browsed.page
    await page.click("#page-last")
    await playwright.expect(page.locator("tr[data-paper]")).to_have_count(1)
    await fits(browsed, 320)
    await browsed.is_accessible()
    await page.fill("#find", "nobody")
    await page.keyboard.press("Enter")
    await playwright.expect(page.locator(".found")).to_contain_text("nobody")
    await browsed.is_accessible()
    assert browsed.complaints == []


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_order_is_accessible(
    resting: Service, browser: playwright.Browser, scheme: str
) -> None:
    await resting.add(ESSAY, BLANK)
    browsed = await opened(resting, browser, color_scheme=scheme)
    page = browsed.page
    await page.check("#all")
    await page.get_by_role("button", name="Grade with AI").click()
    await browsed.shows(".how-many", "One paper will be graded.")
    await browsed.is_accessible()
    await resting.put_rubric()
    await page.reload()
    await page.locator("summary").click()
    await fits(browsed, 320)
    await browsed.is_accessible()
    assert browsed.complaints == []
