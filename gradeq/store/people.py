"""What gradeq asks of a store about the people who work with it, and what lets them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Role(StrEnum):
    """What a person may do."""

    ADMINISTRATOR = "administrator"
    """Everything."""
    TEACHER = "teacher"
    """What concerns the courses that she was given."""


class PassKind(StrEnum):
    """How a person is let in."""

    TOKEN = "token"  # noqa: S105 - a word, not a secret
    """For programs and the command line."""
    SESSION = "session"
    """A browser that has signed in."""
    LINK = "link"
    """Signs one browser in, once."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person; `courses` are those given to a teacher, by name."""

    id: int
    name: str
    role: Role
    courses: tuple[str, ...]
    created_at: int


@dataclass(frozen=True, slots=True)
class NewPass:
    """A pass to be made: `sha256` of its whole secret text, found again by the `handle` in it.

    It ends after `lifetime_seconds`, if that is not None; links and sessions always end.
    """

    handle: str
    kind: PassKind
    sha256: str
    label: str = ""
    lifetime_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class PassRow:
    """A pass that is valid. Only the link of the first start has no `person`."""

    handle: str
    kind: PassKind
    sha256: str
    label: str
    person: PersonRow | None
    created_at: int
    last_used_at: int | None
    expires_at: int | None


class People(Protocol):
    """Every method is one transaction, as in `gradeq.store.base`."""

    @property
    def changes(self) -> int:
        """Grows whenever this process changes who is let in, or who may do what."""
        ...

    async def is_empty(self) -> bool:
        """Nobody is known."""
        ...

    async def has_administrator(self) -> bool: ...

    async def everybody(self) -> list[PersonRow]:
        """All people, by name."""
        ...

    async def find(self, name: str) -> PersonRow | None: ...

    async def put(
        self, name: str, role: Role | None = None, courses: Sequence[str] | None = None
    ) -> PersonRow:
        """Make a person (a teacher, unless told otherwise), or change a known one.

        None leaves role or courses as they are. An administrator needs no courses and keeps none.
        Raises ConflictError where the last administrator would become a teacher.
        """
        ...

    async def give(self, name: str | None, new: NewPass) -> None:
        """Let a person in by one more pass. Raises NotFoundError where there is no such person.

        A link for nobody (None) makes the first administrator. It replaces the one before, and is
        valid as long as there is no administrator.
        """
        ...

    async def valid_pass(self, handle: str) -> PassRow | None:
        """The pass, if it has neither ended nor been taken back."""
        ...

    async def passes(self, kind: PassKind) -> list[PassRow]:
        """All valid ones of this kind, oldest first."""
        ...

    async def used(self, handle: str, lifetime_seconds: float | None = None) -> None:
        """Note that it was used now; with a lifetime, it ends so much later than now."""
        ...

    async def redeem(self, handle: str, session: NewPass, name: str = "") -> PersonRow:
        """Use up a link and begin the session of its person, in one transaction.

        `name` is of the administrator whom the link of the first start makes. Raises NotFoundError
        where the link is not valid any more.
        """
        ...

    async def end(self, handle: str) -> bool:
        """Take a pass back; False where there is none."""
        ...

    async def end_all(self, name: str, kinds: Sequence[PassKind]) -> int:
        """Take back all passes of these kinds that a person has; how many.

        Raises NotFoundError where there is no such person.
        """
        ...
