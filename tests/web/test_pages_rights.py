"""What the pages show and do for a teacher of another course: nothing."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from people_kit import School, school_at
from web_kit import RUBRIC, Desk

from gradeq.web.pages.table import PAGES

FOR_ADMINISTRATORS = ("/queue", "/people")
FOR_EVERYBODY = {"/", "/new", "/batches", "/sign-in", "/sign-out"}


def test_every_page_has_a_decision() -> None:
    """A page is of a course, for administrators, or shows each person only her own."""
    for _, path, _ in PAGES:
        is_of_something = "{" in path
        assert is_of_something or path in FOR_EVERYBODY or path.startswith(FOR_ADMINISTRATORS), path


async def test_pages_of_other_courses_do_not_exist(tmp_path: Path, desk: Desk) -> None:
    desk.go.set()
    async with school_at(tmp_path, desk) as school:
        batch_id, _ = await school.graded("physics")
        await school.bo.put("/api/courses/physics/assignments/one/rubric", json={"source": RUBRIC})
        places = {
            "{course}": "physics",
            "{assignment}": "one",
            "{submission:int}": str(school.papers["physics"]),
            "{batch}": str(batch_id),
            "{batch_id:int}": str(batch_id),
            "{rubric_id}": "1",
        }
        before = await state_of(school)
        for method, path, _ in PAGES:
            if "{" not in path:
                continue
            address = path
            for place, value in places.items():
                address = address.replace(place, value)
            answer = await asked(school.ada, school, method, address)
            assert answer.status_code == 404, (method, path, answer.text[:500])
        assert await state_of(school) == before


@pytest.mark.parametrize("path", FOR_ADMINISTRATORS)
async def test_operators_pages_are_for_administrators(
    tmp_path: Path, desk: Desk, path: str
) -> None:
    async with school_at(tmp_path, desk, work=False) as school:
        for method, found, _ in PAGES:
            if found.startswith(path):
                answer = await asked(school.ada, school, method, found)
                assert answer.status_code in (403, 404), (method, found)
        assert (await asked(school.admin, school, "GET", path)).status_code == 200


async def test_nobody_sees_anything_before_signing_in(tmp_path: Path, desk: Desk) -> None:
    async with school_at(tmp_path, desk, work=False) as school:
        for method, path, _ in PAGES:
            if path.startswith("/sign-") or "{" in path:
                continue
            answer = await school.service.client.request(method, path)
            assert answer.status_code == 401, (method, path)
            assert "physics" not in answer.text


async def asked(
    client: httpx.AsyncClient, school: School, method: str, path: str
) -> httpx.Response:
    """As a form of the page itself would ask."""
    form = {"ids": str(school.papers["physics"]), "by": "Ada"} if method == "POST" else None
    return await client.request(method, path, data=form)


async def state_of(school: School) -> tuple[object, ...]:
    """What nobody may have changed."""
    paper = (await school.bo.get(f"/api/submissions/{school.papers['physics']}")).json()
    rubric = (await school.bo.get("/api/courses/physics/assignments/one/rubric")).json()
    batches = (await school.bo.get("/api/batches")).json()
    return paper["status"], rubric, len(batches["batches"])
