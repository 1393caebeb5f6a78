"""A school with an administrator and two teachers, each with a client of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from web_kit import Desk, Service, documented, make_engine, serving

from gradeq.passes import give_link_to, give_token_to
from gradeq.store.people import Role

ADMIN, ADA, BO = "Ms Head", "Ada", "Bo"
PAPERS = {"art": "a", "physics": "p"}


@dataclass
class School:
    """`service.client` asks as nobody; the others with a token of their own.

    There is one paper in each course: `a` in art, which is Ada's, `p` in physics, which is Bo's.
    """

    service: Service
    admin: httpx.AsyncClient
    ada: httpx.AsyncClient
    bo: httpx.AsyncClient
    papers: dict[str, int]

    @property
    def people(self) -> Any:
        return self.service.engine.store.people

    async def token(self, name: str, **given: Any) -> str:
        return (await give_token_to(self.people, name, **given)).secret.text

    async def link(self, name: str) -> str:
        """The path that signs `name` in."""
        return f"/sign-in?code={await give_link_to(self.people, name)}"

    async def graded(self, course: str) -> tuple[int, int]:
        """Grade the paper of a course; its batch and its job."""
        order = {"submission_ids": [self.papers[course]], "grader": "desk"}
        answer = await self.admin.post("/api/grade", json=order)
        assert answer.status_code == 202, answer.text
        told = answer.json()
        return told["batch_id"], told["task_ids"][0]


def with_token(url: str, token: str) -> httpx.AsyncClient:
    return documented(url, {"Authorization": f"Bearer {token}".encode()})


@asynccontextmanager
async def school_at(folder: Path, desk: Desk, **options: Any) -> AsyncIterator[School]:
    async with serving(make_engine(folder, desk, **options)) as service, AsyncExitStack() as stack:
        people = service.engine.store.people
        rows = [
            {"id": name, "text": "Text", "course": course, "assignment": "one"}
            for course, name in PAPERS.items()
        ]
        added = (await service.client.post("/api/submissions", json=rows)).json()["submissions"]
        clients = []
        for name, role, courses in (
            (ADMIN, Role.ADMINISTRATOR, None),
            (ADA, Role.TEACHER, ["art"]),
            (BO, Role.TEACHER, ["physics"]),
        ):
            given = await give_token_to(people, name, role=role, courses=courses)
            client = with_token(service.url, given.secret.text)
            clients.append(await stack.enter_async_context(client))
        ids = dict(zip(PAPERS, (one["id"] for one in added), strict=True))
        yield School(service, *clients, papers=ids)
