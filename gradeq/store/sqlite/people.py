"""People on disk: their roles, their courses, and the passes that let them in."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from gradeq.errors import ConflictError, NotFoundError
from gradeq.store.people import NewPass, PassKind, PassRow, PersonRow, Role
from gradeq.store.sqlite import reads
from gradeq.store.sqlite.overnight import Read, Write
from gradeq.store.sqlite.tx import Tx, as_json, from_json

T = TypeVar("T")


@dataclass(slots=True)
class SqlitePeople:
    """People over a store's way to write and to read."""

    write: Write
    read: Read
    changes: int = 0

    async def is_empty(self) -> bool:
        return not await self.read(lambda tx: tx.value("people_any"))

    async def has_administrator(self) -> bool:
        return bool(await self.read(lambda tx: tx.value("people_administrators")))

    async def everybody(self) -> list[PersonRow]:
        return await self.read(lambda tx: reads.every(tx, "people_all", _person))

    async def find(self, name: str) -> PersonRow | None:
        return await self.read(partial(_find, name=name))

    async def put(
        self, name: str, role: Role | None = None, courses: Sequence[str] | None = None
    ) -> PersonRow:
        return await self._change(partial(_put, name=name, role=role, courses=courses))

    async def give(self, name: str | None, new: NewPass) -> None:
        await self._change(partial(_give, name=name, new=new))

    async def valid_pass(self, handle: str) -> PassRow | None:
        return await self.read(partial(_valid, handle=handle))

    async def passes(self, kind: PassKind) -> list[PassRow]:
        return await self.read(
            lambda tx: reads.every(tx, "passes_of_kind", _pass, kind=kind, now=tx.now)
        )

    async def used(self, handle: str, lifetime_seconds: float | None = None) -> None:
        noting = partial(_used, handle=handle, lifetime=lifetime_seconds)
        await self.write(noting, durable=False)

    async def redeem(self, handle: str, session: NewPass, name: str = "") -> PersonRow:
        return await self._change(partial(_redeem, handle=handle, session=session, name=name))

    async def end(self, handle: str) -> bool:
        return await self._change(lambda tx: tx.run("pass_end", handle=handle).rowcount > 0)

    async def end_all(self, name: str, kinds: Sequence[PassKind]) -> int:
        return await self._change(partial(_end_all, name=name, kinds=kinds))

    async def _change(self, work: Callable[[Tx], T]) -> T:
        try:
            return await self.write(work)
        finally:
            self.changes += 1


def _person(row: sqlite3.Row) -> PersonRow:
    courses = tuple(sorted(from_json(row["courses"])))
    return PersonRow(row["id"], row["name"], Role(row["role"]), courses, row["created_at"])


def _pass(row: sqlite3.Row) -> PassRow:
    person = None
    if row["person_id"] is not None:
        courses = tuple(sorted(from_json(row["courses"])))
        role, since = Role(row["role"]), row["person_created_at"]
        person = PersonRow(row["person_id"], row["name"], role, courses, since)
    return PassRow(
        handle=row["handle"],
        kind=PassKind(row["kind"]),
        sha256=row["sha256"],
        label=row["label"],
        person=person,
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
    )


def _find(tx: Tx, name: str) -> PersonRow | None:
    return reads.first(tx, "person_by_name", _person, name=name)


def _known(tx: Tx, name: str) -> PersonRow:
    found = _find(tx, name)
    if found is None:
        raise NotFoundError(f"nobody here is called {name!r}; nothing was changed")
    return found


def _put(tx: Tx, name: str, role: Role | None, courses: Sequence[str] | None) -> PersonRow:
    before = _find(tx, name)
    if before is None:
        tx.run("person_insert", name=name, role=role or Role.TEACHER, now=tx.now)
    elif role is not None:
        _keep_an_administrator(tx, before, role)
        tx.run("person_set_role", id=before.id, role=role)
    person = _known(tx, name)
    if courses is not None or person.role is Role.ADMINISTRATOR:
        tx.run("courses_take", id=person.id)
    if courses is not None and person.role is Role.TEACHER:
        tx.run("courses_give", id=person.id, courses=as_json(list(courses)))
    return _known(tx, name)


def _keep_an_administrator(tx: Tx, before: PersonRow, role: Role) -> None:
    is_leaving = before.role is Role.ADMINISTRATOR and role is Role.TEACHER
    if is_leaving and tx.value("people_administrators") == 1:
        raise ConflictError(
            f"{before.name} is the last administrator, so nothing was changed; make somebody else "
            "an administrator first"
        )


def _give(tx: Tx, name: str | None, new: NewPass) -> None:
    if name is None:
        tx.run("passes_of_nobody_end")
    _insert(tx, None if name is None else _known(tx, name).id, new)


def _insert(tx: Tx, person_id: int | None, new: NewPass) -> None:
    tx.run("passes_over", now=tx.now)
    tx.run(
        "pass_insert",
        handle=new.handle,
        kind=new.kind,
        person_id=person_id,
        label=new.label,
        sha256=new.sha256,
        expires_at=_until(tx, new.lifetime_seconds),
        now=tx.now,
    )


def _until(tx: Tx, lifetime: float | None) -> int | None:
    return None if lifetime is None else tx.now + round(1000 * lifetime)


def _valid(tx: Tx, handle: str) -> PassRow | None:
    return reads.first(tx, "pass_valid", _pass, handle=handle, now=tx.now)


def _used(tx: Tx, handle: str, lifetime: float | None) -> None:
    tx.run("pass_used", handle=handle, expires_at=_until(tx, lifetime), now=tx.now)


def _redeem(tx: Tx, handle: str, session: NewPass, name: str) -> PersonRow:
    link = _valid(tx, handle)
    if link is None or link.kind is not PassKind.LINK:
        raise NotFoundError("this link was used already, or has ended; nobody was signed in")
    tx.run("pass_end", handle=handle)
    person = link.person or _put(tx, name, Role.ADMINISTRATOR, None)
    _insert(tx, person.id, session)
    return person


def _end_all(tx: Tx, name: str, kinds: Sequence[PassKind]) -> int:
    ended: dict[str, Any] = {"person_id": _known(tx, name).id, "kinds": as_json(list(kinds))}
    return tx.run("passes_end_all", **ended).rowcount
