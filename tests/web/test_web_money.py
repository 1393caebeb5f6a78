"""Money over HTTP: what a paper, a batch and a day cost, and caps on it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from web_kit import ESSAY, Service, code, make_engine, serving, simulated

from gradeq.days import day_of

PRICED = simulated(price_input=100.0, price_output=500.0, concurrency=1)


@pytest.fixture
async def priced(tmp_path: Path) -> AsyncIterator[Service]:
    engine = make_engine(tmp_path, providers=[PRICED], cost_cap_per_day=1000.0)
    async with serving(engine) as running:
        await running.put_rubric()
        yield running


async def capped(service: Service, count: int, **order: Any) -> dict[str, Any]:
    """The batch, once its cap has paused it."""
    ids = await service.add(*[f"{ESSAY} This is number {n}." for n in range(count)])
    batch = await service.grade(submission_ids=ids, **order)
    path = f"/api/batches/{batch['batch_id']}"
    return await anext(
        one async for one in service.watched(path) if one["paused_at"] and not one["processing"]
    )


async def test_amounts_are_in_the_currency_of_the_day(tmp_path: Path) -> None:
    async with serving(make_engine(tmp_path, providers=[PRICED], currency="CHF")) as service:
        await service.put_rubric()
        batch = await capped(service, 30, max_cost=2.0)
        assert "cost cap of 2.00 CHF reached" in batch["pause_reason"]
        for path in ("/api/queue", "/api/stats"):
            assert (await service.get(path))["today"]["currency"] == "CHF"


async def test_a_batch_with_a_cap_says_why_it_is_paused(priced: Service) -> None:
    batch = await capped(priced, 30, max_cost=2.0)
    assert (batch["status"], batch["limited_by"]) == ("paused", "paused")
    assert 0 < batch["cost"] <= batch["cost_cap"] == 2.0
    assert (batch["uncertain_cost"], batch["reserved_cost"]) == (0, 0)
    assert "cost cap of 2.00 USD reached" in batch["pause_reason"]
    job = (await priced.get(f"/api/batches/{batch['id']}/jobs", status="pending"))["jobs"][-1]
    waiting = (await priced.get(f"/api/jobs/{job['id']}"))["waiting"]
    assert "cost cap of 2.00 USD reached" in waiting["pause_reason"]


async def test_a_higher_cap_and_resuming_finish_it(priced: Service) -> None:
    batch = await capped(priced, 30, max_cost=2.0)
    path = f"/api/batches/{batch['id']}"
    changed = await priced.client.put(path, json={"max_cost": 50})
    assert (changed.status_code, changed.json()["cost_cap"]) == (200, 50)
    assert changed.json()["status"] == "paused"
    await priced.client.post(f"{path}/resume", json={})
    assert (await priced.batch_ended(batch["id"]))["completed"] == 30
    taken = await priced.client.put(path, json={"max_cost": None})
    assert taken.json()["cost_cap"] is None


async def test_what_a_paper_and_a_day_have_cost(priced: Service) -> None:
    ids = await priced.add(ESSAY)
    ordered = await priced.grade(submission_ids=ids)
    job = await priced.job_ended(ordered["task_ids"][0])
    assert job["cost"] == job["attempts"][0]["cost"] > 0
    assert (await priced.get(f"/api/submissions/{ids[0]}"))["cost"] == job["cost"]
    assert (await priced.get(f"/api/submissions/{ids[0]}/history"))["cost"] == job["cost"]
    for path in ("/api/stats", "/api/queue"):
        today = (await priced.get(path))["today"]
        assert today["cost"] == job["cost"]
        assert (today["uncertain_cost"], today["reserved_cost"]) == (0, 0)
        assert (today["day"], today["cost_cap"]) == (day_of(time.time_ns() // 10**6), 1000)
    assert (await priced.get("/api/stats"))["work"]["cost"] == job["cost"]


@pytest.mark.parametrize("max_cost", [0, -1, "much"])
async def test_a_cap_is_above_nothing(priced: Service, max_cost: object) -> None:
    ids = await priced.add(ESSAY)
    order = {"submission_ids": ids, "max_cost": max_cost}
    assert code(await priced.client.post("/api/grade", json=order), 422) == "invalid_body"
    body = {"max_cost": max_cost}
    assert code(await priced.client.put("/api/batches/1", json=body), 422) == "invalid_body"


async def test_a_change_names_what_to_change(priced: Service) -> None:
    answer = await priced.client.put("/api/batches/1", json={})
    assert code(answer, 422) == "nothing_to_change"
    answer = await priced.client.put("/api/batches/1", json={"max_cost": 1})
    assert code(answer, 404) == "not_found"


async def test_a_cap_on_what_has_no_prices_is_refused(service: Service) -> None:
    await service.put_rubric()
    ids = await service.add(ESSAY)
    order = {"submission_ids": ids, "max_cost": 1}
    for grader in ("llm", "desk"):
        answer = await service.client.post("/api/grade", json={**order, "grader": grader})
        assert code(answer, 422) == "no_prices"
        assert "no prices" in answer.json()["detail"]
