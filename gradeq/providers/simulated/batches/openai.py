"""OpenAI's Batch API and the files around it, as its documentation and its SDK (3.54) show them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from gradeq.providers.simulated import openai_wire as wire
from gradeq.providers.simulated.batches.batch import WINDOW_SECONDS, Batch, Ending
from gradeq.providers.simulated.batches.files import Files
from gradeq.providers.simulated.batches.openai_lines import ENDPOINT, read_input, written
from gradeq.providers.simulated.batches.page import Page, page_after, query_of
from gradeq.providers.simulated.batches.works import House, Works
from gradeq.providers.simulated.call import Complaint, Refused, problem_of
from gradeq.providers.simulated.http1 import Request
from gradeq.providers.simulated.openai import OpenAI

PATHS = (b"/v1/batches", b"/v1/files")
_BINARY = b"application/octet-stream"


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    input_file_id: str
    endpoint: str
    completion_window: Literal["24h"]
    metadata: dict[str, str] | None = None
    output_expires_after: Any = None


@dataclass(slots=True, eq=False)
class _Job:
    """A batch with what only OpenAI's have. One whose file is no good has failed at once."""

    batch: Batch
    body: _Body
    problems: Sequence[dict[str, Any]]
    output_file: str | None = None
    error_file: str | None = None

    @property
    def id(self) -> str:
        return self.batch.id

    @property
    def status(self) -> str:
        if self.problems:
            return "failed"
        if not self.batch.has_ended:
            return "in_progress" if self.batch.cancelled_ms is None else "cancelling"
        if self.batch.cancelled_ms is not None:
            return "cancelled"
        return "expired" if self.batch.counts[Ending.EXPIRED] else "completed"


class OpenAIBatches:
    """POST and GET under /v1/batches and /v1/files."""

    def __init__(self, house: House, dialect: OpenAI, works: Works) -> None:
        self._house = house
        self._dialect = dialect
        self._works = works
        self._ids = itertools.count(1)
        self._born = house.moment().wall_ms
        self._files = Files(self._born)
        self._jobs: dict[str, _Job] = {}

    def handle(self, key: str, request: Request) -> Page:
        """Answer a call of `key`. Raises Refused."""
        match [request.method.decode(), *_steps(request.path)]:
            case [method, "files", *file]:
                return self._file_call(method, file, key, request)
            case ["POST", "batches"]:
                return self._create(key, request)
            case ["GET", "batches"]:
                return self._list(key, request)
            case ["GET", "batches", batch_id]:
                return Page.of(self._shown(self._find(key, batch_id)))
            case ["POST", "batches", batch_id, "cancel"]:
                return self._cancel(self._find(key, batch_id))
        raise Refused(_nowhere(request))

    def _file_call(self, method: str, file: list[str], key: str, request: Request) -> Page:
        match [method, *file]:
            case ["POST"]:
                return Page.of(self._files.upload(key, request, self._now()).shape)
            case ["GET", file_id]:
                return Page.of(self._files.find(key, file_id).shape)
            case ["GET", file_id, "content"]:
                return Page(self._files.find(key, file_id).data, _BINARY)
        raise Refused(_nowhere(request))

    def _create(self, key: str, request: Request) -> Page:
        body = _read(request.body)
        understood = read_input(self._files.find(key, body.input_file_id).data)
        batch_id = f"batch_Sim{self._born:x}{next(self._ids):08d}"
        asked = [] if understood.problems else understood.asked
        moment = self._house.moment()
        batch = Batch(batch_id, key, self._dialect, request.headers, asked, moment)
        job = self._jobs[batch_id] = _Job(batch, body, understood.problems)
        if understood.problems:
            batch.ended_ms = moment.wall_ms
        else:
            self._house.tally.posted_batch(len(asked))
            self._works.take(batch)
        return Page.of(self._shown(job) | {"status": "validating", "errors": None})

    def _find(self, key: str, batch_id: str) -> _Job:
        job = self._jobs.get(batch_id)
        if job is None or job.batch.key != key:
            message = f"No batch found with id '{batch_id}'."
            raise Refused(Complaint(404, wire.INVALID, message))
        return job

    def _list(self, key: str, request: Request) -> Page:
        query = query_of(request)
        newest_first = [each for each in reversed(self._jobs.values()) if each.batch.key == key]
        try:
            listed, more = page_after(newest_first, query.get("after"), _limit(query))
        except LookupError as error:
            raise Refused(wire.invalid(f"No batch found with id {error}.", "after")) from None
        shapes = [self._shown(job) for job in listed]
        first, last = (shapes[0]["id"], shapes[-1]["id"]) if shapes else (None, None)
        page = {"object": "list", "data": shapes, "first_id": first, "last_id": last}
        return Page.of(page | {"has_more": more})

    def _cancel(self, job: _Job) -> Page:
        if job.batch.has_ended:
            message = f"Cannot cancel a batch with status '{job.status}'."
            raise Refused(Complaint(409, wire.INVALID, message))
        job.batch.cancel(self._house.moment().wall_ms)
        return Page.of(self._shown(job))

    def _shown(self, job: _Job) -> dict[str, Any]:
        """The object `batch`. Its files are written when it is first seen to have ended."""
        if job.batch.has_ended and not job.problems:
            job.output_file = job.output_file or self._write(job, errors=False)
            job.error_file = job.error_file or self._write(job, errors=True)
        return _shape(job)

    def _write(self, job: _Job, *, errors: bool) -> str | None:
        data = written(job.batch.results, errors=errors)
        if not data:
            return None
        name = f"{job.id}_{'error' if errors else 'output'}.jsonl"
        return self._files.keep(job.batch.key, name, "batch_output", data, self._now()).id

    def _now(self) -> int:
        return self._house.moment().wall_ms // 1000


def _nowhere(request: Request) -> Complaint:
    return Complaint(404, wire.INVALID, f"Invalid URL ({request.path.decode('latin-1')})")


def _steps(path: bytes) -> list[str]:
    return [step for step in path.removeprefix(b"/v1").decode("latin-1").split("/") if step]


def _read(data: bytes) -> _Body:
    try:
        body = msgspec.json.decode(data, type=_Body)
    except msgspec.DecodeError as error:
        raise Refused(wire.complaint_about(problem_of(error))) from None
    if body.endpoint != ENDPOINT:
        message = f"Invalid value: '{body.endpoint}'. The simulated provider knows '{ENDPOINT}'."
        raise Refused(wire.invalid(message, "endpoint", "invalid_value"))
    pairs = body.metadata or {}
    if len(pairs) > 16 or any(len(k) > 64 or len(v) > 512 for k, v in pairs.items()):
        raise Refused(wire.invalid("Invalid 'metadata': too many or too long pairs.", "metadata"))
    return body


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", "20")
    if not (text.isdecimal() and 1 <= int(text) <= 100):
        raise Refused(wire.invalid("Invalid 'limit': not between 1 and 100.", "limit"))
    return int(text)


def _shape(job: _Job) -> dict[str, Any]:
    batch, counts = job.batch, job.batch.counts
    created = batch.posted.wall_ms // 1000
    ended = None if batch.ended_ms is None else batch.ended_ms // 1000
    total = {
        "total": len(batch.asked),
        "completed": counts[Ending.SUCCEEDED],
        "failed": counts[Ending.ERRORED],
    }
    times: dict[str, Any] = {
        f"{name}_at": None for name in ("completed", "expired", "cancelled", "failed")
    }
    if ended is not None:
        times[f"{job.status}_at"] = ended
    return times | {
        "id": batch.id,
        "object": "batch",
        "endpoint": job.body.endpoint,
        "errors": {"object": "list", "data": job.problems} if job.problems else None,
        "input_file_id": job.body.input_file_id,
        "completion_window": "24h",
        "status": job.status,
        "output_file_id": job.output_file,
        "error_file_id": job.error_file,
        "created_at": created,
        "in_progress_at": created,
        "expires_at": created + WINDOW_SECONDS,
        "finalizing_at": None,
        "cancelling_at": None if batch.cancelled_ms is None else batch.cancelled_ms // 1000,
        "request_counts": total,
        "metadata": job.body.metadata,
    }
