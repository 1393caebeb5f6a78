"""What tests of the page of a paper ask it, and read in its answers."""

from __future__ import annotations

import re
from typing import Any

import httpx
from web_kit import ESSAY, Service


async def graded(service: Service, *texts: str, grader: str = "llm") -> list[int]:
    """Papers of Ann, Bob, Cem, … with a grade; their ids."""
    await service.put_rubric()
    ids = []
    for number, text in enumerate(texts or (ESSAY,), start=1):
        student = ("Ann", "Bob", "Cem", "Dan")[(number - 1) % 4]
        ids += await service.add(text, first=number, student=student)
    await service.batch_ended((await service.grade(submission_ids=ids, grader=grader))["batch_id"])
    return ids


async def grade(service: Service, paper_id: int) -> dict[str, Any]:
    return dict(await service.get(f"/api/submissions/{paper_id}/grade"))


async def status(service: Service, paper_id: int) -> str:
    return str((await service.get(f"/api/submissions/{paper_id}"))["status"])


async def page(service: Service, paper_id: int, **query: Any) -> str:
    answer = await service.client.get(f"/submissions/{paper_id}", params=query)
    assert answer.status_code == 200
    return answer.text


async def post(
    service: Service, paper_id: int, what: str, *, by: str = "Ms Lee", **form: Any
) -> httpx.Response:
    """What a browser would send from the page as it is now, and as which person."""
    text = await page(service, paper_id)
    versions = dict(re.findall(r'name="(\w+_version)" value="(\d+)"', text))
    service.client.cookies.clear()
    told = {**versions, "by": by, **form}
    return await service.client.post(f"/submissions/{paper_id}/{what}", data=told)
