"""The daemon that writes this database, asked over its HTTP API."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from gradeq.cli.stores import recording
from gradeq.cli.tokens import token_of
from gradeq.config import Config
from gradeq.engine import Engine
from gradeq.errors import ConfigError, GradeqError, InputError, StoreError, StoreLockedError
from gradeq.model import DEFAULT_GRADER, NewSubmission
from gradeq.orders import When
from gradeq.parked import Resumed
from gradeq.store.orders import Added, QueuedAlready, Skipped
from gradeq.store.sqlite.lock import current_holder

T = TypeVar("T")
_SECONDS = 60.0
_AT_ONCE = 500
_MOST_IDS = 50_000
_MOST_TEXT = 4_000_000
"""Characters of papers in one request, well below the service's limit for a body."""


async def here_or_there(
    config: Config,
    here: Callable[[Engine], Awaitable[T]],
    there: Callable[[Daemon], T],
    opened: Callable[[Config], Engine] = recording,
) -> T:
    """Do it in this process; where a daemon writes the database, have it done by that.

    `opened` makes the engine for `here`. Raises StoreLockedError where another process writes it
    that is no daemon.
    """
    try:
        async with opened(config) as engine:
            return await here(engine)
    except StoreLockedError as error:
        if error.url is None:
            raise
        return await asyncio.to_thread(there, _daemon_at(error.url, config))


def whoever_types() -> str:
    """The name of this machine's user, for the daemon's log and the record of a pause."""
    try:
        return getpass.getuser()
    except (OSError, ImportError, KeyError):
        return "someone"


def running_daemon(config: Config) -> Daemon | None:
    """The daemon that writes the database now, if one does."""
    holder = current_holder(config.store.path)
    return None if holder is None or holder.url is None else _daemon_at(holder.url, config)


def _daemon_at(url: str, config: Config) -> Daemon:
    token = token_of(config.server)
    if token is None and (holder := current_holder(config.store.path)) is not None:
        token = holder.key
    return Daemon(url, token, config.server.token_env)


@dataclass(frozen=True, slots=True)
class Queued:
    """What the daemon made of orders: its new batches, with so many papers; what was before."""

    batch_ids: tuple[int, ...] = ()
    papers: int = 0
    already: tuple[QueuedAlready, ...] = ()

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        already = tuple(QueuedAlready(**one) for one in told["already_queued"])
        others = {None, *(one.batch_id for one in already)}
        return cls(tuple({told["batch_id"]} - others), told["created"], already)

    def __add__(self, other: Queued) -> Queued:
        return Queued(
            self.batch_ids + other.batch_ids,
            self.papers + other.papers,
            self.already + other.already,
        )


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
            told = self._ask("POST", "/api/submissions", [_paper(one) for one in some])
            added += [_added(one) for one in told["submissions"]]
        return added

    def put_rubric(self, course: str, assignment: str, source: str) -> None:
        path = f"/api/courses/{quote(course, '')}/assignments/{quote(assignment, '')}/rubric"
        self._ask("PUT", path, {"source": source})

    def grade_assignment(
        self,
        course: str,
        assignment: str,
        priority: int,
        max_cost: float | None = None,
        when: When = "now",
        *,
        grader: str = DEFAULT_GRADER,
    ) -> Queued:
        """What is submitted; nothing where nothing is."""
        where = {"course": course, "assignment": assignment}
        how = {"priority": priority, "max_cost": max_cost, "when": when, "grader": grader}
        body = {**where, **how}
        try:
            return Queued.of(self._ask("POST", "/api/grade", body))
        except GradeqError as error:
            if error.code == "nothing_to_grade":
                return Queued()
            raise

    def grade(
        self,
        submission_ids: Sequence[int],
        priority: int,
        max_cost: float | None = None,
        when: When = "now",
        *,
        grader: str = DEFAULT_GRADER,
    ) -> Queued:
        """In one batch, unless there are very many."""
        how = {"priority": priority, "max_cost": max_cost, "when": when, "grader": grader}
        queued = Queued()
        for start in range(0, len(submission_ids), _MOST_IDS):
            ids = list(submission_ids[start : start + _MOST_IDS])
            told = self._ask("POST", "/api/grade", {"submission_ids": ids, **how})
            queued += Queued.of(told)
        return queued

    def release(self, submission_ids: Sequence[int], by: str) -> list[Skipped]:
        skipped = []
        for start in range(0, len(submission_ids), _MOST_IDS):
            ids = list(submission_ids[start : start + _MOST_IDS])
            told = self._ask("POST", "/api/submissions/release", {"submission_ids": ids, "by": by})
            skipped += told["skipped"]
        return [Skipped(one["submission_id"], one["code"], one["reason"]) for one in skipped]

    def act_on_batch(self, batch_id: int, verb: str, by: str) -> None:
        """Pause, resume, cancel or retry it."""
        self._ask("POST", f"/api/batches/{batch_id}/{verb}", {"by": by})

    def cap_batch(self, batch_id: int, max_cost: float | None) -> None:
        """What its calls may cost together; None: no cap."""
        self._ask("PUT", f"/api/batches/{batch_id}", {"max_cost": max_cost})

    def resume_pool(self, name: str, by: str) -> Resumed:
        told = self._ask("POST", f"/api/queue/{quote(name, '')}/resume", {"by": by})
        return Resumed(**{**told, "batch_ids": tuple(told["batch_ids"])})

    def give_token(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """`wish` as the body of POST /api/tokens."""
        told: dict[str, Any] = self._ask("POST", "/api/tokens", wish)
        return told

    def revoke_token(self, handle: str) -> None:
        self._ask("DELETE", f"/api/tokens/{quote(handle, '')}")

    def give_link(self, name: str) -> str:
        """The path, with the code in it, that signs `name` in once."""
        return str(self._ask("POST", "/api/links", {"name": name})["path"])

    def limit_of(self, batch_id: int) -> tuple[str, str]:
        """What limits a batch, as one of the limiter's words and in words for people."""
        told = self._ask("GET", f"/api/batches/{batch_id}")
        return told["limited_by"] or "", told["text"] or ""

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, headers, method=method)  # noqa: S310 - http only
        try:
            with self._opener.open(request, timeout=_SECONDS) as response:
                text = response.read()
        except HTTPError as error:
            with error:
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
                f"the gradeq daemon at {self.url} wants a token; nothing was changed. "
                f"Put its own or yours into the variable {self._token_variable}"
            )
        try:
            told = json.loads(error.read())
            problems = tuple(f"{one['path']}: {one['problem']}" for one in told.get("problems", ()))
            refused = InputError(f"the daemon at {self.url} refused: {told['detail']}", problems)
            refused.code = str(told["code"])
            return refused
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
    own = {
        "id": paper.external_id,
        "text": paper.text,
        "student": paper.student,
        "course": paper.course,
        "assignment": paper.assignment,
        "status": paper.status.value,
    }
    taken = {*own, "external_id"}
    extra = {f"input_{key}" if key in taken else key: paper.extra[key] for key in paper.extra}
    return {**extra, **own}


def _added(told: dict[str, Any]) -> Added:
    return Added(told["id"], told["external_id"], told["change"], told.get("reason") or "")
