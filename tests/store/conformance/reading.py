"""What can be read: badges, lists and pages, places in the queue."""

from __future__ import annotations

from typing import Any

from gradeq.clock import ManualClock
from gradeq.model import Grade, JobState, SubmissionStatus
from gradeq.outcome import ErrorClass
from gradeq.store.base import Store
from gradeq.store.rows import Backlog, Badges, PaperOrder, Totals

from .base import Suite
from .helpers import (
    ASSIGNMENT,
    COURSE,
    POOL,
    add,
    again,
    attempt,
    claim,
    claim_one,
    done,
    failed,
    graded,
    items,
    queued,
    settle,
    submit,
)


class ReadingSuite(Suite):
    async def test_badges(self, store: Store) -> None:
        assert await store.badges(COURSE, ASSIGNMENT) is None
        await add(store, "draft", status=SubmissionStatus.IN_PROGRESS)
        await queued(store, "waiting")
        await add(store, "ann", assignment="essay-2")
        assert await store.badges(COURSE, ASSIGNMENT) == Badges(
            in_progress=1, submitted=1, grading=1
        )
        assert await store.assignments() == [
            (COURSE, ASSIGNMENT, Badges(in_progress=1, submitted=1, grading=1)),
            (COURSE, "essay-2", Badges(submitted=1)),
        ]

    async def test_a_tab_page_by_page(self, store: Store) -> None:
        ids = await add(store, *"abcde")
        await graded(store, "done")
        await add(store, "elsewhere", assignment="essay-2")
        submitted = SubmissionStatus.SUBMITTED
        seen: list[int] = []
        while page := await store.submissions(
            COURSE, ASSIGNMENT, submitted, after=seen[-1] if seen else 0, limit=2
        ):
            assert len(page) <= 2
            seen += [one.id for one in page]
        assert seen == ids

    async def test_all_tabs_at_once_are_in_order(self, store: Store) -> None:
        [first] = await add(store, "first")
        [second] = await graded(store, "second")
        [third] = await add(store, "third", status=SubmissionStatus.IN_PROGRESS)
        [away] = await add(store, "away")
        await store.archive([away])
        found = await store.submissions(COURSE, ASSIGNMENT)
        assert [one.id for one in found] == [first, second, third]
        assert [one.id for one in await store.submissions(COURSE, ASSIGNMENT, limit=2)] == [
            first,
            second,
        ]
        archived = await store.submissions(COURSE, ASSIGNMENT, archived=True)
        assert [one.id for one in archived] == [away]

    async def test_a_tab_in_every_order(self, store: Store) -> None:
        await add(store, "p1", student="zoe")
        await add(store, "p2", student="Ann")
        await add(store, "p3")
        await add(store, "p4", student="Özil")
        await graded(store, "p5", "p6")
        await add(store, "p7", status=SubmissionStatus.IN_PROGRESS)
        await add(store, "p8", assignment="essay-2")
        away = await add(store, "p9", student="Ann")
        await store.archive(away)
        submitted = SubmissionStatus.SUBMITTED

        async def own_ids(status: SubmissionStatus | None, **chosen: Any) -> list[str]:
            rows = await store.results(await store.tab(COURSE, ASSIGNMENT, status, **chosen))
            return [row.submission.external_id for row in rows]

        assert await own_ids(submitted) == ["p1", "p2", "p3", "p4"]
        assert await own_ids(submitted, order=PaperOrder.STUDENT) == ["p2", "p3", "p1", "p4"]
        assert await own_ids(submitted, find="öZ") == ["p4"]
        assert await own_ids(submitted, find="P3") == ["p3"]
        assert await own_ids(submitted, find="%") == []
        assert await own_ids(None) == ["p9"]
        assert await own_ids(None, find="ann", order=PaperOrder.SCORE) == ["p9"]
        assert await own_ids(SubmissionStatus.RELEASED) == []
        best, worst = await store.tab(COURSE, ASSIGNMENT, SubmissionStatus.GRADED)
        await store.edit_grade(worst, Grade(0.5, 4.0), "Ms Lee")
        by_score = await store.tab(
            COURSE, ASSIGNMENT, SubmissionStatus.GRADED, order=PaperOrder.SCORE
        )
        assert by_score == [worst, best]
        assert await store.tab(COURSE, "none", submitted) == []

    async def test_a_search_folds_the_case_of_all_letters(self, store: Store) -> None:
        await add(store, "p1", student="Strauß")
        await add(store, "p2", student="STRAUSS")
        await add(store, "p_3", student="Élise")
        await add(store, "p\\4", student="ELISE")
        tab = SubmissionStatus.SUBMITTED

        async def found(find: str) -> list[str]:
            rows = await store.results(await store.tab(COURSE, ASSIGNMENT, tab, find=find))
            return [row.submission.external_id for row in rows]

        assert await found("strauss") == await found("AUẞ") == ["p1", "p2"]
        assert await found("éL") == ["p_3"]
        assert await found("el") == ["p\\4"]
        assert await found("_") == ["p_3"]
        assert await found("\\") == ["p\\4"]

    async def test_open_batches_belong_where_their_first_paper_does(self, store: Store) -> None:
        [there] = await add(store, "there", assignment="essay-2")
        first = await queued(store, "a", "b")
        mixed = await submit(store, [*await add(store, "c"), there])
        over = await queued(store, "d")
        await store.cancel(batch_id=over.id)
        await items(store)
        found = await store.open_batches_of(COURSE, ASSIGNMENT)
        assert [one.id for one in found] == [first.id, mixed.id]
        assert found[0].pending == 2
        assert await store.open_batches_of(COURSE, "essay-2") == []

    async def test_finding_by_the_users_own_ids(self, store: Store) -> None:
        [here] = await add(store, "ann")
        [there] = await add(store, "ann", assignment="essay-2")
        assert await store.find_submissions(["ann", "who"], None, None) == {"ann": [here, there]}
        assert await store.find_submissions(["ann"], COURSE, "essay-2") == {"ann": [there]}
        assert await store.find_submissions([], None, None) == {}

    async def test_what_can_be_graded(self, store: Store) -> None:
        waiting = await add(store, "a", "b")
        await graded(store, "done")
        await add(store, "draft", status=SubmissionStatus.IN_PROGRESS)
        [away] = await add(store, "away")
        await store.archive([away])
        assert await store.gradable(COURSE, ASSIGNMENT) == waiting
        assert await store.gradable(COURSE, "none") == []

    async def test_what_is_not_there(self, store: Store) -> None:
        assert await store.submission(9) is None
        assert await store.job(9) is None
        assert await store.rubric(9) is None
        assert await store.assignment_rubric(COURSE, ASSIGNMENT) is None
        assert await store.position(9) is None
        assert await store.unapplied_answer(9, "key") is None
        assert await store.grades(9) == await store.attempts(9) == await store.results([9]) == []

    async def test_jobs_page_by_page_and_by_state(self, store: Store) -> None:
        submitted = await items(store, 5)
        first, second = await claim(store, 2)
        await settle(store, done(first, None), failed(second))
        batch = submitted.id
        assert [one.id for one in await store.jobs(batch_id=batch, limit=2)] == list(
            submitted.job_ids[:2]
        )
        after = submitted.job_ids[1]
        assert len(await store.jobs(batch_id=batch, after=after)) == 3
        [only] = await store.jobs(batch_id=batch, state=JobState.FAILED)
        assert only.id == second.job.id
        assert await store.jobs(batch_id=999) == []

    async def test_batches_newest_first(self, store: Store) -> None:
        ids = [(await items(store)).id for _ in range(5)]
        page = await store.batches(limit=2)
        assert [one.id for one in page] == ids[:-3:-1]
        rest = await store.batches(before=page[-1].id)
        assert [one.id for one in rest] == ids[2::-1]

    async def test_rubrics_have_versions(self, store: Store, clock: ManualClock) -> None:
        first = await store.save_rubric("essay", "a" * 64, "one")
        assert await store.save_rubric("essay", "a" * 64, "one") == first
        second = await store.save_rubric("essay", "b" * 64, "two")
        other = await store.save_rubric("poem", "a" * 64, "one")
        rows = [await store.rubric(one) for one in (first, second, other)]
        told = [(row.name, row.version, row.source) for row in rows if row]
        assert told == [("essay", 1, "one"), ("essay", 2, "two"), ("poem", 1, "one")]
        await store.assign_rubric(COURSE, ASSIGNMENT, second)
        assert await store.assignment_rubric(COURSE, ASSIGNMENT) == second

    async def test_an_assignment_remembers_its_rubrics(
        self, store: Store, clock: ManualClock
    ) -> None:
        assert await store.rubric_versions(COURSE, ASSIGNMENT) == []
        first = await store.save_rubric("one.toml", "a" * 64, "one")
        second = await store.save_rubric("two.toml", "b" * 64, "two")
        await store.assign_rubric(COURSE, ASSIGNMENT, second)
        clock.advance(5)
        await store.assign_rubric(COURSE, ASSIGNMENT, first)
        await store.assign_rubric("chemistry", "acids", second)
        clock.advance(5)
        await store.assign_rubric(COURSE, ASSIGNMENT, second)
        newest, oldest = await store.rubric_versions(COURSE, ASSIGNMENT)
        assert newest.rubric == await store.rubric(first)
        assert oldest.rubric == await store.rubric(second)
        assert [(one.number, one.is_assigned) for one in (oldest, newest)] == [
            (1, True),
            (2, False),
        ]
        assert oldest.assigned_at == newest.assigned_at + 5000 == clock.now_ms()

    async def test_versions_tell_what_they_graded_and_who_still_uses_them(
        self, store: Store
    ) -> None:
        rubric_id = await store.save_rubric("essay", "a" * 64, "source")
        await store.assign_rubric(COURSE, ASSIGNMENT, rubric_id)
        await store.assign_rubric("chemistry", "acids", rubric_id)
        batch = await submit(store, await add(store, "ann", "bob"), rubric_id=rubric_id)
        await settle(store, done(await claim_one(store)))
        [here] = await store.rubric_versions(COURSE, ASSIGNMENT)
        assert (here.graded, here.open_batches) == (1, (batch.id,))
        await settle(store, done(await claim_one(store)))
        [here] = await store.rubric_versions(COURSE, ASSIGNMENT)
        assert (here.graded, here.open_batches) == (2, ())
        [there] = await store.rubric_versions("chemistry", "acids")
        assert (there.graded, there.open_batches) == (0, ())

    async def test_a_rubric_is_replaced_only_where_nobody_else_did(self, store: Store) -> None:
        ids = [await store.save_rubric("essay", letter * 64, letter) for letter in "abc"]
        first, second, third = ids
        assert await store.replace_rubric(COURSE, ASSIGNMENT, first, None)
        assert not await store.replace_rubric(COURSE, ASSIGNMENT, second, None)
        assert not await store.replace_rubric(COURSE, ASSIGNMENT, second, third)
        assert await store.assignment_rubric(COURSE, ASSIGNMENT) == first
        assert await store.replace_rubric(COURSE, ASSIGNMENT, second, first)
        assert await store.replace_rubric(COURSE, ASSIGNMENT, second, first)
        numbers = [one.number for one in await store.rubric_versions(COURSE, ASSIGNMENT)]
        assert numbers == [2, 1]

    async def test_what_a_few_papers_belong_to(self, store: Store) -> None:
        here = await add(store, "ann", "bob")
        there = await add(store, "ann", course="chemistry", assignment="acids")
        rubric_id = await store.save_rubric("essay", "a" * 64, "source")
        await store.assign_rubric(COURSE, ASSIGNMENT, rubric_id)
        found = await store.assignments_of([*here, *there, 999])
        assert sorted(found) == [
            (COURSE, ASSIGNMENT, rubric_id),
            ("chemistry", "acids", None),
        ]

    async def test_the_sums_of_all_there_ever_was(self, store: Store) -> None:
        assert await store.totals() == Totals()
        await items(store, 6)
        a, b, c, d = await claim(store, 4)
        await settle(store, done(a, None, attempt=attempt()), failed(b))
        refused = attempt(ErrorClass.RATE_LIMITED)
        await settle(store, again(c, error="rate_limited", reason="429", attempt=refused))
        await store.cancel(job_ids=[d.job.id])
        second = await items(store)
        await claim(store, 1)
        assert second.created == 1
        assert await store.totals() == Totals(
            batches=2,
            jobs=7,
            pending=3,
            processing=1,
            completed=1,
            failed=1,
            cancelled=1,
            requests=2,
            rate_limited=1,
            input_tokens=2400,
            output_tokens=600,
            cost=0.5,
        )

    async def test_limiter_state(self, store: Store) -> None:
        assert await store.pools() == {}
        await store.save_pool(POOL, {"level": 1})
        await store.save_pool(POOL, {"level": 2.5, "gate": None})
        await store.save_pool("other", {})
        assert await store.pools() == {POOL: {"level": 2.5, "gate": None}, "other": {}}

    async def test_limiter_readings(self, store: Store) -> None:
        await store.save_pool(POOL, {}, {"in_flight": 3})
        await store.save_pool("other", {})
        assert await store.readings() == {POOL: {"in_flight": 3}}
        await store.save_pool(POOL, {})
        assert await store.readings() == {}

    async def test_a_parking_is_told_once_and_so_is_its_end(self, store: Store) -> None:
        why = {"parked_reason": "no credit", "parked_cause": "quota"}
        parked = {**why, "parked_until_ms": 5, "parked_for": "x", "a": 1}
        await store.save_pool(POOL, {"a": 1})
        for _ in range(2):
            await store.save_pool(POOL, parked)
        await store.save_pool("began so", parked)
        assert await store.unpark(POOL)
        assert not await store.unpark(POOL)
        assert not await store.unpark("nobody's")
        assert (await store.pools())[POOL] == {**dict.fromkeys(parked), "a": 1}
        await store.save_pool("began so", {})
        told = [(one.kind, one.data) for one in await store.events(0)]
        reason = {"reason": "no credit"}
        assert told == [
            ("pool.parked", {"pool": POOL, **reason, "until": 5}),
            ("pool.parked", {"pool": "began so", **reason, "until": 5}),
            ("pool.resumed", {"pool": POOL, **reason, "until": None}),
            ("pool.resumed", {"pool": "began so", **reason, "until": None}),
        ]


class PositionSuite(Suite):
    async def ahead(self, store: Store, job_id: int) -> int:
        place = await store.position(job_id)
        assert place is not None
        return place.ahead

    async def test_a_place_in_the_queue(self, store: Store) -> None:
        first = await items(store, 3)
        second = await items(store, 2)
        assert [await self.ahead(store, one) for one in first.job_ids] == [0, 1, 2]
        assert [await self.ahead(store, one) for one in second.job_ids] == [3, 4]
        urgent = await items(store, 2, priority=1)
        assert await self.ahead(store, urgent.job_ids[1]) == 1
        assert await self.ahead(store, first.job_ids[0]) == 2
        await items(store, interactive=True, priority=10)
        assert await self.ahead(store, urgent.job_ids[0]) == 1

    async def test_the_place_moves_up(self, store: Store) -> None:
        submitted = await items(store, 3)
        await claim(store, 2)
        assert await self.ahead(store, submitted.job_ids[2]) == 0
        assert await store.position(submitted.job_ids[0]) is None

    async def test_why_it_waits(self, store: Store, clock: ManualClock) -> None:
        submitted = await items(store, 2)
        due = clock.now_ms() + 5000
        await settle(store, again(await claim_one(store), run_at=due))
        waiting = await store.position(submitted.job_ids[0])
        assert waiting is not None
        assert (waiting.waiting, waiting.run_at, waiting.pool) == (True, due, POOL)
        await store.pause(submitted.id, "Ms Lee", "wrong rubric")
        paused = await store.position(submitted.job_ids[1])
        assert paused is not None
        assert (paused.paused_by, paused.pause_reason) == ("Ms Lee", "wrong rubric")
        assert not paused.waiting

    async def test_paused_work_holds_up_nobody(self, store: Store) -> None:
        first = await items(store, 3)
        second = await items(store)
        await store.pause(first.id, "Ms Lee")
        assert await self.ahead(store, second.job_ids[0]) == 0

    async def test_the_backlog_by_what_it_waits_for(self, store: Store, clock: ManualClock) -> None:
        assert await store.backlog() == []
        await items(store, 3)
        await claim(store, 1)
        await items(store, run_at=clock.now_ms() + 1000)
        paused = await items(store, 2)
        await store.pause(paused.id, "Ms Lee")
        await items(store, pool="other")
        assert sorted(await store.backlog(), key=lambda one: one.pool) == [
            Backlog(POOL, ready=2, waiting=1, processing=1, paused=2),
            Backlog("other", ready=1),
        ]
        assert not any(one.is_idle for one in await store.backlog())

    async def test_a_finished_backlog_is_gone(self, store: Store) -> None:
        await items(store)
        await settle(store, done(await claim_one(store), None))
        assert await store.backlog() == []
