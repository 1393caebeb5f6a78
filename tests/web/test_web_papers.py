"""Submissions: import, list, put away, release."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from web_kit import ESSAY, HOSTILE, Desk, Service, code

IMPORT = "/api/submissions"


async def graded(service: Service, *texts: str) -> list[int]:
    ids = await service.add(*texts)
    await service.batch_ended((await service.grade(submission_ids=ids, grader="desk"))["batch_id"])
    return ids


async def test_one_paper_or_many_come_in(resting: Service) -> None:
    answer = await resting.client.post(IMPORT, json={"id": "a", "text": ESSAY})
    assert (answer.status_code, answer.json()) == (
        201,
        {"submissions": [{"id": 1, "external_id": "a", "change": "created"}]},
    )
    rows = [{"id": "a", "text": ESSAY}, {"external_id": 7, "text": "x"}, {"id": "a", "text": "y"}]
    answer = await resting.client.post(IMPORT, json=rows)
    assert [(one["external_id"], one["change"]) for one in answer.json()["submissions"]] == [
        ("a", "unchanged"),
        ("7", "created"),
        ("a", "replaced"),
    ]
    assert (await resting.client.post(IMPORT, json=[])).json() == {"submissions": []}


async def test_everything_told_of_a_paper_is_kept(resting: Service) -> None:
    await resting.client.post(
        IMPORT,
        json={
            "id": HOSTILE,
            "text": HOSTILE,
            "student": f" {HOSTILE} ",
            "course": HOSTILE,
            "assignment": HOSTILE,
            "status": "in_progress",
            "room": "7b",
            "seat": 12,
            "notes": {"a": [1]},
            "nothing": None,
        },
    )
    paper = await resting.get("/api/submissions/1")
    assert paper["external_id"] == paper["text"] == paper["student"] == HOSTILE
    assert (paper["course"], paper["assignment"]) == (HOSTILE, HOSTILE)
    assert paper["status"] == "in_progress"
    assert paper["extra"] == {"room": "7b", "seat": "12", "notes": '{"a":[1]}', "nothing": ""}
    assert paper["ungraded_reason"] == "the student is still writing it"


async def test_a_paper_that_a_person_decided_on_is_refused_with_the_reason(
    service: Service,
) -> None:
    [first] = await graded(service, ESSAY)
    await service.client.post(f"{IMPORT}/release", json={"submission_ids": [first], "by": "Lee"})
    answer = await service.client.post(
        IMPORT, json={"id": "p1", "text": "new", "course": "biology", "assignment": "sleep"}
    )
    [told] = answer.json()["submissions"]
    assert (told["change"], "released" in told["reason"]) == ("refused", True)


NO_PAPERS: list[Any] = [
    ({"text": "x"}, "$", "external_id"),
    ({"id": "a"}, "$", "text"),
    ({"id": "a", "external_id": "b", "text": "x"}, "$", "either"),
    ({"id": "", "text": "x"}, "$.id", "length"),
    ({"id": "  ", "text": "x"}, "$.id", "printable"),
    ({"id": "a\nb", "text": "x"}, "$.id", ""),
    ({"id": "a\u2028b", "text": "x"}, "$.id", "printable"),
    ({"id": "a" * 201, "text": "x"}, "$.id", "length"),
    ({"id": 1.5, "text": "x"}, "$.id", "float"),
    ({"id": "a", "text": 5}, "$.text", "str"),
    ({"id": "a", "text": "a\0b"}, "$.text", ""),
    ({"id": "a", "text": "x", "student": 5}, "$.student", "str"),
    ({"id": "a", "text": "x", "course": ""}, "$.course", "length"),
    ({"id": "a", "text": "x", "assignment": "a\tb"}, "$.assignment", ""),
    ({"id": "a", "text": "x", "status": "graded"}, "$.status", "graded"),
    ({"id": "a", "text": "x", "status": "lost"}, "$.status", "lost"),
]


async def test_what_is_no_paper_is_told_with_its_place(resting: Service) -> None:
    good = {"id": "good", "text": "x"}
    for row, path, problem in NO_PAPERS:
        answer = await resting.client.post(IMPORT, json=[good, row])
        assert code(answer, 422) == "invalid_body", row
        [flaw] = answer.json()["problems"]
        assert flaw["path"] == path.replace("$", "$[1]")
        assert problem in flaw["problem"]
        answer = await resting.client.post(IMPORT, json=row)
        assert answer.json()["problems"][0]["path"] == path
    assert (await resting.get("/api/stats"))["submissions"]["submitted"] == 0


async def test_many_mistakes_are_told_at_once_but_not_without_end(resting: Service) -> None:
    answer = await resting.client.post(IMPORT, json=[{"text": "x"}] * 50)
    assert code(answer, 422) == "invalid_body"
    assert answer.json()["detail"].startswith("50 of 50 papers")
    assert len(answer.json()["problems"]) == 20


async def test_a_body_that_is_no_object_is_refused(resting: Service) -> None:
    for body in ("5", '"text"', "[5]", "null", "[[]]"):
        answer = await resting.client.post(
            IMPORT, content=body, headers={"Content-Type": "application/json"}
        )
        assert code(answer, 422) == "invalid_body", body


@pytest.mark.slow
async def test_ten_thousand_papers_are_the_most_at_once(resting: Service) -> None:
    rows = [{"id": str(n), "text": "x"} for n in range(10_001)]
    assert code(await resting.client.post(IMPORT, json=rows), 422) == "too_many"
    answer = await resting.client.post(IMPORT, json=rows[:-1])
    assert len(answer.json()["submissions"]) == 10_000


async def test_an_import_may_be_larger_than_other_bodies(resting: Service) -> None:
    text = "x" * (2 << 20)
    answer = await resting.client.post(IMPORT, json={"id": "long", "text": text})
    assert answer.status_code == 201
    assert len((await resting.get("/api/submissions/1"))["text"]) == len(text)


async def test_a_tab_comes_in_pages_without_texts(service: Service, desk: Desk) -> None:
    await graded(service, ESSAY, ESSAY)
    await service.add(ESSAY, ESSAY, ESSAY, first=3)

    async def page(**query: Any) -> tuple[list[str], int | None]:
        told = await service.get(IMPORT, course="biology", assignment="sleep", **query)
        return [one["external_id"] for one in told["submissions"]], told["next"]

    assert await page() == (["p1", "p2", "p3", "p4", "p5"], None)
    assert await page(status="graded") == (["p1", "p2"], None)
    first, after = await page(status="submitted", limit=2)
    assert (first, after) == (["p3", "p4"], 4)
    assert await page(status="submitted", limit=2, after=after) == (["p5"], None)
    assert await page(limit=5) == (["p1", "p2", "p3", "p4", "p5"], None)
    assert await page(status="released") == ([], None)
    told = await service.get(IMPORT, course="biology", assignment="sleep", limit=1)
    assert "text" not in told["submissions"][0]
    told = await service.get(IMPORT, course="biology", assignment="sleep", limit=1, text=1)
    assert told["submissions"][0]["text"] == ESSAY


async def test_papers_without_a_course_are_listed_by_default(resting: Service) -> None:
    await resting.client.post(IMPORT, json={"id": "a", "text": "x"})
    assert [one["course"] for one in (await resting.get(IMPORT))["submissions"]] == ["default"]


WRONG_QUERIES: list[Any] = [
    ({"limit": 0}, 422, "invalid_query"),
    ({"limit": 1001}, 422, "invalid_query"),
    ({"limit": "many"}, 422, "invalid_query"),
    ({"after": -1}, 422, "invalid_query"),
    ({"after": 2**63}, 422, "invalid_query"),
    ({"status": "lost"}, 422, "invalid_query"),
    ({"archive": "1"}, 422, "invalid_query"),
    ({"archived": "maybe"}, 422, "invalid_query"),
    ({"archived": "1", "status": "graded"}, 422, "invalid_query"),
    ({"course": "none"}, 404, "not_found"),
]


async def test_a_list_is_asked_for_rightly(resting: Service) -> None:
    await resting.client.post(IMPORT, json={"id": "a", "text": "x"})
    for query, status, wanted in WRONG_QUERIES:
        assert code(await resting.client.get(IMPORT, params=query), status) == wanted, query


async def test_a_paper_by_its_id(service: Service) -> None:
    [first] = await service.add("refuse it")
    assert (await service.get(f"{IMPORT}/{first}"))["ungraded_reason"] == "not queued for grading"
    ordered = await service.grade(submission_ids=[first], grader="desk")
    await service.batch_ended(ordered["batch_id"])
    paper = await service.get(f"{IMPORT}/{first}")
    assert (paper["text"], paper["job_id"]) == ("refuse it", ordered["task_ids"][0])
    assert paper["ungraded_reason"] == "it cannot be read"
    for wrong, status, wanted in ((99, 404, "not_found"), (2**64, 422, "invalid_path")):
        assert code(await service.client.get(f"{IMPORT}/{wrong}"), status) == wanted


async def test_papers_are_put_away_and_taken_back(resting: Service) -> None:
    ids = await resting.add(ESSAY, ESSAY, ESSAY)
    await resting.grade(submission_ids=ids, grader="desk")

    async def post(action: str, wanted: list[Any], **more: Any) -> Any:
        body = {"submission_ids": wanted, **more}
        answer = await resting.client.post(f"{IMPORT}/{action}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert await post("archive", [ids[0], "p2", 99, "nobody"], by="Ms Lee") == {
        "done": 2,
        "skipped": [
            {
                "submission_id": "nobody",
                "code": "not_found",
                "reason": "there is no submission 'nobody'",
            },
            {"submission_id": 99, "code": "not_found", "reason": "there is no submission 99"},
        ],
    }
    badges = await resting.badges()
    assert (badges["submitted"], badges["grading"]) == (1, 1)
    told = await resting.get(IMPORT, course="biology", assignment="sleep", archived="true")
    assert [one["external_id"] for one in told["submissions"]] == ["p1", "p2"]
    assert (await post("unarchive", [ids[0], ids[0]]))["done"] == 1
    assert (await resting.badges())["submitted"] == 2


async def test_a_release_needs_a_person(service: Service) -> None:
    [first] = await graded(service, ESSAY)
    [second] = await service.add(ESSAY, first=2)

    async def release(**body: Any) -> httpx.Response:
        return await service.client.post(
            f"{IMPORT}/release", json={"submission_ids": [first, second], **body}
        )

    for nobody in ({}, {"by": ""}, {"by": "  "}, {"by": None}, {"by": "a\nb"}):
        assert code(await release(**nobody), 422) == "invalid_body"
    assert (await service.badges())["released"] == 0
    answer = await release(by="Ms Lee")
    assert answer.json()["done"] == 1
    [skipped] = answer.json()["skipped"]
    assert (skipped["submission_id"], skipped["code"]) == (second, "not_graded")
    paper = await service.get(f"{IMPORT}/{first}")
    assert (paper["status"], paper["released_by"]) == ("released", "Ms Lee")
    assert paper["released_at"] > 0
    assert (await service.badges())["released"] == 1


@pytest.mark.parametrize("action", ["release", "archive", "unarchive"])
async def test_an_own_id_of_two_assignments_is_asked_about(resting: Service, action: str) -> None:
    for course in ("a", "b"):
        await resting.client.post(IMPORT, json={"id": "p", "text": "x", "course": course})
    body = {"submission_ids": ["p"], "by": "Ms Lee"}
    answer = await resting.client.post(f"{IMPORT}/{action}", json=body)
    assert code(answer, 422) == "ambiguous_id"
    answer = await resting.client.post(f"{IMPORT}/{action}", json={**body, "course": "b"})
    assert answer.status_code == 200
    empty = await resting.client.post(f"{IMPORT}/{action}", json={**body, "submission_ids": []})
    assert code(empty, 422) == "invalid_body"


async def test_half_a_surrogate_is_no_text(resting: Service) -> None:
    body = json.dumps({"id": "a", "text": "\ud800"})
    answer = await resting.client.post(
        IMPORT, content=body, headers={"Content-Type": "application/json"}
    )
    assert code(answer, 400) == "malformed_json"
