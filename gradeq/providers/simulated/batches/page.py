"""What the two batch APIs share: the form of an answer, a query, one page of a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl

import msgspec

from gradeq.providers.simulated.http1 import JSON, Request


class Named(Protocol):
    """Anything that a list can be paged by."""

    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=Named)


@dataclass(frozen=True, slots=True)
class Page:
    """The body of a 200."""

    body: bytes
    kind: bytes = JSON

    @classmethod
    def of(cls, value: Any) -> Page:
        return cls(msgspec.json.encode(value))


def query_of(request: Request) -> Mapping[str, str]:
    """The parameters behind the path's question mark."""
    return dict(parse_qsl(request.query.decode("latin-1")))


def page_after(listed: Sequence[T], after: str | None, limit: int) -> tuple[Sequence[T], bool]:
    """The first `limit` of `listed` that stand behind `after`, and whether more follow.

    Raises LookupError where nothing is called `after`.
    """
    start = 0 if after is None else _place(listed, after) + 1
    return listed[start : start + limit], start + limit < len(listed)


def page_before(listed: Sequence[T], before: str, limit: int) -> tuple[Sequence[T], bool]:
    """The last `limit` of `listed` that stand before `before`, and whether more precede them."""
    end = _place(listed, before)
    start = max(0, end - limit)
    return listed[start:end], start > 0


def _place(listed: Sequence[T], wanted: str) -> int:
    for place, each in enumerate(listed):
        if each.id == wanted:
            return place
    raise LookupError(wanted)
