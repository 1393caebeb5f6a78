"""The queue, the totals, and whether the service is well."""

from __future__ import annotations

from web_kit import ESSAY, Desk, Service, code

from gradeq.errors import StoreError


async def test_the_queue_tells_each_pool(service: Service, desk: Desk) -> None:
    ids = await service.add(*["hold"] * 7)
    await service.grade(submission_ids=ids, grader="desk")
    queue = await anext(one async for one in service.watched("/api/queue") if one["running"] == 5)
    by_name = {one["name"]: one for one in queue["pools"]}
    assert len(by_name) == 2
    pool = by_name["grader:desk"]
    assert (pool["limited_by"], pool["in_flight"], pool["concurrency"]) == ("concurrency", 5, 5)
    assert pool["last_minute"]["requests"] == 5
    assert (pool["wait_seconds"], pool["parked_reason"]) == (0.0, None)
    assert pool["backlog"] == {
        "pool": "grader:desk",
        "ready": 2,
        "waiting": 0,
        "processing": 5,
        "paused": 0,
        "overnight": 0,
    }
    desk.go.set()


async def test_a_parked_pool_has_no_end_of_its_wait(service: Service) -> None:
    """JSON has no infinity."""
    service.engine.pools["grader:desk"].park("the key was refused")
    pools = (await service.get("/api/queue"))["pools"]
    pool = next(one for one in pools if one["name"] == "grader:desk")
    assert (pool["limited_by"], pool["wait_seconds"]) == ("parked", None)
    assert pool["parked_reason"] == "the key was refused"
    ids = await service.add(ESSAY)
    ordered = await service.grade(submission_ids=ids, grader="desk")
    waiting = (await service.get(f"/api/jobs/{ordered['task_ids'][0]}"))["waiting"]
    assert (waiting["limited_by"], waiting["eta_seconds"]) == ("parked", None)
    assert waiting["parked_reason"] == "the key was refused"
    await service.client.post("/api/batches/1/resume")
    assert (await service.batch_ended(1))["completed"] == 1


async def test_stats_sum_everything(service: Service) -> None:
    await service.put_rubric()
    ids = await service.add(ESSAY, ESSAY)
    service.course = "chemistry"
    await service.add(ESSAY)
    await service.batch_ended((await service.grade(submission_ids=ids))["batch_id"])
    stats = await service.get("/api/stats")
    assert (stats["courses"], stats["assignments"]) == (2, 2)
    assert (stats["submissions"]["graded"], stats["submissions"]["submitted"]) == (2, 1)
    assert (stats["work"]["batches"], stats["work"]["completed"]) == (1, 2)
    assert stats["work"]["input_tokens"] > 0
    assert stats["events"] > 0


async def test_a_service_that_is_well(resting: Service) -> None:
    assert await resting.get("/healthz") == {"status": "ok"}
    assert await resting.get("/readyz") == {"status": "ready"}


async def test_results_that_cannot_be_saved_make_it_unready(resting: Service) -> None:
    resting.engine._worker.trouble = StoreError("grades.db: the disk is full")
    answer = await resting.client.get("/readyz")
    assert code(answer, 503) == "not_ready"
    assert "the disk is full" in answer.json()["detail"]
    assert answer.headers["retry-after"]
    assert (await resting.client.get("/healthz")).status_code == 200


async def test_a_stopped_engine_is_told_of(resting: Service) -> None:
    await resting.engine.stop()
    assert code(await resting.client.get("/readyz"), 503) == "not_ready"
    answer = await resting.client.get("/api/stats")
    assert code(answer, 503) == "store_error"
    assert answer.headers["retry-after"]
    assert (await resting.client.get("/healthz")).status_code == 200
