"""Secrets that let somebody in: made here, shown once, kept only as a hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from gradeq.store.people import NewPass, PassKind, People, PersonRow, Role

SESSION_SECONDS = 30 * 24 * 3600.0
"""A browser is signed out when it was not used for so long."""
LINK_SECONDS = 7 * 24 * 3600.0
_HANDLE_BYTES = 8
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Secret:
    """`text` is all that whoever comes in has to tell; it begins with the `handle`."""

    handle: str
    text: str = field(repr=False)

    def as_pass(
        self, kind: PassKind, label: str = "", lifetime_seconds: float | None = None
    ) -> NewPass:
        """What the store keeps of it."""
        return NewPass(self.handle, kind, _hashed(self.text), label, lifetime_seconds)


def new_secret() -> Secret:
    handle = secrets.token_hex(_HANDLE_BYTES)
    return Secret(handle, f"{handle}.{secrets.token_urlsafe(_SECRET_BYTES)}")


def handle_of(told: str) -> str:
    """The part of a told secret by which its hash is found."""
    return told.partition(".")[0]


def fits(told: str, sha256: str) -> bool:
    """Whether `told` is the text that was kept as `sha256`; takes the same time either way."""
    return hmac.compare_digest(_hashed(told), sha256)


@dataclass(frozen=True, slots=True)
class GivenToken:
    secret: Secret
    person: PersonRow


async def give_token_to(
    people: People,
    name: str,
    *,
    role: Role | None = None,
    courses: Sequence[str] | None = None,
    label: str = "",
    lifetime_seconds: float | None = None,
) -> GivenToken:
    """Put the person on the list, or change her there, and give her a token.

    Raises ConflictError where the last administrator would become a teacher.
    """
    person = await people.put(name, role, courses)
    secret = new_secret()
    await people.give(name, secret.as_pass(PassKind.TOKEN, label, lifetime_seconds))
    return GivenToken(secret, person)


async def give_link_to(people: People, name: str) -> str:
    """A code that signs `name` in, once. Raises NotFoundError for an unknown name."""
    return await _new_link(people, name)


async def first_code(people: People) -> str | None:
    """A code that makes the first administrator; None where there is one."""
    return None if await people.has_administrator() else await _new_link(people, None)


async def _new_link(people: People, name: str | None) -> str:
    secret = new_secret()
    await people.give(name, secret.as_pass(PassKind.LINK, lifetime_seconds=LINK_SECONDS))
    return secret.text


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
