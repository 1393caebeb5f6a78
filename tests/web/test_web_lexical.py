"""Grading by words over HTTP and on the pages: offered, marked, and the least sure first."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from web_kit import RUBRIC, Service, make_engine, serving

WITH_REFERENCE = 'reference = "Schools should start later: tired teenagers learn badly."\n' + RUBRIC
TEXTS = (
    "I like my dog.",
    "Schools should open later since tired teenagers learn so badly.",
    "Teenagers are tired.",
)
PAGE = "/courses/biology/assignments/sleep"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Of somebody who has neither key nor model."""
    async with serving(make_engine(tmp_path, providers=[])) as opened:
        yield opened


async def confirm(service: Service) -> str:
    answer = await service.client.post(f"{PAGE}/grade", data={"all": "1"})
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_it_is_offered_as_provisional_where_there_is_a_reference(service: Service) -> None:
    await service.add(*TEXTS)
    await service.put_rubric()
    assert 'name="way"' not in await confirm(service)
    await service.put_rubric(WITH_REFERENCE)
    page = await confirm(service)
    assert re.findall(r'name="way" value="([^"]*)"', page) == ["now:lexical"]
    assert "Compare words with the reference answer" in page
    assert "provisional, without any model" in page


async def test_models_and_own_graders_are_offered_before_it(tmp_path: Path) -> None:
    async with serving(make_engine(tmp_path, work=False)) as service:
        await service.add(*TEXTS)
        await service.put_rubric(WITH_REFERENCE)
        ways = re.findall(r'name="way" value="([^"]*)"', await confirm(service))
        assert ways == ["now:llm", "overnight:llm", "now:lexical"]


async def test_grades_say_that_they_are_provisional_and_how_sure(service: Service) -> None:
    ids = await service.add(*TEXTS)
    await service.put_rubric(WITH_REFERENCE)
    ordered = await service.grade(submission_ids=ids, grader="lexical")
    await service.batch_ended(ordered["batch_id"])
    grades = [await service.get(f"/api/submissions/{one}/grade") for one in ids]
    assert all("provisional" in grade["flags"] for grade in grades)
    assert all(0 < grade["confidence"] < 1 for grade in grades)
    assert grades[0]["score"] < grades[1]["score"]
    page = (await service.client.get(f"/submissions/{ids[1]}")).text
    assert 'data-flag="provisional"' in page
    assert "takes this for right with a probability of" in page
    tab = (await service.client.get(f"{PAGE}?tab=graded")).text
    assert tab.count("provisional, by words") == 3


async def test_a_person_s_grade_is_neither_provisional_nor_unsure(service: Service) -> None:
    [paper] = await service.add(TEXTS[0])
    await service.put_rubric(WITH_REFERENCE)
    ordered = await service.grade(submission_ids=[paper], grader="lexical")
    await service.batch_ended(ordered["batch_id"])
    edit = {"by": "Ms Lee", "criteria": [{"id": "claim", "points": 1}]}
    answer = await service.client.put(f"/api/submissions/{paper}/grade", json=edit)
    assert answer.json()["flags"] == []
    assert answer.json()["confidence"] is None


async def test_without_a_reference_nothing_is_queued(service: Service) -> None:
    ids = await service.add(*TEXTS)
    await service.put_rubric()
    order = {"submission_ids": ids, "grader": "lexical"}
    answer = await service.client.post("/api/grade", json=order)
    assert (answer.status_code, answer.json()["code"]) == (409, "no_reference")
    assert (await service.badges())["grading"] == 0
