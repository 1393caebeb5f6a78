"""Calls to a batch API: one request each, and every way it can end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

import msgspec

from gradeq.clock import Clock
from gradeq.outcome import ErrorClass
from gradeq.providers.base import Failure
from gradeq.providers.classify import classify
from gradeq.providers.client import UNREADABLE, without_response
from gradeq.providers.http import HttpClient, HttpResponse, HttpTrouble
from gradeq.providers.reasons import Caller

PAGE_SIZE = 100
"""The most that OpenAI lists at once; Anthropic allows 1,000."""


class Named(Protocol):
    """What a list is paged by."""

    @property
    def id(self) -> str: ...


T = TypeVar("T")
N = TypeVar("N", bound=Named)


class Page(msgspec.Struct, Generic[T]):
    """One page of a list, the newest first."""

    data: list[T]
    has_more: bool = False


class BatchClient:
    """Speaks to one base URL with one key; raises nothing that the network can do.

    A 404 is SERVER_ERROR with status 404 here, unless it answers an upload: Anthropic's API does
    not find a batch for some seconds after it was posted, and now and then later (seen in the
    field), which must not park a pool as an unknown model does.
    """

    def __init__(
        self,
        http: HttpClient,
        headers: Sequence[tuple[bytes, bytes]],
        caller: Caller,
        clock: Clock,
    ) -> None:
        self.caller = caller
        self._http = http
        self._headers = headers
        self._clock = clock

    async def get(
        self, path: str, kind: type[T], query: Mapping[str, str] | None = None
    ) -> T | Failure:
        """GET one object."""
        return self._found(path, self._read(await self._http.get(path, self._headers, query), kind))

    async def post(self, path: str, kind: type[T]) -> T | Failure:
        """POST without a body, to something that is there."""
        reply = await self._http.post_json(path, self._headers, b"")
        return self._found(path, self._read(reply, kind))

    async def upload(
        self, path: str, kind: type[T], parts: Sequence[bytes], content_type: str
    ) -> T | Failure:
        """POST a body of any size that makes something new; it is never sent twice."""
        others = [each for each in self._headers if each[0] != b"content-type"]
        headers = [*others, (b"content-type", content_type.encode())]
        return self._read(await self._http.upload(path, headers, parts), kind)

    async def lines(self, path: str) -> AsyncGenerator[bytes | Failure, None]:
        """The lines of a file as they arrive; a Failure comes last."""
        async with aclosing(self._http.lines(path, self._headers)) as lines:
            async for line in lines:
                if isinstance(line, bytes):
                    yield line
                else:
                    yield self._found(path, self._failure(line))

    async def newest(
        self, path: str, page: type[Page[N]], cursor: str, is_too_old: Callable[[N], bool]
    ) -> list[N] | Failure:
        """What is listed down to the first that is too old; `cursor` names the parameter that
        takes the last id of the page before."""
        found: list[N] = []
        query = {"limit": str(PAGE_SIZE)}
        while True:
            listed = await self.get(path, page, query)
            if isinstance(listed, Failure):
                return listed
            last = listed.data[-1] if listed.data else None
            if last is None or last.id == query.get(cursor):
                return found
            found += (each for each in listed.data if not is_too_old(each))
            if not listed.has_more or is_too_old(last):
                return found
            query[cursor] = last.id

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    def _read(self, reply: HttpResponse | HttpTrouble, kind: type[T]) -> T | Failure:
        if isinstance(reply, HttpTrouble) or not 200 <= reply.status < 300:
            return self._failure(reply)
        try:
            return msgspec.json.decode(reply.body, type=kind)
        except UNREADABLE:
            return self._failure(reply)

    def _failure(self, reply: HttpResponse | HttpTrouble) -> Failure:
        if isinstance(reply, HttpTrouble):
            return without_response(reply, self.caller)
        now = self._clock.now_ms()
        return classify(reply.status, reply.headers, reply.body, self.caller, now_ms=now)

    def _found(self, path: str, came: T | Failure) -> T | Failure:
        if not isinstance(came, Failure) or came.status != 404:
            return came
        reason = (
            f"{self.caller.host} answered 404 to {path}: what was posted just now is not found "
            "there at once, and what is old is deleted. gradeq asks again."
        )
        return replace(came, error=ErrorClass.SERVER_ERROR, reason=reason, parked_until_ms=None)
