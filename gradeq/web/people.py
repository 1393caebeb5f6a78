"""Who stands before a page, and what that person may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

NAME_COOKIE = "gradeq_name"
_A_YEAR = 365 * 24 * 3600
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Person:
    """`name` stands on every edit and release, and is empty until it was told. `courses` are those
    that a teacher was given; None means all of them."""

    name: str = ""
    is_admin: bool = True
    courses: frozenset[str] | None = None

    def sees(self, course: str) -> bool:
        return self.is_admin or self.courses is None or course in self.courses


class Identity(Protocol):
    """How an embedding application tells who its users are."""

    async def person(self, request: Request) -> Person | None:
        """None where nobody has signed in."""
        ...


class WhoeverIsHere:
    """Everybody who passed the gate may do everything, in the name that the browser remembers."""

    async def person(self, request: Request) -> Person | None:
        return Person(unquote(request.cookies.get(NAME_COOKIE, "")))


def cleaned_name(told: str) -> str:
    """A name as it can stand on a release: one line, at most 200 characters; may be empty."""
    return " ".join(told.split())[:_LONGEST_NAME]


def remember_name(answer: Response, name: str, request: Request) -> None:
    """Let this browser tell the name from now on."""
    answer.set_cookie(
        NAME_COOKIE,
        quote(name),
        max_age=_A_YEAR,
        path=request.scope.get("root_path", "") or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
