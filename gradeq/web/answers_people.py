"""What the service answers about people. Times are wall milliseconds since 1970 UTC."""

from __future__ import annotations

from msgspec import Struct

from gradeq.store.people import Role


class PersonAnswer(Struct, frozen=True):
    name: str
    role: Role
    courses: list[str]


class TokenAnswer(Struct, frozen=True):
    """A token as it can be told later; its secret cannot. `last_used_at` is exact to 10 minutes."""

    handle: str
    label: str
    person: PersonAnswer
    created_at: int
    last_used_at: int | None
    expires_at: int | None


class TokensAnswer(Struct, frozen=True):
    tokens: list[TokenAnswer]


class TokenGiven(Struct, frozen=True):
    """The `token` is told this once; only its hash is kept."""

    handle: str
    token: str
    person: PersonAnswer


class TokenRevoked(Struct, frozen=True):
    handle: str


class LinkGiven(Struct, frozen=True):
    """`path`, below the service's address, signs a browser in once; told this once."""

    path: str
    name: str
    expires_in_seconds: float
