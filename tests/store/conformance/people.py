"""Who works here, and what lets them in."""

from __future__ import annotations

import pytest

from gradeq.clock import ManualClock
from gradeq.errors import ConflictError, NotFoundError
from gradeq.store.base import Store
from gradeq.store.people import NewPass, PassKind, Role

from .base import Suite
from .helpers import StoreMaker, add, items, queued, submit

HASH = "0" * 64
DAY = 24 * 3600.0


def link(handle: str = "link", lifetime: float = DAY) -> NewPass:
    return NewPass(handle, PassKind.LINK, HASH, lifetime_seconds=lifetime)


def session(handle: str = "session", lifetime: float = DAY) -> NewPass:
    return NewPass(handle, PassKind.SESSION, HASH, lifetime_seconds=lifetime)


def token(handle: str = "token", lifetime: float | None = None) -> NewPass:
    return NewPass(handle, PassKind.TOKEN, HASH, "for a script", lifetime)


class PeopleSuite(Suite):
    """The list of people."""

    async def test_at_first_nobody_is_known(self, store: Store) -> None:
        assert await store.people.is_empty()
        assert not await store.people.has_administrator()
        assert await store.people.everybody() == []
        assert await store.people.find("Ada") is None

    async def test_who_is_new_is_a_teacher_with_her_courses(self, store: Store) -> None:
        ada = await store.people.put("Ada", courses=["physics", "art", "art"])
        assert (ada.role, ada.courses) == (Role.TEACHER, ("art", "physics"))
        await store.people.put("Bo", Role.ADMINISTRATOR)
        assert [one.name for one in await store.people.everybody()] == ["Ada", "Bo"]
        assert await store.people.find("Ada") == ada
        assert not await store.people.is_empty()
        assert await store.people.has_administrator()

    async def test_what_is_not_told_stays(self, store: Store) -> None:
        await store.people.put("Bo", Role.ADMINISTRATOR)
        await store.people.put("Ada", Role.TEACHER, ["art"])
        assert (await store.people.put("Ada")).courses == ("art",)
        assert (await store.people.put("Ada", courses=[])).courses == ()
        promoted = await store.people.put("Ada", Role.ADMINISTRATOR, ["art"])
        assert (promoted.role, promoted.courses) == (Role.ADMINISTRATOR, ())

    async def test_changes_are_counted(self, store: Store) -> None:
        people = store.people
        seen = [people.changes]
        await people.put("Bo", Role.ADMINISTRATOR)
        seen.append(people.changes)
        await people.give("Bo", token())
        seen.append(people.changes)
        await people.end("token")
        seen.append(people.changes)
        await people.end_all("Bo", [PassKind.SESSION])
        seen.append(people.changes)
        assert sorted(set(seen)) == seen
        await people.used("token")
        await people.everybody()
        assert people.changes == seen[-1]

    async def test_the_last_administrator_stays_one(self, store: Store) -> None:
        await store.people.put("Bo", Role.ADMINISTRATOR)
        with pytest.raises(ConflictError, match="last administrator"):
            await store.people.put("Bo", Role.TEACHER, ["art"])
        await store.people.put("Ada", Role.ADMINISTRATOR)
        assert (await store.people.put("Bo", Role.TEACHER)).role is Role.TEACHER

    async def test_people_are_on_disk(self, make_store: StoreMaker) -> None:
        first = await make_store()
        await first.people.put("Ada", courses=["art"])
        await first.people.give("Ada", token())
        await first.close()
        again = await make_store()
        found = await again.people.valid_pass("token")
        assert found is not None
        assert found.person == await again.people.find("Ada")


class PassSuite(Suite):
    """Tokens, sessions and links."""

    async def test_a_pass_is_its_persons(self, store: Store) -> None:
        ada = await store.people.put("Ada", courses=["art"])
        await store.people.give("Ada", token())
        found = await store.people.valid_pass("token")
        assert found is not None
        assert (found.kind, found.person, found.sha256) == (PassKind.TOKEN, ada, HASH)
        assert (found.label, found.last_used_at, found.expires_at) == ("for a script", None, None)
        assert await store.people.passes(PassKind.TOKEN) == [found]
        assert await store.people.passes(PassKind.SESSION) == []
        assert await store.people.valid_pass("other") is None

    async def test_it_tells_what_the_person_may_do_now(self, store: Store) -> None:
        await store.people.put("Ada", courses=["art"])
        await store.people.give("Ada", token())
        await store.people.put("Ada", courses=["physics"])
        found = await store.people.valid_pass("token")
        assert found is not None
        assert found.person is not None
        assert found.person.courses == ("physics",)

    async def test_nobody_gets_a_pass_but_who_is_known(self, store: Store) -> None:
        with pytest.raises(NotFoundError):
            await store.people.give("Ada", token())

    async def test_a_pass_ends(self, store: Store, clock: ManualClock) -> None:
        await store.people.put("Ada")
        await store.people.give("Ada", token(lifetime=DAY))
        clock.advance(DAY - 1)
        assert await store.people.valid_pass("token") is not None
        clock.advance(1)
        assert await store.people.valid_pass("token") is None
        assert await store.people.passes(PassKind.TOKEN) == []

    async def test_use_moves_the_end(self, store: Store, clock: ManualClock) -> None:
        await store.people.put("Ada")
        await store.people.give("Ada", session())
        clock.advance(DAY / 2)
        await store.people.used("session", DAY)
        clock.advance(DAY - 1)
        found = await store.people.valid_pass("session")
        assert found is not None
        assert found.last_used_at == clock.now_ms() - (DAY - 1) * 1000
        clock.advance(1)
        assert await store.people.valid_pass("session") is None

    async def test_use_of_what_does_not_end_is_only_noted(
        self, store: Store, clock: ManualClock
    ) -> None:
        await store.people.put("Ada")
        await store.people.give("Ada", token())
        await store.people.used("token")
        found = await store.people.valid_pass("token")
        assert found is not None
        assert (found.last_used_at, found.expires_at) == (clock.now_ms(), None)

    async def test_a_pass_is_taken_back(self, store: Store) -> None:
        await store.people.put("Ada")
        await store.people.give("Ada", token())
        assert await store.people.end("token")
        assert await store.people.valid_pass("token") is None
        assert not await store.people.end("token")

    async def test_all_sessions_of_one_person_end(self, store: Store) -> None:
        for name in ("Ada", "Bo"):
            await store.people.put(name)
            await store.people.give(name, session(f"session of {name}"))
            await store.people.give(name, token(f"token of {name}"))
        await store.people.give("Ada", link())
        assert await store.people.end_all("Ada", [PassKind.SESSION, PassKind.LINK]) == 2
        assert await store.people.valid_pass("session of Ada") is None
        assert await store.people.valid_pass("link") is None
        for handle in ("token of Ada", "session of Bo", "token of Bo"):
            assert await store.people.valid_pass(handle) is not None
        with pytest.raises(NotFoundError):
            await store.people.end_all("Cy", [PassKind.SESSION])


class LinkSuite(Suite):
    """Links that work once."""

    async def test_a_link_becomes_a_session_once(self, store: Store) -> None:
        ada = await store.people.put("Ada")
        await store.people.give("Ada", link())
        assert await store.people.redeem("link", session()) == ada
        found = await store.people.valid_pass("session")
        assert found is not None
        assert found.person == ada
        with pytest.raises(NotFoundError, match="used already"):
            await store.people.redeem("link", session("another"))
        assert await store.people.valid_pass("another") is None

    async def test_neither_a_token_nor_an_old_link_is_redeemed(
        self, store: Store, clock: ManualClock
    ) -> None:
        await store.people.put("Ada")
        await store.people.give("Ada", token())
        await store.people.give("Ada", link())
        clock.advance(DAY)
        for handle in ("token", "link", "nothing"):
            with pytest.raises(NotFoundError):
                await store.people.redeem(handle, session())
        assert await store.people.valid_pass("token") is not None

    async def test_the_first_link_makes_an_administrator(self, store: Store) -> None:
        await store.people.give(None, link())
        found = await store.people.valid_pass("link")
        assert found is not None
        assert found.person is None
        made = await store.people.redeem("link", session(), "Bo")
        assert (made.name, made.role) == ("Bo", Role.ADMINISTRATOR)
        assert await store.people.everybody() == [made]

    async def test_a_new_first_link_replaces_the_one_before(self, store: Store) -> None:
        await store.people.give(None, link("old"))
        await store.people.give(None, link("new"))
        assert await store.people.valid_pass("old") is None
        assert await store.people.valid_pass("new") is not None

    async def test_with_an_administrator_the_first_link_is_worth_nothing(
        self, store: Store
    ) -> None:
        await store.people.give(None, link())
        await store.people.put("Ada", Role.TEACHER)
        assert await store.people.valid_pass("link") is not None
        await store.people.put("Bo", Role.ADMINISTRATOR)
        assert await store.people.valid_pass("link") is None
        with pytest.raises(NotFoundError):
            await store.people.redeem("link", session(), "Eve")


class CourseSuite(Suite):
    """Which courses papers and batches belong to."""

    async def test_papers_know_their_courses(self, store: Store) -> None:
        [art] = await add(store, "a", course="art")
        [physics] = await add(store, "b", course="physics")
        assert await store.courses_of([physics, art, 99]) == {art: "art", physics: "physics"}
        assert await store.courses_of([]) == {}

    async def test_batches_are_listed_by_their_courses(self, store: Store) -> None:
        art = await add(store, "a", course="art")
        physics = await add(store, "b", course="physics")
        ours = (await submit(store, art)).id
        theirs = (await submit(store, physics)).id
        mixed = (await submit(store, [*art, *physics], grader="other")).id
        neither = (await items(store)).id
        biology = (await queued(store, "c", "d")).id
        assert await store.courses_of_batch(mixed) == ["art", "physics"]
        assert await store.courses_of_batch(neither) == []
        assert await store.courses_of_batch(biology) == ["biology"]

        async def seen(*courses: str) -> list[int]:
            return [one.id for one in await store.batches(courses=courses)]

        assert await seen("art") == [ours]
        assert await seen("physics") == [theirs]
        assert await seen("art", "physics") == [mixed, theirs, ours]
        assert await seen() == []
        assert len(await store.batches()) == 5
        [newest] = await store.batches(courses=["art", "physics"], limit=1)
        assert newest.id == mixed
        older = await store.batches(courses=["art"], before=mixed)
        assert [one.id for one in older] == [ours]
