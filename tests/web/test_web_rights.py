"""What a teacher sees of other teachers' courses: nothing, by no way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from people_kit import ADA, PAPERS, School, school_at
from web_kit import RUBRIC, Desk, Service, code

from gradeq.web import rights
from gradeq.web.routes import ENDPOINTS

Body = dict[str, Any] | list[Any] | None


@pytest.fixture
async def school(tmp_path: Path, desk: Desk) -> AsyncIterator[School]:
    async with school_at(tmp_path, desk) as opened:
        yield opened


@pytest.fixture
async def calm(tmp_path: Path, desk: Desk) -> AsyncIterator[School]:
    """Takes work in and does none of it."""
    async with school_at(tmp_path, desk, work=False) as opened:
        yield opened


EDIT = {"score": 1.0, "max_score": 2.0, "by": "somebody"}
BY = {"by": "somebody"}
BODIES: dict[tuple[str, str], Body] = {
    ("PUT", "rubric"): {"source": RUBRIC},
    ("PUT", "grade"): EDIT,
    ("PUT", "{batch_id:int}"): {"max_cost": None},
    ("POST", "tokens"): {"name": "Eve", "role": "administrator"},
    ("POST", "links"): {"name": ADA},
}
HIDDEN = {rights.of_course, rights.of_submission, rights.of_job, rights.of_batch}
FOR_ADMINISTRATORS = {
    ("GET", "/api/queue"),
    ("POST", "/api/queue/{pool}/resume"),
    ("GET", "/api/stats"),
    ("GET", "/api/tokens"),
    ("POST", "/api/tokens"),
    ("DELETE", "/api/tokens/{handle}"),
    ("POST", "/api/links"),
}
FOR_EVERYBODY = {("GET", "/healthz"), ("GET", "/readyz")}
# Each of these has its own test below.
BY_ITSELF = {
    ("GET", "/api/courses"),
    ("POST", "/api/grade"),
    ("POST", "/api/submissions"),
    ("POST", "/api/submissions/release"),
    ("POST", "/api/submissions/archive"),
    ("POST", "/api/submissions/unarchive"),
    ("GET", "/api/batches"),
    ("GET", "/api/events"),
}


def by_rule(rule: rights.Rule) -> set[tuple[str, str]]:
    return {(one.method, one.path) for one in ENDPOINTS if one.rule is rule}


def test_every_endpoint_has_a_decision() -> None:
    """A new endpoint is for administrators until somebody decides, and writes it down here."""
    assert by_rule(rights.administrators) == FOR_ADMINISTRATORS
    assert by_rule(rights.everybody) == FOR_EVERYBODY
    assert by_rule(rights.by_itself) == BY_ITSELF
    others = {(one.method, one.path) for one in ENDPOINTS if one.rule in HIDDEN}
    known = others | FOR_ADMINISTRATORS | FOR_EVERYBODY | BY_ITSELF
    assert known == {(one.method, one.path) for one in ENDPOINTS}


def body_of(method: str, path: str) -> Body:
    if method in ("GET", "DELETE"):
        return None
    return BODIES.get((method, path.rpartition("/")[2]), BY)


async def test_of_other_courses_nothing_exists(school: School, desk: Desk) -> None:
    """Every path with a course, paper, job or batch in it: as if it were not there."""
    desk.go.set()
    batch_id, job_id = await school.graded("physics")
    await school_ended(school, job_id)
    rubric = "/api/courses/physics/assignments/one/rubric"
    assert (await school.bo.put(rubric, json={"source": RUBRIC})).status_code == 200
    values = {
        "{course}": "physics",
        "{assignment}": "one",
        "{submission_id:int}": str(school.papers["physics"]),
        "{job_id:int}": str(job_id),
        "{batch_id:int}": str(batch_id),
    }
    for one in ENDPOINTS:
        if one.rule not in HIDDEN:
            continue
        path = one.path
        for place, value in values.items():
            path = path.replace(place, value)
        if path == "/api/submissions":
            path += "?course=physics&assignment=one"
        body = body_of(one.method, one.path)
        answer = await school.ada.request(one.method, path, json=body)
        assert code(answer, 404) == "not_found", (one.method, path)
        answer = await school.bo.request(one.method, path, json=body)
        assert answer.status_code != 404, (one.method, path)
        assert answer.status_code not in (401, 403), (one.method, path)


async def school_ended(school: School, job_id: int) -> None:
    asking = Service(school.service.engine, school.service.url, school.admin)
    await asking.job_ended(job_id)


async def test_what_concerns_all_is_for_administrators(calm: School) -> None:
    for method, path in FOR_ADMINISTRATORS:
        asked = path.replace("{pool}", "x").replace("{handle}", "x")
        body = body_of(method, path)
        answer = await calm.ada.request(method, asked, json=body)
        assert code(answer, 403) == "administrators_only", (method, path)
        answer = await calm.admin.request(method, asked, json=body)
        assert answer.status_code not in (401, 403), (method, path)


async def test_courses_and_batches_are_listed_as_far_as_seen(calm: School) -> None:
    await calm.graded("physics")
    ours, _ = await calm.graded("art")
    rows = [{"id": "x", "text": "x", "course": c, "assignment": "two"} for c in PAPERS]
    added = (await calm.admin.post("/api/submissions", json=rows)).json()["submissions"]
    both = {"submission_ids": [one["id"] for one in added], "grader": "desk"}
    assert (await calm.admin.post("/api/grade", json=both)).status_code == 202
    courses = (await calm.ada.get("/api/courses")).json()["courses"]
    assert [one["course"] for one in courses] == ["art"]
    batches = (await calm.ada.get("/api/batches")).json()["batches"]
    assert [one["id"] for one in batches] == [ours]
    assert len((await calm.admin.get("/api/batches")).json()["batches"]) == 3
    assert len((await calm.admin.get("/api/courses")).json()["courses"]) == 2


async def test_papers_go_only_into_her_own_courses(calm: School) -> None:
    rows = [{"id": "n", "text": "x", "course": course} for course in ("art", "physics")]
    assert code(await calm.ada.post("/api/submissions", json=rows), 404) == "not_found"
    assert (await calm.admin.get("/api/stats")).json()["submissions"]["submitted"] == 2
    assert (await calm.ada.post("/api/submissions", json=rows[:1])).status_code == 201


@pytest.mark.parametrize("verb", ["release", "archive", "unarchive"])
async def test_what_is_done_to_papers_leaves_others_alone(calm: School, verb: str) -> None:
    wanted = [calm.papers["physics"], "p", 99]
    body = {"submission_ids": wanted, **BY}
    told = (await calm.ada.post(f"/api/submissions/{verb}", json=body)).json()
    assert told["done"] == 0
    skipped = {one["submission_id"]: (one["code"], one["reason"]) for one in told["skipped"]}
    assert skipped == {one: ("not_found", f"there is no submission {one!r}") for one in wanted}
    paper = await calm.service.engine.store.submission(calm.papers["physics"])
    assert paper is not None
    assert paper.status == "submitted"
    assert (await calm.bo.get(f"/api/submissions/{paper.id}")).json()["archived_at"] is None


async def test_other_papers_are_not_graded(calm: School) -> None:
    physics = calm.papers["physics"]
    for order in (
        {"submission_ids": [physics]},
        {"submission_ids": ["p"]},
        {"course": "physics", "assignment": "one"},
    ):
        answer = await calm.ada.post("/api/grade", json={**order, "grader": "desk"})
        assert code(answer, 404) == "not_found"
    both = {"submission_ids": list(calm.papers.values()), "grader": "desk"}
    told = (await calm.ada.post("/api/grade", json=both)).json()
    assert len(told["task_ids"]) == 1
    assert [one["submission_id"] for one in told["skipped"]] == [physics]
    answer = await calm.bo.get(f"/api/submissions/{physics}")
    assert answer.json()["job_id"] is None


async def test_an_own_id_means_the_paper_that_she_sees(calm: School) -> None:
    same = [{"id": "same", "text": "x", "course": c} for c in ("art", "physics")]
    await calm.admin.post("/api/submissions", json=same)
    order = {"submission_ids": ["same"], "grader": "desk"}
    assert code(await calm.admin.post("/api/grade", json=order), 422) == "ambiguous_id"
    told = (await calm.ada.post("/api/grade", json=order)).json()
    assert told["created"] == 1


async def test_a_teacher_has_her_own_share_and_keys(calm: School) -> None:
    order = {"grader": "desk", "idempotency_key": "k", "owner": "shared"}
    told = []
    for client, course in ((calm.ada, "art"), (calm.bo, "physics")):
        body = {**order, "submission_ids": [calm.papers[course]]}
        told.append((await client.post("/api/grade", json=body)).json()["batch_id"])
    assert told[0] != told[1]
    batch = await calm.service.engine.store.batch(told[0])
    assert batch is not None
    assert batch.owner == ADA


async def test_events_of_other_courses_do_not_come(calm: School) -> None:
    answer = await calm.ada.get("/api/events", params={"course": "physics"})
    assert code(answer, 404) == "not_found"
    theirs, _ = await calm.graded("physics")
    ours, _ = await calm.graded("art")
    listening = Service(calm.service.engine, calm.service.url, calm.ada)
    heard = []
    async with listening.events(after=0) as events:
        for batch_id in (theirs, ours):
            body = {"by": "x"}
            await calm.admin.post(f"/api/batches/{batch_id}/cancel", json=body)
        async for event in events:
            heard.append(event)
            if event.event == "batch.cancelled":
                break
    assert {one.data["course"] for one in heard if one.data.get("course")} == {"art"}
    assert {one.data["batch_id"] for one in heard if one.data.get("batch_id")} == {ours}


async def test_her_name_counts_whatever_is_told(school: School, desk: Desk) -> None:
    desk.go.set()
    art = school.papers["art"]
    _, job_id = await school.graded("art")
    await school_ended(school, job_id)
    answer = await school.ada.put(f"/api/submissions/{art}/grade", json=EDIT)
    assert answer.json()["edited_by"] == ADA
    unsigned = {"submission_ids": [art]}
    told = (await school.ada.post("/api/submissions/release", json=unsigned)).json()
    assert told["done"] == 1
    assert (await school.ada.get(f"/api/submissions/{art}")).json()["released_by"] == ADA


async def test_her_name_is_on_a_pause(calm: School) -> None:
    batch_id, _ = await calm.graded("art")
    told = await calm.ada.post(f"/api/batches/{batch_id}/pause", json={"by": "somebody"})
    assert told.json()["paused_by"] == ADA
