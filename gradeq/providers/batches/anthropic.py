"""Anthropic's Message Batches: posted as one JSON body, answered as lines of JSON.

Source: Anthropic API reference "Message Batches" and the guide "Batch processing".
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from types import MappingProxyType

import msgspec

from gradeq.providers.anthropic import AnthropicForm
from gradeq.providers.base import Failure
from gradeq.providers.batches.base import CLOCK_SKEW_MS, FRAME_BYTES, HttpBatches
from gradeq.providers.batches.client import Page
from gradeq.providers.batching import Entry, Outcome, Progress
from gradeq.providers.client import UNREADABLE
from gradeq.providers.complaint import read_complaint

_UNASKED: Mapping[str, str] = MappingProxyType(
    {
        "expired": "the provider did not get to this paper within 24 hours, and charged nothing",
        "canceled": "the provider's batch was cancelled before this paper, and charged nothing",
    }
)
_STATUS: Mapping[str, int] = MappingProxyType(
    {
        "invalid_request_error": 400,
        "authentication_error": 401,
        "billing_error": 402,
        "permission_error": 403,
        "not_found_error": 404,
        "request_too_large": 413,
        "rate_limit_error": 429,
        "api_error": 500,
        "timeout_error": 504,
        "overloaded_error": 529,
    }
)
"""Of a live call with the same error ("Errors"); results hold the error without its status."""


def written(custom_id: str, params: bytes) -> bytes:
    """One of the `requests` of a batch; `params` is the body of a live call."""
    return msgspec.json.encode({"custom_id": custom_id, "params": msgspec.Raw(params)})


class _Counts(msgspec.Struct):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def failed(self) -> int:
        return self.errored + self.canceled + self.expired

    @property
    def total(self) -> int:
        """All entries of the batch, at any time."""
        return self.processing + self.succeeded + self.failed


class _Batch(msgspec.Struct):
    id: str
    created_at: datetime
    processing_status: str
    request_counts: _Counts

    @property
    def created_ms(self) -> float:
        return self.created_at.timestamp() * 1000


class _Result(msgspec.Struct):
    type: str
    message: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _Line(msgspec.Struct):
    custom_id: str
    result: _Result


class AnthropicBatches(HttpBatches[AnthropicForm]):
    """Anthropic's batch API. It keeps no names: `find` tells batches by time and number."""

    path = "/messages/batches"
    max_entries = 100_000
    max_bytes = 256_000_000 - FRAME_BYTES

    async def post(self, intent: str, entries: Sequence[Entry]) -> str | Failure:  # noqa: ARG002 - as every BatchProvider
        form = self._entries.form
        encoded = await self._entries.encoded_all(entries, form)
        parts = [b'{"requests":[', *_joined(encoded), b"]}"]
        batch = await self._client.upload(self.path, _Batch, parts, "application/json")
        if isinstance(batch, Failure):
            return self._entries.refused(batch, form)
        self._entries.posted(batch.id, form)
        return batch.id

    async def find(self, intent: str, *, since_ms: int, entries: int) -> list[str] | Failure:  # noqa: ARG002 - as every BatchProvider
        since = since_ms - CLOCK_SKEW_MS
        found = await self._client.newest(
            self.path, Page[_Batch], "after_id", lambda batch: batch.created_ms < since
        )
        if isinstance(found, Failure):
            return found
        return [batch.id for batch in found if batch.request_counts.total == entries]

    async def progress(self, batch_id: str) -> Progress | Failure:
        batch = await self._client.get(self._at(batch_id), _Batch)
        if isinstance(batch, Failure):
            return batch
        counts, is_ended = batch.request_counts, batch.processing_status == "ended"
        return Progress(batch_id, is_ended, counts.succeeded, counts.failed, counts.processing)

    async def outcomes(self, batch_id: str) -> AsyncGenerator[Outcome | Failure, None]:
        """From the address in the API reference: `results_url` could send the key anywhere."""
        async with aclosing(self._client.lines(f"{self._at(batch_id)}/results")) as lines:
            async for line in lines:
                if isinstance(line, Failure):
                    yield line
                    return
                if (outcome := self._outcome(batch_id, line)) is not None:
                    yield outcome
        self._entries.collected(batch_id)

    def _outcome(self, batch_id: str, data: bytes) -> Outcome | None:
        try:
            line = msgspec.json.decode(data, type=_Line)
        except UNREADABLE:
            return self._entries.damaged(data)
        result = line.result
        if result.type in _UNASKED:
            return self._entries.unasked(line.custom_id, _UNASKED[result.type])
        if result.type == "succeeded":
            return self._entries.outcome(batch_id, line.custom_id, 200, bytes(result.message))
        error = bytes(result.error)
        status = _STATUS.get(read_complaint(error).type, 500)
        return self._entries.outcome(batch_id, line.custom_id, status, error)


def _joined(encoded: Sequence[bytes]) -> list[bytes]:
    return [b"," + each if number else each for number, each in enumerate(encoded)]
