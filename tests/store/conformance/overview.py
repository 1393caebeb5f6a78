"""What people look at: places, pages of papers, times and scores in numbers, what goes wrong."""

from __future__ import annotations

from gradeq.clock import ManualClock
from gradeq.model import Grade, JobState, SubmissionStatus
from gradeq.outcome import ErrorClass
from gradeq.store.base import Store
from gradeq.store.overview import Failure, Obstacle, Place, Resting, Scores, Times
from gradeq.store.rows import Seen

from .base import Suite
from .helpers import (
    ASSIGNMENT,
    BETTER,
    COURSE,
    POOL,
    add,
    again,
    claim,
    done,
    failed,
    graded,
    items,
    queued,
    settle,
    submit,
)


class OverviewSuite(Suite):
    async def test_batches_of_one_owner(self, store: Store) -> None:
        mine = [(await items(store, owner="Ms Lee")).id for _ in range(3)]
        await items(store, owner="Mr Fox")
        page = await store.batches(owner="Ms Lee", limit=2)
        assert [one.id for one in page] == mine[:0:-1]
        rest = await store.batches(owner="Ms Lee", before=page[-1].id)
        assert [one.id for one in rest] == mine[:1]
        assert await store.batches(owner="nobody") == []

    async def test_where_batches_belong(self, store: Store) -> None:
        one = await queued(store, "a", "b")
        there = await add(store, "c", course="art", assignment="essay-2")
        both = await submit(store, [*(await add(store, "d")), *there])
        none = await items(store)
        assert await store.overview.places([one.id, both.id, none.id, 999]) == {
            one.id: [Place(COURSE, ASSIGNMENT)],
            both.id: [Place("art", "essay-2"), Place(COURSE, ASSIGNMENT)],
        }

    async def test_what_decides_whether_papers_can_be_graded(self, store: Store) -> None:
        [edited] = await graded(store, "edited")
        await store.edit_grade(edited, BETTER, "Ms Lee")
        [found_right] = await graded(store, "found right")
        await store.review(found_right, "Ms Lee", Seen(1, 1))
        [released] = await graded(store, "released")
        await store.release([released], "Ms Lee")
        [draft] = await add(store, "draft", status=SubmissionStatus.IN_PROGRESS)
        texts = (
            "\n\t 3 words here",
            "x",
            "<p>",
            "\u3164",
            "Über",
            "word " * 20,
            " \n",
            "字",
            "word",
        )
        others = [(await add(store, f"p{n}", text=one))[0] for n, one in enumerate(texts)]
        await submit(store, others[:1])
        await store.archive(others[1:2])
        asked = [edited, 999, found_right, *others, draft, released]
        found = await store.overview.obstacles(asked, again=True, longest=99)
        assert {one: sorted(ids) for one, ids in found.items()} == {
            None: [found_right, others[4], *others[7:]],
            Obstacle.PERSON: [edited],
            Obstacle.QUEUED: others[:1],
            Obstacle.ARCHIVED: others[1:2],
            Obstacle.UNREAD: [*others[2:4], others[6]],
            Obstacle.TOO_LONG: others[5:6],
            Obstacle.IN_PROGRESS: [draft],
            Obstacle.RELEASED: [released],
        }
        found = await store.overview.obstacles(asked, again=False)
        assert found[Obstacle.GRADED] == [found_right]
        assert Obstacle.TOO_LONG not in found

    async def test_a_replaced_text_decides_anew(self, store: Store) -> None:
        [paper] = await add(store, "ann", text="words")
        await add(store, "ann", text="<p></p>")
        assert await store.overview.obstacles([paper], again=True) == {Obstacle.UNREAD: [paper]}
        await add(store, "ann", text="more words")
        found = await store.overview.obstacles([paper], again=True, longest=9)
        assert found == {Obstacle.TOO_LONG: [paper]}

    async def test_names_in_the_order_asked_for(self, store: Store) -> None:
        [ann] = await add(store, "ann")
        [bob] = await add(store, "bob", student="Bob B.")
        assert await store.overview.names([bob, 999, ann]) == ["Bob B.", "ann"]

    async def test_papers_page_by_page_and_by_state(self, store: Store, clock: ManualClock) -> None:
        batch = await submit(store, await add(store, "ann", "bob", "cid", student="Someone"))
        first, second = await claim(store, 2)
        due = clock.now_ms() + 5000
        await settle(store, failed(first, "no text"), again(second, run_at=due))
        papers = await store.overview.papers(batch.id)
        assert [one.external_id for one in papers] == ["ann", "bob", "cid"]
        assert {one.student for one in papers} == {"Someone"}
        assert [one.due_at for one in papers] == [None, due, None]
        assert [str(one.state) for one in papers] == ["failed", "pending", "pending"]
        assert (papers[0].reason, papers[0].finished_at) == ("no text", clock.now_ms())
        [only] = await store.overview.papers(batch.id, JobState.FAILED)
        assert only == papers[0]
        page = await store.overview.papers(batch.id, after=papers[0].job_id, limit=1)
        assert page == papers[1:2]

    async def test_times_by_nearest_rank(self, store: Store, clock: ManualClock) -> None:
        batch = await items(store, 12)
        assert await store.overview.times(batch.id, 4) is None
        held = await claim(store, 11)
        for one in held[:10]:
            clock.advance(0.1)
            await settle(store, done(one, None))
        clock.advance(99.0)
        await settle(store, done(held[10], None))
        assert await store.overview.times(batch.id, 4) == Times(
            jobs=11, median=600, ninetieth=1000, longest=100_000, width=1000, counts=(9, 1, 0, 1)
        )

    async def test_scores_as_shares(self, store: Store) -> None:
        batch = await queued(store, *"abcdef")
        assert await store.overview.scores(batch.id, 10) == Scores(None, (0,) * 10)
        points = (0.0, 0.7, 1.0, 0.35, -1.0)
        grades = [Grade(one, 1.0) for one in points]
        held = await claim(store, 5)
        await settle(store, *(done(*pair) for pair in zip(held, grades, strict=True)))
        scores = await store.overview.scores(batch.id, 10)
        assert scores.counts == (2, 0, 0, 1, 0, 0, 0, 1, 0, 1)
        assert scores.mean is not None
        assert abs(scores.mean - sum(points) / 5) < 1e-9
        assert scores.grades == 5

    async def test_jobs_in_hand_longest_first(self, store: Store, clock: ManualClock) -> None:
        batch = await queued(store, "ann", "bob", "cid")
        [first] = await claim(store, 1)
        clock.advance(5)
        [second] = await claim(store, 1)
        held = await store.overview.in_hand(9)
        assert [one.job_id for one in held] == [first.job.id, second.job.id]
        assert held[1].claimed_at - held[0].claimed_at == 5000
        assert (held[0].batch_id, held[0].external_id) == (batch.id, "ann")
        assert (held[0].course, held[0].assignment) == (COURSE, ASSIGNMENT)
        assert len(await store.overview.in_hand(1)) == 1

    async def test_failures_by_cause(self, store: Store, clock: ManualClock) -> None:
        await queued(store, "ann", "bob", "cid", "dan")
        held = await claim(store, 4)
        await settle(store, failed(held[0], "no text"), done(held[3]))
        clock.advance(1)
        await settle(
            store,
            failed(held[1], "torn"),
            failed(held[2], "too long", error=ErrorClass.TOO_LARGE),
        )
        at = clock.now_ms()
        assert await store.overview.failures(50) == [
            Failure("llm", "rejected", 2, 1, "torn", at),
            Failure("llm", "too_large", 1, 1, "too long", at),
        ]
        alike = await store.overview.failed_jobs("llm", "rejected", 50)
        assert alike == [held[0].job.id, held[1].job.id]

    async def test_a_failure_is_over_when_its_paper_is_queued_anew(self, store: Store) -> None:
        await queued(store, "ann")
        [held] = await claim(store)
        await settle(store, failed(held))
        assert held.job.submission is not None
        await submit(store, [held.job.submission.id])
        assert await store.overview.failures(50) == []
        assert await store.overview.failed_jobs("llm", "rejected", 50) == []

    async def test_only_the_newest_batches_failures_count(self, store: Store) -> None:
        for reason in ("old", "new"):
            await items(store)
            [held] = await claim(store)
            await settle(store, failed(held, reason))
        [newest] = await store.overview.failures(1)
        assert (newest.jobs, newest.reason) == (1, "new")
        assert len(await store.overview.failed_jobs("item", "rejected", 2)) == 2

    async def test_batches_in_which_nothing_moves(self, store: Store, clock: ManualClock) -> None:
        batch = await items(store, 2)
        began = clock.now_ms()
        assert await store.overview.resting(began - 1) == []
        [found] = await store.overview.resting(began)
        assert found == Resting(batch.id, "item", POOL, 2, began)
        clock.advance(1)
        [held] = await claim(store, 1)
        assert await store.overview.resting(clock.now_ms()) == []
        await settle(store, again(held))
        await store.pause(batch.id, "Ms Lee")
        assert await store.overview.resting(clock.now_ms()) == []
