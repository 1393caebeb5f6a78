"""The daemon that writes this database, asked over its HTTP API."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from gradeq.cli.stores import recording
from gradeq.config import Config
from gradeq.engine import Engine
from gradeq.errors import ConfigError, GradeqError, InputError, StoreError, StoreLockedError
from gradeq.model import NewSubmission
from gradeq.store.base import Added, Skipped

T = TypeVar("T")
_SECONDS = 60.0
_AT_ONCE = 500
_MOST_TEXT = 4_000_000
"""Characters of papers in one request, well below the service's limit for a body."""


async def here_or_there(
    config: Config,
    here: Callable[[Engine], Awaitable[T]],
    there: Callable[[Daemon], T],
) -> T:
    """Do it in this process; where a daemon writes the database, have it done by that.

    Raises StoreLockedError where another process writes it that is no daemon.
    """
    try:
        async with recording(config) as engine:
            return await here(engine)
    except StoreLockedError as error:
        return await asyncio.to_thread(there, daemon_of(error, config))


def daemon_of(error: StoreLockedError, config: Config) -> Daemon:
    """The daemon that holds the database. Raises `error` again where it is none."""
    if error.url is None:
        raise error
    token_variable = config.server.token_env
    return Daemon(error.url, os.environ.get(token_variable), token_variable)


class Daemon:
    """What the commands ask of a running daemon. Every method raises GradeqError."""

    def __init__(self, url: str, token: str | None, token_variable: str = "GRADEQ_TOKEN") -> None:  # noqa: S107 - a variable's name
        self.url = url.rstrip("/")
        self._token = token
        self._token_variable = token_variable
        # It is on this machine, so no proxy is asked.
        self._opener: OpenerDirector = build_opener(ProxyHandler({}))

    def add(self, papers: Sequence[NewSubmission]) -> list[Added]:
        added: list[Added] = []
        for some in _portions(papers):
            body = {"submissions": [_paper(one) for one in some]}
            told = self._ask("POST", "/api/submissions", body)
            added += [_added(one) for one in told["submissions"]]
        return added

    def put_rubric(self, course: str, assignment: str, name: str, source: str) -> None:
        path = f"/api/courses/{quote(course, '')}/assignments/{quote(assignment, '')}/rubric"
        self._ask("PUT", path, {"name": name, "source": source})

    def grade(self, submission_ids: Sequence[int], priority: int) -> int:
        """The batch that grades them."""
        body = {"submission_ids": list(submission_ids), "priority": priority}
        batch_id: int = self._ask("POST", "/api/grade", body)["batch_id"]
        return batch_id

    def release(self, submission_ids: Sequence[int], by: str) -> list[Skipped]:
        body = {"submission_ids": list(submission_ids), "by": by}
        told = self._ask("POST", "/api/submissions/release", body)
        return [
            Skipped(one["submission_id"], one["code"], one["reason"]) for one in told["skipped"]
        ]

    def act_on_batch(self, batch_id: int, verb: str) -> None:
        """Pause, resume, cancel or retry it."""
        self._ask("POST", f"/api/batches/{batch_id}/{verb}", {})

    def _ask(self, method: str, path: str, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = json.dumps(body).encode()
        request = Request(self.url + path, data, headers, method=method)  # noqa: S310 - http only
        try:
            with self._opener.open(request, timeout=_SECONDS) as response:
                text = response.read()
        except HTTPError as error:
            raise self._refused(error) from error
        except (URLError, OSError) as error:
            why = getattr(error, "reason", error)
            raise StoreError(
                f"the gradeq daemon at {self.url} holds this database and does not answer ({why}). "
                "Wait until it is up, or stop it"
            ) from error
        return json.loads(text) if text else None

    def _refused(self, error: HTTPError) -> GradeqError:
        if error.code == 401:
            return ConfigError(
                f"the gradeq daemon at {self.url} wants its token; nothing was changed. "
                f"Put it into the variable {self._token_variable}"
            )
        try:
            told = json.loads(error.read())
            problems = tuple(f"{one['path']}: {one['problem']}" for one in told.get("problems", ()))
            return InputError(f"the daemon at {self.url} refused: {told['detail']}", problems)
        except (ValueError, KeyError, TypeError):
            return GradeqError(f"the daemon at {self.url} answered {error.code} {error.reason}")


def _portions(papers: Sequence[NewSubmission]) -> list[list[NewSubmission]]:
    portions: list[list[NewSubmission]] = [[]]
    size = 0
    for paper in papers:
        size += len(paper.text)
        if portions[-1] and (len(portions[-1]) == _AT_ONCE or size > _MOST_TEXT):
            portions.append([])
            size = len(paper.text)
        portions[-1].append(paper)
    return portions


def _paper(paper: NewSubmission) -> dict[str, Any]:
    return {
        "id": paper.external_id,
        "text": paper.text,
        "student": paper.student,
        "course": paper.course,
        "assignment": paper.assignment,
        "extra": dict(paper.extra),
        "status": paper.status.value,
    }


def _added(told: dict[str, Any]) -> Added:
    return Added(told["submission_id"], told["id"], told["change"], told.get("reason") or "")
