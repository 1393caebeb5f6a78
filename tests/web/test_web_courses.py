"""Courses, badges and rubrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from web_kit import ESSAY, HOSTILE, RUBRIC, Service, code

CLASS_RUBRIC = Path(__file__).parents[2] / "examples" / "class" / "rubric.toml"


async def test_badges_count_the_papers_of_an_assignment(resting: Service) -> None:
    ids = await resting.add(ESSAY, ESSAY)
    await resting.add("a draft", first=3, status="in_progress")
    assert await resting.badges() == {
        "in_progress": 1,
        "submitted": 2,
        "graded": 0,
        "released": 0,
        "grading": 0,
    }
    await resting.grade(submission_ids=ids, grader="desk")
    assert (await resting.badges())["grading"] == 2


async def test_badges_are_told_once_per_change(resting: Service) -> None:
    [first] = await resting.add(ESSAY)
    path = f"{resting.place}/badges"
    answer = await resting.client.get(path)
    assert answer.headers["cache-control"] == "no-cache"
    tag = answer.headers["etag"]

    async def asked(told: str) -> httpx.Response:
        return await resting.client.get(path, headers={"If-None-Match": told})

    for told in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        same = await asked(told)
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == tag
    assert (await asked('"other"')).status_code == 200
    await resting.client.post("/api/submissions/archive", json={"submission_ids": [first]})
    changed = await asked(tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


async def test_badges_of_nothing_are_not_found(resting: Service) -> None:
    answer = await resting.client.get("/api/courses/none/assignments/none/badges")
    assert code(answer, 404) == "not_found"
    assert "none/none" in answer.json()["detail"]


async def test_a_head_request_answers_without_a_body(resting: Service) -> None:
    await resting.add(ESSAY)
    answer = await resting.client.head(f"{resting.place}/badges")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"]


@pytest.mark.parametrize(
    "name", [HOSTILE, "Maths/Physics", "100%", "a%2Fb", "..a", "Mathé ☃", "a?b#c", "a b+c", "x;y=1"]
)
async def test_courses_may_be_called_anything(resting: Service, name: str) -> None:
    resting.course = quote(name, safe="")
    resting.assignment = quote(f"{name} 2", safe="")
    paper = {"id": name, "text": "x", "course": name, "assignment": f"{name} 2"}
    answer = await resting.client.post("/api/submissions", json=paper)
    assert answer.status_code == 201
    assert (await resting.badges())["submitted"] == 1
    courses = (await resting.get("/api/courses"))["courses"]
    assert [(one["course"], one["assignments"][0]["assignment"]) for one in courses] == [
        (name, f"{name} 2")
    ]
    listed = await resting.get("/api/submissions", course=name, assignment=f"{name} 2")
    assert [one["external_id"] for one in listed["submissions"]] == [name]


async def test_courses_come_in_pages(resting: Service) -> None:
    rows = [
        {"id": "p", "text": "x", "course": course, "assignment": assignment}
        for course in ("a", "b", "c")
        for assignment in ("1", "2")
    ]
    await resting.client.post("/api/submissions", json=rows)
    first = await resting.get("/api/courses", limit=2)
    assert [one["course"] for one in first["courses"]] == ["a", "b"]
    assert [one["assignment"] for one in first["courses"][0]["assignments"]] == ["1", "2"]
    assert first["courses"][0]["assignments"][0]["badges"]["submitted"] == 1
    second = await resting.get("/api/courses", limit=2, after=first["next"])
    assert [one["course"] for one in second["courses"]] == ["c"]
    assert second["next"] is None


async def test_a_rubric_is_put_as_toml_and_read_back(resting: Service) -> None:
    source = CLASS_RUBRIC.read_text("utf-8")
    put = await resting.client.put(
        f"{resting.place}/rubric", content=source, headers={"Content-Type": "application/toml"}
    )
    assert put.status_code == 200
    told = await resting.get(f"{resting.place}/rubric")
    assert told == put.json()
    assert told["source"] == source
    assert (told["version"], told["max_score"]) == (1, 12.0)
    assert told["criteria"][0]["levels"][0]["name"] == "specific"


async def test_a_changed_rubric_is_a_new_version(resting: Service) -> None:
    first = await resting.put_rubric()
    assert await resting.put_rubric() == first
    second = await resting.put_rubric(RUBRIC.replace("points = 2", "points = 4"))
    told = await resting.get(f"{resting.place}/rubric")
    assert (told["rubric_id"], told["version"], told["max_score"]) == (second, 2, 7.0)


async def test_a_rubric_with_mistakes_is_told_all_of_them(resting: Service) -> None:
    source = 'title = 5\n[[criteria]]\nid = "a b"\ndescription = "x"\npionts = 2\n'
    answer = await resting.client.put(f"{resting.place}/rubric", json={"source": source})
    assert code(answer, 422) == "bad_rubric"
    told = "\n".join(one["problem"] for one in answer.json()["problems"])
    assert len(answer.json()["problems"]) == 4
    for part in ("line 1: title", "line 3", "pionts", "has no points"):
        assert part in told
    assert code(await resting.client.get(f"{resting.place}/rubric"), 404) == "no_rubric"


NO_RUBRICS: list[Any] = [
    (b"title = '\xff'", "application/toml", 422, "bad_encoding"),
    (b"title =", "text/plain; charset=utf-8", 422, "bad_rubric"),
    (b"title = 'x'", "image/png", 415, "unsupported_media_type"),
    (b"title = 'x'", "", 415, "unsupported_media_type"),
    (b'{"source": 5}', "application/json", 422, "invalid_body"),
    (b'{"source": "", "name": "x"}', "application/json", 422, "invalid_body"),
    (b'{"source": ', "application/json", 400, "malformed_json"),
    (b"x" * (1 << 20) + b"x", "application/toml", 413, "too_large"),
]


async def test_what_is_no_rubric_is_refused(resting: Service) -> None:
    for content, kind, status, wanted in NO_RUBRICS:
        answer = await resting.client.put(
            f"{resting.place}/rubric", content=content, headers={"Content-Type": kind}
        )
        assert code(answer, status) == wanted


async def test_a_rubric_cannot_be_put_under_a_name_that_is_no_name(resting: Service) -> None:
    answer = await resting.client.put(
        "/api/courses/a%00b/assignments/x/rubric", json={"source": RUBRIC}
    )
    assert code(answer, 422) == "invalid_path"
    assert answer.json()["problems"][0]["path"] == "$.course"
