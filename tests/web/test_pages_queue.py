"""The operators' page in a real browser: pools, what is parked, in hand, failed and stuck."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from browsing import MS, PAGE_IN_BROWSER, Browsed, browsing, playwright
from starlette.requests import Request
from web_kit import ESSAY, HOSTILE, Desk, Service, make_engine, served_app, serving, simulated

from gradeq import Engine, ProviderSettings
from gradeq.clock import SystemClock
from gradeq.limiter.reading import LastMinute, Reading
from gradeq.providers.simulated import Simulator, SimulatorSettings
from gradeq.store.orders import SubmitOrder
from gradeq.web import create_app
from gradeq.web.people import Person
from gradeq.web.stuck import IDLE_SECONDS, TIMES_TOO_LONG

pytestmark = PAGE_IN_BROWSER
expect = playwright.expect


@pytest.fixture
async def browser() -> AsyncIterator[playwright.Browser]:
    async with browsing() as opened:
        yield opened


async def opened(browser: playwright.Browser, service: Service, **context: Any) -> Browsed:
    browsed = Browsed(await (await browser.new_context(**context)).new_page())
    await browsed.page.goto(f"{service.url}/queue")
    return browsed


class Ahead(SystemClock):
    """This machine's clock, which may be set forward."""

    seconds = 0.0

    def now_ms(self) -> int:
        return super().now_ms() + round(1000 * self.seconds)


@pytest.mark.parametrize("with_scripts", [True, False])
async def test_a_parked_pool_is_shown_and_resumed(
    tmp_path: Path, browser: playwright.Browser, with_scripts: bool
) -> None:
    async with Simulator(SimulatorSettings(fail="401")) as simulator:
        provider = ProviderSettings("sim", "simulated", "m", base_url=simulator.url)
        async with serving(Engine(tmp_path / "g.db", providers=[provider])) as service:
            await service.put_rubric()
            browsed = await opened(browser, service, java_script_enabled=with_scripts)
            if with_scripts:
                await browsed.is_live()
            ordered = await service.grade(submission_ids=await service.add(*[ESSAY] * 8))
            batch = f"/api/batches/{ordered['batch_id']}"
            await anext(one async for one in service.watched(batch) if one["paused_by"])
            if not with_scripts:
                await browsed.page.reload()
            parked = browsed.page.locator(".pool .parked")
            await expect(parked).to_contain_text("invalid x-api-key", timeout=MS)
            await expect(browsed.page.locator(".pool")).to_contain_text("8 paused", timeout=MS)
            if with_scripts:
                await browsed.is_accessible()
            simulator.change(fail="")
            await parked.get_by_role("button").click()
            await expect(browsed.page.locator(".told")).to_contain_text("goes on")
            assert (await service.batch_ended(ordered["batch_id"]))["completed"] == 8
            if not with_scripts:
                await browsed.page.reload()
            await expect(browsed.page.locator(".pool")).to_contain_text("8 answered", timeout=MS)
            assert await parked.count() == 0
            assert browsed.complaints == []


async def test_a_pool_that_was_asked_to_wait_says_until_when(
    tmp_path: Path, browser: playwright.Browser
) -> None:
    settings = SimulatorSettings(fail="429", retry_after_seconds=3600)
    async with Simulator(settings) as simulator:
        provider = ProviderSettings("sim", "simulated", "m", base_url=simulator.url)
        engine = Engine(tmp_path / "g.db", providers=[provider], grace_seconds=0.0)
        async with serving(engine) as service:
            await service.put_rubric()
            browsed = await opened(browser, service)
            await browsed.is_live()
            await service.grade(submission_ids=await service.add(ESSAY, ESSAY))
            pool = browsed.page.locator(".pool")
            await expect(pool).to_contain_text("The provider asked to wait until", timeout=MS)
            await expect(pool).to_contain_text("60 minutes left")
            await expect(pool).to_contain_text("2 ready")
            assert browsed.complaints == []


async def test_levels_limits_and_what_is_in_hand(
    tmp_path: Path, browser: playwright.Browser
) -> None:
    desk = Desk()
    provider = simulated(requests_per_minute=30, output_tokens_per_minute=9000)
    engine = make_engine(tmp_path, desk, providers=[provider])
    async with serving(engine) as service:
        await service.put_rubric()
        await service.grade(submission_ids=await service.add(*[ESSAY] * 90))
        ids = await service.add(*["hold"] * 7, first=200)
        await service.grade(submission_ids=ids, grader="desk")
        browsed = await opened(browser, service)
        await browsed.is_live()
        page = browsed.page
        own = page.locator('[data-pool="grader:desk"]')
        await expect(own).to_contain_text("calls in flight: 5 of 5", timeout=MS)
        await expect(own).to_contain_text("5 of 5", timeout=MS)
        await expect(own).to_contain_text("2 ready, 0 waiting, 5 in hand", timeout=MS)
        limited = page.locator(".pool:not([data-pool^='grader']) [data-limited-by='requests']")
        await expect(limited).to_contain_text("requests per minute: ", timeout=MS)
        meter = page.locator('[data-bucket="requests"] progress')
        assert await meter.evaluate("bar => bar.max") == 30
        assert await meter.evaluate("bar => bar.value") < 30
        held = page.locator("#running tr[data-job]", has_text="desk")
        await expect(held).to_have_count(5, timeout=MS)
        assert "biology / sleep" in (await held.first.text_content() or "")
        await browsed.is_accessible()
        desk.go.set()
        await expect(held).to_have_count(0, timeout=MS)
        await expect(own).to_contain_text("7 answered", timeout=MS)
        assert browsed.complaints == []


async def test_failures_by_cause_are_retried_together(
    service: Service, desk: Desk, browser: playwright.Browser
) -> None:
    ids = await service.add("refuse", "refuse hold", "refuse hold", ESSAY)
    await service.grade(submission_ids=ids[:1], grader="desk")
    await service.job_ended(1)
    desk.go.set()
    await service.grade(submission_ids=ids[1:], grader="desk")
    await service.batch_ended(2)
    desk.go.clear()
    browsed = await opened(browser, service)
    await browsed.is_live()
    row = browsed.page.locator('tr[data-error="rejected"]')
    await expect(row.locator('[data-fact="count"]')).to_have_text("3")
    await expect(row).to_contain_text("it cannot be read")
    await browsed.is_accessible()
    await row.get_by_role("button").click()
    await expect(browsed.page.locator(".told")).to_have_text("3 papers are in the queue again.")
    await expect(row.locator('[data-fact="count"]')).to_have_text("1", timeout=MS)
    assert (await service.get("/api/queue"))["running"] == 2
    desk.go.set()
    await expect(row.locator('[data-fact="count"]')).to_have_text("3", timeout=MS)
    assert browsed.complaints == []


async def test_what_is_stuck_is_told_with_what_to_do(
    tmp_path: Path, browser: playwright.Browser
) -> None:
    clock = Ahead()
    engine = make_engine(tmp_path, Desk(), work=False, clock=clock)
    async with serving(engine) as service:
        slow, idle, lost = [
            await service.add(ESSAY, first=n, course=HOSTILE, assignment=f"a{n}") for n in (1, 2, 3)
        ]
        await service.grade(submission_ids=slow, grader="desk")
        [held] = await engine.store.claim("grader:desk", 1, 3600.0)
        await service.grade(submission_ids=idle, grader="desk")
        await engine.store.submit(SubmitOrder(lost, grader=HOSTILE, pool=HOSTILE))
        browsed = await opened(browser, service)
        await browsed.is_live()
        unserved = browsed.page.locator('[data-stuck="unserved"]')
        await expect(unserved.locator("li")).to_contain_text(HOSTILE)
        assert await browsed.page.locator('[data-stuck="slow"], [data-stuck="idle"]').count() == 0
        clock.seconds = IDLE_SECONDS + 1
        await expect(browsed.page.locator('[data-stuck="idle"] li')).to_contain_text(
            "Batch 2", timeout=MS
        )
        clock.seconds = TIMES_TOO_LONG * 120 + 1
        stuck = browsed.page.locator('[data-stuck="slow"] li')
        await expect(stuck).to_contain_text("p1", timeout=MS)
        await browsed.is_accessible()
        await stuck.get_by_role("button").click()
        await expect(browsed.page.locator(".told")).to_have_text("Job 1 is cancelled.")
        await expect(stuck).to_have_count(0)
        job = await engine.store.job(held.job.id)
        assert job is not None
        assert job.state == "cancelled"
        assert browsed.complaints == []


async def test_pools_of_others_are_shown(tmp_path: Path, browser: playwright.Browser) -> None:
    clock = SystemClock()
    engine = make_engine(tmp_path, Desk(), work=False, clock=clock)
    async with serving(engine) as service:
        reading = Reading(
            engine.pools["grader:desk"].reading().limited_by,
            in_flight=3,
            room=0,
            concurrency=4,
            concurrency_needed=9,
            wait_seconds=0.0,
            last_minute=LastMinute(requests=12, answered=11),
            levels=(),
            limited_for={},
            at_ms=clock.now_ms(),
        )
        state = engine.pools["grader:desk"].state().to_dict()
        await engine.store.save_pool("elsewhere", state, reading.to_dict())
        parked = {**state, "parked_reason": HOSTILE}
        await engine.store.save_pool("left behind", parked)
        await engine.store.save_pool("of no interest", state)
        await engine.store.save_pool("torn", {"at_ms": "soon"}, {"in_flight": "many"})
        browsed = await opened(browser, service, locale="de-DE", color_scheme="dark")
        names = await browsed.page.locator("[data-pool] h3").all_text_contents()
        assert "elsewhere" in names
        assert not {"of no interest", "torn"} & set(names)
        other = browsed.page.locator('[data-pool="elsewhere"]')
        await expect(other).to_contain_text("Nicht von diesem Prozess. Stand vor")
        await expect(other).to_contain_text("3 von 4, der Anbieter erlaubt etwa 9")
        await expect(other).to_contain_text("12 Aufrufe, 11 beantwortet")
        left = browsed.page.locator('[data-pool="left behind"]')
        await expect(left).to_contain_text("Stillgelegt.")
        await expect(left.locator(".why")).to_have_text(HOSTILE)
        await browsed.is_accessible()
        await left.get_by_role("button").click()
        await expect(browsed.page.locator(".told")).to_have_text("left behind geht weiter.")
        assert await left.count() == 0
        assert browsed.complaints == []


async def test_on_a_narrow_screen(service: Service, browser: playwright.Browser) -> None:
    await service.grade(submission_ids=await service.add("refuse"), grader="desk")
    await service.batch_ended(1)
    service.engine.pools["grader:desk"].park("word" * 50)
    browsed = await opened(browser, service, viewport={"width": 320, "height": 700})
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not await browsed.page.evaluate(wide)


class Nobody:
    """A teacher who does not run gradeq."""

    async def person(self, request: Request) -> Person | None:
        return Person("Ms Lee", is_admin=False)


async def test_only_administrators_may(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, Desk(), work=False)
    app = create_app(engine, owns_engine=True, identity=Nobody())
    async with served_app(app) as (client, _):
        engine.pools["grader:desk"].park("no credit")
        batch = await engine.submit(payloads=[{}], grader="desk")
        page = await client.get("/queue")
        assert page.status_code == 403
        assert "for administrators" in page.text
        assert "no credit" not in page.text
        for path, form in (
            ("resume", {"pool": "grader:desk"}),
            ("retry", {"grader": "desk", "error": "rejected"}),
            ("cancel", {"job": str(batch.job_ids[0])}),
        ):
            assert (await client.post(f"/queue/{path}", data=form)).status_code == 403, path
        assert engine.pools["grader:desk"].parked_reason == "no credit"
        job = await engine.store.job(batch.job_ids[0])
        assert job is not None
        assert job.state == "pending"


@pytest.mark.parametrize("job", ["", "x", "9", f"{10**30}"])
async def test_no_such_job(resting: Service, job: str) -> None:
    answer = await resting.client.post("/queue/cancel", data={"job": job})
    assert answer.status_code == 404
    assert "there is no job" in answer.text
