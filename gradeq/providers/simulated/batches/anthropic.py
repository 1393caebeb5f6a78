"""Anthropic's Message Batches, as its API reference and its SDK (2.12) describe them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from gradeq.providers.simulated import anthropic_wire as wire
from gradeq.providers.simulated.anthropic import Anthropic, version_of
from gradeq.providers.simulated.batches.batch import WINDOW_SECONDS, Asked, Batch, Ending, Result
from gradeq.providers.simulated.batches.page import Page, page_after, page_before, query_of
from gradeq.providers.simulated.batches.works import House, Works
from gradeq.providers.simulated.call import Complaint, Refused, problem_of
from gradeq.providers.simulated.faults import Fault
from gradeq.providers.simulated.http1 import Request

PATH = b"/v1/messages/batches"
MAX_ENTRIES = 100_000
_JSONL = b"application/x-jsonl"
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    custom_id: str
    params: msgspec.Raw


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    requests: list[_Entry]


class AnthropicBatches:
    """POST and GET under /v1/messages/batches. Entries are looked into only when worked off."""

    def __init__(self, house: House, dialect: Anthropic, works: Works) -> None:
        self._house = house
        self._dialect = dialect
        self._works = works
        self._ids = itertools.count(1)
        self._born = house.moment().wall_ms
        self._batches: dict[str, Batch] = {}

    def handle(self, key: str, request: Request) -> Page:
        """Answer a call of `key`. Raises Refused."""
        version_of(request)
        match [request.method.decode(), *_steps(request.path)]:
            case ["POST"]:
                return self._create(key, request)
            case ["GET"]:
                return self._list(key, request)
            case ["GET", batch_id]:
                return self._shown(self._find(key, batch_id), request)
            case ["GET", batch_id, "results"]:
                return self._results(self._find(key, batch_id))
            case ["POST", batch_id, "cancel"]:
                return self._cancel(self._find(key, batch_id), request)
        raise Refused(_not_found(f"No such endpoint here: {request.path.decode('latin-1')}"))

    def _create(self, key: str, request: Request) -> Page:
        if request.too_large:
            raise Refused(wire.FAULTS[Fault.TOO_LARGE])
        asked = _asked(request.body)
        batch_id = f"msgbatch_01Sim{self._born:x}{next(self._ids):08d}"
        headers = request.headers
        batch = Batch(batch_id, key, self._dialect, headers, asked, self._house.moment())
        self._batches[batch_id] = batch
        self._house.tally.posted_batch(len(asked))
        self._works.take(batch)
        return self._shown(batch, request)

    def _find(self, key: str, batch_id: str) -> Batch:
        batch = self._batches.get(batch_id)
        if batch is None or batch.key != key:
            raise Refused(_not_found(f"Message batch not found: {batch_id}"))
        return batch

    def _shown(self, batch: Batch, request: Request) -> Page:
        return Page.of(_shape(batch, _host(request)))

    def _list(self, key: str, request: Request) -> Page:
        query = query_of(request)
        newest_first = [each for each in reversed(self._batches.values()) if each.key == key]
        limit = _limit(query.get("limit", "20"))
        try:
            if "before_id" in query:
                listed, more = page_before(newest_first, query["before_id"], limit)
            else:
                listed, more = page_after(newest_first, query.get("after_id"), limit)
        except LookupError as error:
            raise Refused(wire.invalid(f"Invalid cursor: {error}")) from None
        return Page.of(_listed([_shape(batch, _host(request)) for batch in listed], more))

    def _results(self, batch: Batch) -> Page:
        if not batch.has_ended:
            message = f"Message batch {batch.id} has no results yet: it is still being processed."
            raise Refused(_not_found(message))
        return Page(b"".join(_line(result) for result in batch.results), _JSONL)

    def _cancel(self, batch: Batch, request: Request) -> Page:
        if batch.has_ended:
            message = f"Message batch {batch.id} has ended and cannot be canceled."
            raise Refused(wire.invalid(message))
        batch.cancel(self._house.moment().wall_ms)
        return self._shown(batch, request)


def _steps(path: bytes) -> list[str]:
    return [step for step in path.removeprefix(PATH).decode("latin-1").split("/") if step]


def _asked(body: bytes) -> list[Asked]:
    try:
        entries = msgspec.json.decode(body, type=_Body).requests
    except msgspec.DecodeError as error:
        raise Refused(wire.complaint_about(problem_of(error))) from None
    if not 1 <= len(entries) <= MAX_ENTRIES:
        raise Refused(wire.invalid(f"requests: should have 1 to {MAX_ENTRIES} items"))
    seen: set[str] = set()
    for place, entry in enumerate(entries):
        if not _CUSTOM_ID.fullmatch(entry.custom_id):
            shape = "String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"
            raise Refused(wire.invalid(f"requests.{place}.custom_id: {shape}"))
        if entry.custom_id in seen:
            raise Refused(wire.invalid(f"requests.{place}.custom_id: must be unique in a batch"))
        seen.add(entry.custom_id)
    return [Asked(entry.custom_id, bytes(entry.params)) for entry in entries]


def _not_found(message: str) -> Complaint:
    return Complaint(404, "not_found_error", message)


def _limit(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 1000):
        raise Refused(wire.invalid("limit: should be between 1 and 1000"))
    return int(text)


def _host(request: Request) -> str:
    return request.headers.get(b"host", "localhost")


def _shape(batch: Batch, host: str) -> dict[str, Any]:
    """The object `message_batch`. Counts other than `processing` are 0 until it has ended."""
    counts = {ending.value: 0 for ending in Ending}
    if batch.has_ended:
        counts |= {ending.value: number for ending, number in batch.counts.items()}
    open_now = 0 if batch.has_ended else len(batch.asked)
    url = f"http://{host}{PATH.decode()}/{batch.id}/results"
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": _status(batch),
        "request_counts": {"processing": open_now} | counts,
        "created_at": _time(batch.posted.wall_ms),
        "expires_at": _time(batch.posted.wall_ms + WINDOW_SECONDS * 1000),
        "ended_at": _time(batch.ended_ms),
        "cancel_initiated_at": _time(batch.cancelled_ms),
        "archived_at": None,
        "results_url": url if batch.has_ended else None,
    }


def _status(batch: Batch) -> str:
    if batch.has_ended:
        return "ended"
    return "in_progress" if batch.cancelled_ms is None else "canceling"


def _listed(shapes: Sequence[dict[str, Any]], more: bool) -> dict[str, Any]:
    return {
        "data": shapes,
        "has_more": more,
        "first_id": shapes[0]["id"] if shapes else None,
        "last_id": shapes[-1]["id"] if shapes else None,
    }


def _line(result: Result) -> bytes:
    came: dict[str, Any] = {"type": result.ending.value}
    if result.ending is Ending.SUCCEEDED:
        came["message"] = msgspec.Raw(result.body)
    elif result.ending is Ending.ERRORED:
        came["error"] = msgspec.Raw(result.body)
    line = msgspec.json.encode({"custom_id": result.custom_id, "result": came})
    return (line[: len(line) // 2] if result.is_damaged else line) + b"\n"


def _time(wall_ms: int | None) -> str | None:
    if wall_ms is None:
        return None
    return datetime.fromtimestamp(wall_ms / 1000, UTC).isoformat().replace("+00:00", "Z")
