"""POST /api/grade and the jobs that come of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from web_kit import ESSAY, HOSTILE, Desk, Service, code

from gradeq import NewSubmission


async def test_papers_are_graded_and_the_badges_follow(service: Service) -> None:
    await service.put_rubric()
    ids = await service.add(ESSAY, ESSAY + " It does.", ESSAY + " Indeed.")
    ordered = await service.grade(submission_ids=ids)
    assert (len(ordered["task_ids"]), ordered["created"], ordered["skipped"]) == (3, 3, [])
    batch = await service.batch_ended(ordered["batch_id"])
    assert (batch["status"], batch["completed"]) == ("completed", 3)
    assert await service.badges() == {
        "in_progress": 0,
        "submitted": 0,
        "graded": 3,
        "released": 0,
        "grading": 0,
    }
    job = await service.get(f"/api/jobs/{ordered['task_ids'][0]}")
    assert job["status"] == "completed"
    assert job["waiting"] is None
    assert job["result"]["max_score"] == 5.0
    assert job["result"]["current"] is True
    assert "simulated" in job["result"]["flags"]
    [attempt] = job["attempts"]
    assert attempt["error"] is None
    assert attempt["input_tokens"] > 0
    assert attempt["finished_at"] >= attempt["started_at"]


async def test_own_ids_are_looked_up_in_their_assignment(resting: Service) -> None:
    await resting.add(ESSAY)
    await resting.client.post(
        "/api/submissions", json={"id": "p1", "text": "x", "course": "other", "assignment": "a"}
    )
    answer = await resting.client.post(
        "/api/grade", json={"submission_ids": ["p1"], "grader": "desk"}
    )
    assert code(answer, 422) == "ambiguous_id"
    assert "'p1'" in answer.json()["problems"][0]["problem"]
    ordered = await resting.grade(
        submission_ids=["p1"], course="biology", assignment="sleep", grader="desk"
    )
    assert ordered["created"] == 1
    job = await resting.get(f"/api/jobs/{ordered['task_ids'][0]}")
    assert job["external_id"] == "p1"


async def test_numbers_are_ids_and_texts_are_own_ids(resting: Service) -> None:
    """A number in quotes is somebody's own id, whatever ids gradeq gave."""
    first, second = await resting.add(ESSAY, ESSAY)
    await resting.client.post("/api/submissions", json={"id": str(first), "text": "x"})
    ordered = await resting.grade(submission_ids=[str(first), second], grader="desk")
    jobs = [await resting.get(f"/api/jobs/{one}") for one in ordered["task_ids"]]
    assert [one["external_id"] for one in jobs] == [str(first), "p2"]


async def test_what_cannot_be_graded_is_skipped_with_a_reason(resting: Service) -> None:
    good, gone = await resting.add(ESSAY, ESSAY)
    [draft] = await resting.add("x", first=3, status="in_progress")
    await resting.client.post("/api/submissions/archive", json={"submission_ids": [gone]})
    ordered = await resting.grade(
        submission_ids=[good, gone, draft, 999, "nobody", good], grader="desk"
    )
    assert len(ordered["task_ids"]) == 1
    assert [(one["submission_id"], one["code"]) for one in ordered["skipped"]] == [
        ("nobody", "not_found"),
        (gone, "archived"),
        (draft, "in_progress"),
        (999, "not_found"),
    ]
    assert all(one["reason"] for one in ordered["skipped"])


async def test_skipped_papers_are_told_by_the_ids_they_were_asked_for_with(
    resting: Service,
) -> None:
    await resting.add(ESSAY)
    await resting.add("x", first=2, status="in_progress")
    ordered = await resting.grade(submission_ids=["p1", "p2"], grader="desk")
    assert [one["submission_id"] for one in ordered["skipped"]] == ["p2"]


async def test_a_whole_assignment_is_graded_by_its_name(resting: Service) -> None:
    ids = await resting.add(ESSAY, ESSAY, ESSAY)
    await resting.add("x", first=4, status="in_progress")
    await resting.client.post("/api/submissions/archive", json={"submission_ids": [ids[1]]})
    ordered = await resting.grade(course="biology", assignment="sleep", grader="desk")
    jobs = [await resting.get(f"/api/jobs/{one}") for one in ordered["task_ids"]]
    assert [one["submission_id"] for one in jobs] == [ids[0], ids[2]]


REFUSED_ORDERS: list[Any] = [
    ({"submission_ids": []}, 422, "nothing_to_grade"),
    ({}, 422, "invalid_body"),
    ({"course": "biology"}, 422, "invalid_body"),
    ({"submission_ids": [1], "priority": 11}, 422, "invalid_body"),
    ({"submission_ids": [1], "priorty": 1}, 422, "invalid_body"),
    ({"submission_ids": [2**63]}, 422, "invalid_body"),
    ({"submission_ids": [0]}, 422, "invalid_body"),
    ({"submission_ids": [1.5]}, 422, "invalid_body"),
    ({"submission_ids": ["a\0b"]}, 422, "invalid_body"),
    ({"submission_ids": "1"}, 422, "invalid_body"),
    ({"submission_ids": [1], "owner": ""}, 422, "invalid_body"),
    ({"submission_ids": [1], "grader": "nobody"}, 422, "unknown_grader"),
    ({"submission_ids": [1], "rubric_id": 99}, 404, "not_found"),
    ({"submission_ids": [98, 99]}, 404, "not_found"),
    ({"submission_ids": [98], "grader": "desk"}, 404, "not_found"),
    ({"submission_ids": ["nobody", HOSTILE]}, 404, "not_found"),
    ({"course": "none", "assignment": "none"}, 404, "not_found"),
    ({"submission_ids": [1]}, 409, "no_rubric"),
    ({"course": "biology", "assignment": "sleep"}, 409, "no_rubric"),
]


async def test_an_order_that_cannot_be_taken_queues_nothing(resting: Service) -> None:
    assert await resting.add(ESSAY) == [1]
    for order, status, wanted in REFUSED_ORDERS:
        answer = await resting.client.post("/api/grade", json=order)
        assert code(answer, status) == wanted, order
    assert (await resting.get("/api/batches"))["batches"] == []


async def test_without_a_rubric_the_answer_says_what_to_do(resting: Service) -> None:
    ids = await resting.add(ESSAY)
    answer = await resting.client.post("/api/grade", json={"submission_ids": ids})
    assert code(answer, 409) == "no_rubric"
    assert "rubric" in answer.json()["detail"]
    assert "PUT" in answer.json()["detail"]


async def test_papers_of_two_rubrics_are_never_graded_by_one_of_them(resting: Service) -> None:
    await resting.put_rubric()
    here = await resting.add(ESSAY)
    resting.assignment = "other"
    rubric_id = await resting.put_rubric()
    there = await resting.add(ESSAY)
    both = {"submission_ids": here + there}
    answer = await resting.client.post("/api/grade", json=both)
    assert code(answer, 409) == "conflict"
    assert "different rubrics" in answer.json()["detail"]
    assert (await resting.grade(**both, rubric_id=rubric_id))["created"] == 2


async def test_an_assignment_with_nothing_submitted_is_told_so(resting: Service) -> None:
    await resting.add("x", status="in_progress")
    answer = await resting.client.post(
        "/api/grade", json={"course": "biology", "assignment": "sleep", "grader": "desk"}
    )
    assert code(answer, 409) == "nothing_to_grade"


async def test_the_same_key_answers_the_same_batch(resting: Service) -> None:
    ids = await resting.add(ESSAY, ESSAY)
    order = {"submission_ids": ids, "grader": "desk", "idempotency_key": "hw3"}
    first, again = await resting.grade(**order), await resting.grade(**order)
    assert again == {**first, "created": 0}
    other = await resting.grade(**order, owner="someone else")
    assert other["batch_id"] == first["batch_id"]
    assert other["task_ids"] == first["task_ids"]


async def test_papers_that_are_queued_already_are_told_with_their_batch(resting: Service) -> None:
    ids = await resting.add(ESSAY, ESSAY, ESSAY)
    first = await resting.grade(submission_ids=ids[:2], grader="desk", owner="ms-lee")
    assert first["already_queued"] == []
    order = {"submission_ids": ids, "grader": "desk", "owner": "mr-may", "idempotency_key": "x"}
    already = [{"batch_id": first["batch_id"], "owner": "ms-lee", "papers": 2}]
    for created in (1, 0):
        second = await resting.grade(**order)
        assert (second["created"], second["already_queued"]) == (created, already)
        assert second["task_ids"][:2] == first["task_ids"]
    third = await resting.grade(submission_ids=ids, grader="desk")
    assert (third["batch_id"], third["created"]) == (first["batch_id"], 0)
    assert len(third["task_ids"]) == 3
    assert sum(one["papers"] for one in third["already_queued"]) == 3
    assert len((await resting.get("/api/batches"))["batches"]) == 2


async def test_priority_owner_and_deadline_reach_the_batch(resting: Service) -> None:
    ids = await resting.add(ESSAY)
    ordered = await resting.grade(
        submission_ids=ids, grader="desk", priority=2, owner="ms-lee", deadline=1_900_000_000_000
    )
    batch = await resting.get(f"/api/batches/{ordered['batch_id']}")
    assert (batch["priority"], batch["owner"], batch["deadline"], batch["interactive"]) == (
        2,
        "ms-lee",
        1_900_000_000_000,
        True,
    )


async def test_five_thousand_papers_are_queued_in_one_go(resting: Service) -> None:
    """How fast is for the benchmark; here that nothing is done paper by paper."""
    await resting.put_rubric()
    papers = [
        NewSubmission(f"p{n}", "x", course="biology", assignment="sleep") for n in range(5000)
    ]
    ids = [one.id for one in await resting.engine.add(papers)]
    asked = _counted(resting.engine.store)
    ordered = await resting.grade(submission_ids=ids)
    assert asked["_write"] == 1
    assert asked["_read"] <= 3
    assert (len(ordered["task_ids"]), ordered["created"]) == (5000, 5000)
    again = await resting.grade(submission_ids=[f"p{n}" for n in range(5000)])
    assert (again["task_ids"], again["created"]) == (ordered["task_ids"], 0)
    assert asked["_read"] <= 7
    assert (await resting.badges())["grading"] == 5000


def _counted(store: Any) -> Counter[str]:
    """Counts the store's transactions from now on."""
    counts: Counter[str] = Counter()

    def counting(name: str) -> Any:
        do = getattr(store, name)

        async def counted(*args: Any, **how: Any) -> Any:
            counts[name] += 1
            return await do(*args, **how)

        return counted

    for name in ("_read", "_write"):
        setattr(store, name, counting(name))
    return counts


async def test_a_waiting_job_says_why(service: Service, desk: Desk) -> None:
    ids = await service.add(*["hold"] * 7)
    ordered = await service.grade(submission_ids=ids, grader="desk")
    path = f"/api/jobs/{ordered['task_ids'][-1]}"
    job = await anext(one async for one in service.watched(path) if one["waiting"]["position"] == 1)
    waiting = job["waiting"]
    assert waiting["limited_by"] == "concurrency"
    assert "5 of 5" in waiting["text"]
    assert waiting["eta_seconds"] is None, "nothing was answered yet"
    assert waiting["run_at"] == job["run_at"]
    await service.client.post(
        f"/api/batches/{ordered['batch_id']}/pause", json={"by": "Ms Lee", "reason": "lunch"}
    )
    waiting = (await service.get(f"/api/jobs/{job['id']}"))["waiting"]
    assert (waiting["limited_by"], waiting["paused_by"]) == ("paused", "Ms Lee")
    assert waiting["pause_reason"] == "lunch"
    assert waiting["eta_seconds"] is None
    desk.go.set()


async def test_a_failed_job_tells_its_tries_and_can_be_retried(service: Service) -> None:
    ids = await service.add("refuse this")
    ordered = await service.grade(submission_ids=ids, grader="desk")
    [job_id] = ordered["task_ids"]
    job = await service.job_ended(job_id)
    assert (job["status"], job["error"], job["reason"]) == (
        "failed",
        "rejected",
        "it cannot be read",
    )
    assert [one["error"] for one in job["attempts"]] == ["rejected"]
    assert job["result"] is None
    answer = await service.client.post(f"/api/jobs/{job_id}/retry")
    assert answer.status_code == 200
    job = await service.job_ended(job_id)
    assert len(job["attempts"]) == 2


async def test_an_open_job_is_cancelled_once(resting: Service) -> None:
    ids = await resting.add(ESSAY)
    [job_id] = (await resting.grade(submission_ids=ids, grader="desk"))["task_ids"]
    answer = await resting.client.post(f"/api/jobs/{job_id}/retry", json={})
    assert code(answer, 409) == "not_retryable"
    assert "pending" in answer.json()["detail"]
    answer = await resting.client.post(f"/api/jobs/{job_id}/cancel", json={"by": "Ms Lee"})
    assert answer.json()["status"] == "cancelled"
    assert code(await resting.client.post(f"/api/jobs/{job_id}/cancel"), 409) == "not_open"
    again = await resting.client.post(f"/api/jobs/{job_id}/retry")
    assert again.json()["status"] == "pending"


async def test_a_job_whose_paper_was_put_away_is_not_retried(resting: Service) -> None:
    ids = await resting.add(ESSAY)
    [job_id] = (await resting.grade(submission_ids=ids, grader="desk"))["task_ids"]
    await resting.client.post("/api/submissions/archive", json={"submission_ids": ids})
    answer = await resting.client.post(f"/api/jobs/{job_id}/retry")
    assert code(answer, 409) == "not_retryable"
    assert "archived" in answer.json()["detail"]


async def test_a_completed_job_is_neither_cancelled_nor_retried(service: Service) -> None:
    ids = await service.add(ESSAY)
    [job_id] = (await service.grade(submission_ids=ids, grader="desk"))["task_ids"]
    await service.job_ended(job_id)
    assert code(await service.client.post(f"/api/jobs/{job_id}/cancel"), 409) == "not_open"
    answer = await service.client.post(f"/api/jobs/{job_id}/retry")
    assert code(answer, 409) == "not_retryable"
    assert "POST /api/grade" in answer.json()["detail"]


@pytest.mark.parametrize("action", ["", "/cancel", "/retry"])
async def test_unknown_jobs(resting: Service, action: str) -> None:
    method = "POST" if action else "GET"
    for job_id, status, wanted in (
        (77, 404, "not_found"),
        (0, 422, "invalid_path"),
        (2**63, 422, "invalid_path"),
        ("x", 404, "no_such_path"),
    ):
        answer = await resting.client.request(method, f"/api/jobs/{job_id}{action}")
        assert code(answer, status) == wanted


async def test_a_result_of_another_kind_is_told_as_it_is(resting: Service) -> None:
    """Jobs without a paper have no grade: what their function returned is the result."""
    submitted = await resting.engine.store.submit(_check_order())
    [claimed] = await resting.engine.store.claim("checks", 1, 60)
    await resting.engine.store.settle([_completed(claimed, {"words": 12})])
    job = await resting.get(f"/api/jobs/{submitted.job_ids[0]}")
    assert (job["result"], job["submission_id"]) == ({"words": 12}, None)


def _check_order() -> Any:
    from gradeq.store.orders import SubmitOrder

    return SubmitOrder(payloads=[{"n": 1}], grader="check", pool="checks", kind="check")


def _completed(claimed: Any, result: Any) -> Any:
    from gradeq import JobState
    from gradeq.store.claims import Settlement

    return Settlement(claimed.job.id, claimed.lease, JobState.COMPLETED, result=result)


async def test_work_that_no_grader_here_does_says_so(resting: Service) -> None:
    submitted = await resting.engine.store.submit(_check_order())
    waiting = (await resting.get(f"/api/jobs/{submitted.job_ids[0]}"))["waiting"]
    assert (waiting["limited_by"], waiting["eta_seconds"]) == ("no_grader", None)
    batch = await resting.get(f"/api/batches/{submitted.batch_id}")
    assert batch["limited_by"] == "no_grader"
