"""Batches: list, look, pause, resume, cancel, retry."""

from __future__ import annotations

from typing import Any

import pytest
from web_kit import ESSAY, Desk, Service, code


async def ordered(service: Service, *texts: str) -> str:
    """The path of a new batch."""
    ids = await service.add(*texts)
    batch = await service.grade(submission_ids=ids, grader="desk")
    return f"/api/batches/{batch['batch_id']}"


async def post(service: Service, path: str, **body: Any) -> Any:
    answer = await service.client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_batch_in_progress_tells_what_limits_it(service: Service, desk: Desk) -> None:
    path = await ordered(service, *["hold"] * 8)
    batch = await anext(one async for one in service.watched(path) if one["processing"] == 5)
    assert (batch["status"], batch["total"], batch["pending"]) == ("processing", 8, 3)
    assert batch["limited_by"] == "concurrency"
    assert batch["text"]
    assert batch["eta_seconds"] is None, "nothing was answered yet"
    desk.go.set()
    batch = await service.batch_ended(batch["id"])
    assert (batch["status"], batch["completed"]) == ("completed", 8)
    assert (batch["limited_by"], batch["eta_seconds"]) == (None, None)


async def test_batches_are_listed_newest_first(resting: Service) -> None:
    for n in range(1, 4):
        ids = await resting.add(ESSAY, first=n)
        await resting.grade(submission_ids=ids, grader="desk")
    first = await resting.get("/api/batches", limit=2)
    assert [one["id"] for one in first["batches"]] == [3, 2]
    second = await resting.get("/api/batches", limit=2, after=first["next"])
    assert ([one["id"] for one in second["batches"]], second["next"]) == ([1], None)


async def test_the_jobs_of_a_batch_come_in_pages(service: Service) -> None:
    path = await ordered(service, ESSAY, "refuse", ESSAY)
    await service.batch_ended(1)
    first = await service.get(f"{path}/jobs", limit=2)
    assert [one["external_id"] for one in first["jobs"]] == ["p1", "p2"]
    second = await service.get(f"{path}/jobs", limit=2, after=first["next"])
    assert ([one["external_id"] for one in second["jobs"]], second["next"]) == (["p3"], None)
    failed = await service.get(f"{path}/jobs", status="failed")
    assert [(one["external_id"], one["reason"]) for one in failed["jobs"]] == [
        ("p2", "it cannot be read")
    ]


async def test_a_paused_batch_rests_until_it_is_resumed(service: Service, desk: Desk) -> None:
    path = await ordered(service, *["hold"] * 7)
    await anext(one async for one in service.watched(path) if one["processing"] == 5)
    batch = await post(service, f"{path}/pause", by="Ms Lee", reason="wrong rubric")
    assert (batch["status"], batch["paused_by"]) == ("paused", "Ms Lee")
    assert batch["limited_by"] == "paused"
    assert "wrong rubric" in batch["text"]
    desk.go.set()
    batch = await anext(one async for one in service.watched(path) if one["completed"] == 5)
    assert batch["pending"] == 2
    await post(service, f"{path}/resume")
    assert (await service.batch_ended(batch["id"]))["completed"] == 7


async def test_a_pause_without_a_name_is_the_programs(resting: Service) -> None:
    path = await ordered(resting, ESSAY)
    answer = await resting.client.post(f"{path}/pause")
    assert answer.json()["paused_by"] == "api"


async def test_a_batch_is_cancelled(resting: Service) -> None:
    path = await ordered(resting, ESSAY, ESSAY)
    batch = await post(resting, f"{path}/cancel", by="Ms Lee")
    assert (batch["status"], batch["cancelled"]) == ("cancelled", 2)
    assert (await post(resting, f"{path}/cancel"))["status"] == "cancelled"
    assert code(await resting.client.post(f"{path}/pause"), 409) == "conflict"


async def test_the_failed_jobs_of_a_batch_are_retried(service: Service) -> None:
    path = await ordered(service, ESSAY, "refuse")
    batch = await service.batch_ended(1)
    assert batch["status"] == "completed_with_errors"
    again = await post(service, f"{path}/retry", by="Ms Lee")
    assert again["failed"] == 0
    assert (await service.batch_ended(1))["failed"] == 1
    history = await service.get("/api/submissions/2/history")
    assert len(history["attempts"]) == 2


async def test_a_batch_that_is_over_cannot_be_stopped(service: Service) -> None:
    path = await ordered(service, ESSAY)
    await service.batch_ended(1)
    for action, wanted in (
        ("pause", "conflict"),
        ("cancel", "not_open"),
        ("retry", "not_retryable"),
    ):
        assert code(await service.client.post(f"{path}/{action}"), 409) == wanted


@pytest.mark.parametrize("path", ["", "/jobs", "/pause", "/resume", "/cancel", "/retry"])
async def test_unknown_batches(resting: Service, path: str) -> None:
    method = "GET" if path in ("", "/jobs") else "POST"
    for batch_id, status, wanted in ((9, 404, "not_found"), (2**63, 422, "invalid_path")):
        answer = await resting.client.request(method, f"/api/batches/{batch_id}{path}")
        assert code(answer, status) == wanted


async def test_what_is_not_built_is_not_there(resting: Service) -> None:
    for method, path in (("POST", "/api/batches"), ("DELETE", "/api/batches/1")):
        assert code(await resting.client.request(method, path), 405) == "method_not_allowed"
    for path in (
        "/api/batches/1/duplicate",
        "/api/batch-templates",
        "/api/batches/bulk-operations",
    ):
        assert code(await resting.client.post(path), 404) == "no_such_path"


async def test_each_batch_has_a_pace_of_its_own(service: Service, desk: Desk) -> None:
    moving = await service.grade(submission_ids=await service.add("a", "b", "hold"), grader="desk")
    ids = await service.add("hold", first=9)
    waiting = await service.grade(submission_ids=ids, grader="desk")
    async for batch in service.watched(f"/api/batches/{moving['batch_id']}"):
        if batch["completed"] == 2:
            break
    assert batch["per_minute"] > 0
    # Its pool alone may be slower than a pace of two papers.
    assert batch["eta_seconds"] >= 60 / batch["per_minute"] - 0.1
    other = await service.get(f"/api/batches/{waiting['batch_id']}")
    assert (other["per_minute"], other["eta_seconds"]) == (None, None)
    desk.go.set()
    over = await service.batch_ended(moving["batch_id"])
    assert (over["per_minute"], over["eta_seconds"]) == (None, None)


async def test_a_page_names_all_assignments_of_a_batch(resting: Service) -> None:
    courses = ("art", "biology", "chemistry", "drama", "<b>")
    ids = [(await resting.add(ESSAY, course=course))[0] for course in courses]
    await resting.grade(submission_ids=ids, grader="desk")
    page = (await resting.client.get("/batches/1")).text
    for course in ("art", "biology", "chemistry", "drama", "&lt;b&gt;"):
        assert f">{course} / sleep</a>" in page
    listed = " ".join((await resting.client.get("/batches")).text.split())
    assert "&lt;b&gt; / sleep · art / sleep · biology / sleep and 2 more assignments" in listed
