"""Who asks, and what that person may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, unquote

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from gradeq.store.people import PersonRow, Role
from gradeq.web.cookies import remember

NAME_COOKIE = "gradeq_name"
_A_YEAR = 365 * 24 * 3600
_LONGEST_NAME = 200
_SCOPE_KEY = "gradeq.person"


@dataclass(frozen=True, slots=True)
class Person:
    """`name` stands on every edit and release, and is empty until it was told. `courses` are those
    that a teacher was given; None means all of them. A guest's name is what the browser remembers:
    nobody has checked it."""

    name: str = ""
    is_admin: bool = True
    courses: frozenset[str] | None = None
    is_guest: bool = False

    def sees(self, course: str) -> bool:
        return self.is_admin or self.courses is None or course in self.courses

    @property
    def sees_everything(self) -> bool:
        return self.is_admin or self.courses is None

    @property
    def is_signed_in(self) -> bool:
        """The name is known to be this person's."""
        return bool(self.name) and not self.is_guest


NOBODY = Person(is_admin=False, courses=frozenset())


class Identity(Protocol):
    """How an embedding application tells who its users are."""

    async def person(self, request: HTTPConnection) -> Person | None:
        """None where nobody has signed in: then the request is refused."""
        ...


def known_person(row: PersonRow) -> Person:
    """A person of gradeq's own list."""
    if row.role is Role.ADMINISTRATOR:
        return Person(row.name)
    return Person(row.name, is_admin=False, courses=frozenset(row.courses))


def guest(request: HTTPConnection) -> Person:
    """Somebody who may do everything, in the name that the browser remembers."""
    return Person(unquote(request.cookies.get(NAME_COOKIE, "")), is_guest=True)


def let_in(request: HTTPConnection, person: Person) -> None:
    """Tell whatever answers this request who asks."""
    request.scope[_SCOPE_KEY] = person


def person_of(request: HTTPConnection) -> Person:
    """Who asks; NOBODY where nobody was let in."""
    found: Person = request.scope.get(_SCOPE_KEY, NOBODY)
    return found


def cleaned_name(told: str) -> str:
    """A name as it can stand on a release: one line, at most 200 characters; may be empty."""
    return " ".join(told.split())[:_LONGEST_NAME]


def remember_name(answer: Response, name: str, request: Request) -> None:
    """Let this browser tell the name from now on."""
    remember(answer, request, NAME_COOKIE, quote(name), _A_YEAR)
