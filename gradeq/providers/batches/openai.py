"""OpenAI's Batch API: a file of requests is uploaded, files of results and errors come back.

Source: OpenAI API reference "Batch" and "Files", guide "Batch API". What the reference leaves out
was seen in the field: a file id may be "" instead of null, entries that expired are counted in
nothing but the total, and a batch that fails its validation names lines from 1.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import msgspec

from gradeq.outcome import ErrorClass
from gradeq.providers.base import Failure
from gradeq.providers.batches.base import CLOCK_SKEW_MS, FRAME_BYTES, HttpBatches
from gradeq.providers.batches.client import Page
from gradeq.providers.batches.entries import custom_id_in
from gradeq.providers.batching import Entry, Outcome, Progress
from gradeq.providers.client import UNREADABLE
from gradeq.providers.openai import OpenAIForm
from gradeq.providers.wire import to_json

ENDPOINT = "/v1/chat/completions"
INTENT = "gradeq_intent"
"""Under which our own name for a batch stands in its metadata."""
FILES = "/files"
QUEUE_FULL_SECONDS = 900.0
"""How long to wait where other batches fill the account's queue; some take a night."""

_ENDED = ("completed", "failed", "expired", "cancelled")
_UNASKED: Mapping[str, str] = MappingProxyType(
    {
        "batch_expired": "the provider did not get to this paper in time, and charged nothing",
        "batch_cancelled": "the provider's batch was cancelled before this paper, and charged "
        "nothing",
    }
)
_STATUS: Mapping[str, int] = MappingProxyType({"request_timeout": 408})


def written(custom_id: str, body: bytes) -> bytes:
    """One line of the file; `body` is that of a live call."""
    line = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": msgspec.Raw(body)}
    return msgspec.json.encode(line) + b"\n"


class _File(msgspec.Struct):
    id: str


class _Counts(msgspec.Struct):
    total: int = 0
    completed: int = 0
    failed: int = 0


class _Problem(msgspec.Struct):
    code: str | None = None
    message: str | None = None
    param: str | None = None
    line: int | None = None


class _Problems(msgspec.Struct):
    data: list[_Problem] | None = None


class _Batch(msgspec.Struct):
    id: str
    status: str
    created_at: float = 0.0
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: _Problems | None = None
    request_counts: _Counts | None = None
    metadata: dict[str, Any] | None = None

    @property
    def is_ended(self) -> bool:
        return self.status in _ENDED

    @property
    def counts(self) -> _Counts:
        return self.request_counts or _Counts()

    @property
    def files(self) -> tuple[str, ...]:
        """Those with outcomes: answers, then errors."""
        return tuple(filter(None, (self.output_file_id, self.error_file_id)))


class _Response(msgspec.Struct):
    status_code: int = 200
    request_id: str | None = None
    body: msgspec.Raw = msgspec.Raw()


class _Line(msgspec.Struct):
    custom_id: str
    response: _Response | None = None
    error: _Problem | None = None


class OpenAIBatches(HttpBatches[OpenAIForm]):
    """OpenAI's batch API, and others that speak like it."""

    path = "/batches"
    max_entries = 50_000
    max_bytes = 200_000_000 - FRAME_BYTES

    async def post(self, intent: str, entries: Sequence[Entry]) -> str | Failure:
        form = self._entries.form
        encoded = await self._entries.encoded_all(entries, form)
        boundary = f"gradeq-{intent}"
        kind = f"multipart/form-data; boundary={boundary}"
        file = await self._client.upload(FILES, _File, _form(intent, boundary, encoded), kind)
        if isinstance(file, Failure):
            return file
        batch = await self._client.upload(
            self.path, _Batch, [_order(file.id, intent)], "application/json"
        )
        if isinstance(batch, Failure):
            return self._entries.refused(batch, form)
        self._entries.posted(batch.id, form)
        return batch.id

    async def find(self, intent: str, *, since_ms: int, entries: int) -> list[str] | Failure:  # noqa: ARG002 - as every BatchProvider
        since = (since_ms - CLOCK_SKEW_MS) / 1000
        found = await self._client.newest(
            self.path, Page[_Batch], "after", lambda batch: batch.created_at < since
        )
        if isinstance(found, Failure):
            return found
        return [batch.id for batch in found if (batch.metadata or {}).get(INTENT) == intent]

    async def progress(self, batch_id: str) -> Progress | Failure:
        batch = await self._client.get(self._at(batch_id), _Batch)
        if isinstance(batch, Failure):
            return batch
        counts, is_ended = batch.counts, batch.is_ended
        failed = counts.total - counts.completed if is_ended else counts.failed
        left = 0 if is_ended else counts.total - counts.completed - counts.failed
        return Progress(batch_id, is_ended, counts.completed, failed, left)

    async def outcomes(self, batch_id: str) -> AsyncGenerator[Outcome | Failure, None]:
        """Of a batch that failed as a whole, every line of the input has the outcome."""
        batch = await self._client.get(self._at(batch_id), _Batch)
        if isinstance(batch, Failure):
            yield batch
            return
        if (failure := self._cannot_be_read(batch)) is not None:
            yield failure
            return
        refused = batch.status == "failed" and not batch.files
        async with aclosing(self._refusals(batch) if refused else self._results(batch)) as came:
            async for each in came:
                yield each
                if isinstance(each, Failure):
                    return
        self._entries.collected(batch_id)

    def _cannot_be_read(self, batch: _Batch) -> Failure | None:
        if not batch.is_ended:
            return Failure(ErrorClass.SNOOZED, f"the provider's batch {batch.id} has not ended yet")
        if batch.counts.completed and not batch.output_file_id:
            host = self._client.caller.host
            why = f"{host} has answers of the batch {batch.id}, and names no file of them yet"
            return Failure(ErrorClass.SERVER_ERROR, f"{why}. gradeq asks again.")
        return None

    async def _results(self, batch: _Batch) -> AsyncGenerator[Outcome | Failure, None]:
        for file_id in batch.files:
            async with aclosing(self._client.lines(_content(file_id))) as lines:
                async for line in lines:
                    came = line if isinstance(line, Failure) else self._outcome(batch.id, line)
                    if came is not None:
                        yield came
                    if isinstance(came, Failure):
                        return

    def _outcome(self, batch_id: str, data: bytes) -> Outcome | None:
        try:
            line = msgspec.json.decode(data, type=_Line)
        except UNREADABLE:
            return self._entries.damaged(data)
        if (reply := line.response) is not None:
            body = bytes(reply.body)
            return self._entries.outcome(
                batch_id, line.custom_id, reply.status_code, body, reply.request_id
            )
        error = line.error or _Problem()
        code = error.code or ""
        if code in _UNASKED:
            return self._entries.unasked(line.custom_id, _UNASKED[code])
        status = _STATUS.get(code, 500)
        return self._entries.outcome(batch_id, line.custom_id, status, _body(error))

    async def _refusals(self, batch: _Batch) -> AsyncGenerator[Outcome | Failure, None]:
        """Nothing of the batch was worked on; the provider says why, perhaps by line. What was
        posted is read again, to know whom it concerns."""
        if not batch.input_file_id:
            return
        why = _Refusal.of(batch)
        number = 0
        async with aclosing(self._client.lines(_content(batch.input_file_id))) as lines:
            async for line in lines:
                if isinstance(line, Failure):
                    yield line
                    return
                number += 1
                if (custom_id := custom_id_in(line)) is not None:
                    yield self._refused(batch.id, custom_id, why, number)

    def _refused(self, batch_id: str, custom_id: str, why: _Refusal, number: int) -> Outcome:
        if number in why.lines:
            return self._entries.outcome(batch_id, custom_id, 400, _body(why.lines[number]))
        if why.lines:
            said = "the provider refused the batch for another paper in it, and charged nothing"
            return self._entries.unasked(custom_id, said)
        if why.whole.code == "token_limit_exceeded":
            said = f"{self._client.caller.host} did not take the batch: “{why.whole.message}”"
            return self._entries.unasked(custom_id, said, QUEUE_FULL_SECONDS)
        # No status tells whose fault it is: not this paper's, so tries are counted.
        return self._entries.outcome(batch_id, custom_id, 500, _body(why.whole))


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a whole batch failed its validation: lines that are no good, or something else."""

    lines: Mapping[int, _Problem]
    whole: _Problem

    @classmethod
    def of(cls, batch: _Batch) -> _Refusal:
        problems = (batch.errors and batch.errors.data) or []
        lines = {each.line: each for each in problems if each.line is not None}
        whole = next((each for each in problems if each.line is None), _Problem())
        return cls(lines, whole)


def _form(intent: str, boundary: str, lines: Sequence[bytes]) -> list[bytes]:
    """A form with a file. No line of JSON can hold the boundary: it holds no line break."""
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="gradeq-{intent}.jsonl"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    )
    return [head.encode(), *lines, f"\r\n--{boundary}--\r\n".encode()]


def _order(file_id: str, intent: str) -> bytes:
    return to_json(
        {
            "input_file_id": file_id,
            "endpoint": ENDPOINT,
            "completion_window": "24h",
            "metadata": {INTENT: intent},
        }
    )


def _content(file_id: str) -> str:
    return f"{FILES}/{quote(file_id, safe='')}/content"


def _body(problem: _Problem) -> bytes:
    """The body of a live call that was refused for it."""
    said = {"message": problem.message, "code": problem.code, "param": problem.param}
    return to_json({"error": said})
