"""What tests of the page of an assignment ask it, and read in its answers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from web_kit import ESSAY, Service

from gradeq import NewSubmission

PAGE = "/courses/biology/assignments/sleep"
BLANK = " \u200b "


async def get(service: Service, path: str = PAGE, **query: Any) -> str:
    answer = await service.client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


async def post(service: Service, what: str, **form: Any) -> httpx.Response:
    return await service.client.post(f"{PAGE}/{what}", data=form)


async def confirmed(service: Service, **form: Any) -> str:
    answer = await post(service, "grade", **form)
    assert answer.status_code == 200, answer.text
    return answer.text


def papers(page: str) -> list[int]:
    return [int(one) for one in re.findall(r'data-paper="(\d+)"', page)]


def states(page: str) -> list[str]:
    return re.findall(r'data-state="(?!still)(\w+)"', page)


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return unescape(found[1])


def ways(page: str) -> list[str]:
    return re.findall(r'name="way" value="([^"]*)"', page)


def told(answer: httpx.Response) -> str:
    """What the page that comes next says."""
    assert answer.status_code == 303, answer.text
    place = urlsplit(answer.headers["location"])
    assert place.path == PAGE
    return parse_qs(place.query)["told"][0]


def left_out(page: str) -> dict[str, int]:
    """How many, by reason."""
    found = re.findall(r'data-reason="(\w+)"><strong>(\w+) paper', page)
    return {reason: 1 if count == "One" else int(count) for reason, count in found}


async def many(service: Service, count: int, **fields: Any) -> list[int]:
    fields = {"course": "biology", "assignment": "sleep", **fields}
    rows = [
        NewSubmission(f"p{n:04}", ESSAY, student=f"Student {count - n:04}", **fields)
        for n in range(count)
    ]
    return [one.id for one in await service.engine.add(rows)]


async def graded(service: Service, ids: Iterable[int]) -> None:
    ordered = await service.grade(submission_ids=list(ids), grader="desk")
    await service.batch_ended(ordered["batch_id"])


async def jobs(service: Service, batch_id: int = 1) -> list[dict[str, Any]]:
    return list((await service.get(f"/api/batches/{batch_id}/jobs"))["jobs"])
