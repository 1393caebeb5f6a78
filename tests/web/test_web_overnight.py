"""POST /api/grade with `when`, and what is told of a night."""

from __future__ import annotations

from web_kit import ESSAY, Service, code


async def test_a_night_is_ordered_and_told_of(service: Service) -> None:
    await service.put_rubric()
    ids = await service.add(ESSAY, f"{ESSAY} Again.")
    ordered = await service.grade(submission_ids=ids, when="overnight")
    path = f"/api/batches/{ordered['batch_id']}"
    batch = await anext(one async for one in service.watched(path) if one["posted"] == 2)
    assert (batch["mode"], batch["limited_by"], batch["eta_seconds"]) == (
        "overnight",
        "overnight",
        None,
    )
    assert "falls back to live calls at" in batch["text"]
    # The two are told by two looks at the wall clock.
    late_ms = batch["created_at"] + 20 * 3_600_000 - batch["fallback_at"]
    assert 0 <= late_ms < 60_000
    job = await service.get(f"/api/jobs/{ordered['task_ids'][0]}")
    assert job["status"] == "processing"
    waiting = job["waiting"]
    assert (waiting["limited_by"], waiting["position"]) == ("overnight", 0)
    assert "2 with the provider" in waiting["text"]
    [pool] = [
        one for one in (await service.get("/api/queue"))["pools"] if one["backlog"]["overnight"]
    ]
    assert (pool["in_flight"], pool["backlog"]["overnight"]) == (0, 2)


async def test_a_grader_without_a_batch_api_is_refused(service: Service) -> None:
    ids = await service.add(ESSAY)
    answer = await service.client.post(
        "/api/grade", json={"submission_ids": ids, "grader": "desk", "when": "overnight"}
    )
    assert code(answer, 409) == "conflict"
    assert "has no batch API" in answer.json()["detail"]
    assert (await service.get("/api/batches"))["batches"] == []


async def test_another_word_for_when_is_refused(service: Service) -> None:
    answer = await service.client.post(
        "/api/grade", json={"course": "a", "assignment": "b", "when": "later"}
    )
    assert code(answer, 422) == "invalid_body"
