"""Who is served next: interactive, priority, deadline, then fairly between owners, then age."""

from __future__ import annotations

from gradeq.clock import ManualClock
from gradeq.outcome import Counter, ErrorClass
from gradeq.store.base import Store
from gradeq.store.claims import Claimed

from .base import Suite
from .helpers import (
    LEASE,
    POOL,
    add,
    again,
    badges,
    claim,
    claim_one,
    done,
    items,
    queued,
    settle,
    status,
    submit,
)


def batches_of(claimed: list[Claimed]) -> list[int]:
    return [one.job.batch_id for one in claimed]


async def owners_of(store: Store, claimed: list[Claimed]) -> list[str]:
    found = [await store.batch(one.job.batch_id) for one in claimed]
    return [batch.owner for batch in found if batch]


class ClaimSuite(Suite):
    async def test_a_claim_takes_a_job_with_all_that_its_grader_needs(self, store: Store) -> None:
        rubric_id = await store.save_rubric("essay", "a" * 64, "title = 'Essay'")
        ids = await add(store, "ann", text="Cells.", student="Ann", extra={"group": "7b"})
        submitted = await submit(store, ids, rubric_id=rubric_id, max_attempts=3)
        claimed = await claim_one(store)

        job, paper = claimed.job, claimed.job.submission
        assert paper is not None
        assert (job.id, job.batch_id) == (submitted.job_ids[0], submitted.id)
        assert (job.attempt, job.rubric_id, job.kind, job.grader) == (
            1,
            rubric_id,
            "grading",
            "llm",
        )
        assert (paper.text, paper.student, paper.extra) == ("Cells.", "Ann", {"group": "7b"})
        assert paper == await store.submission(ids[0])
        assert claimed.counters.max_attempts == 3
        assert not claimed.has_unapplied_answer
        assert await status(store, submitted.id) == "processing"
        assert (await badges(store)).grading == 1

    async def test_nobody_gets_a_job_twice(self, store: Store) -> None:
        await items(store, 3)
        first, second, third = await claim(store, 2), await claim(store, 2), await claim(store, 2)
        assert [len(first), len(second), len(third)] == [2, 1, 0]
        assert len({one.job.id for one in first + second}) == 3
        assert first[0].lease != second[0].lease

    async def test_a_pool_gets_only_its_own_work(self, store: Store) -> None:
        await items(store, pool="openai:gpt")
        assert await claim(store) == []
        assert len(await claim(store, pool="openai:gpt")) == 1

    async def test_a_grader_s_open_work_can_move_to_another_pool(self, store: Store) -> None:
        await items(store, pool="old")
        other = await items(store, pool="old", grader="other")
        await store.move_pool("item", "new")
        assert len(await claim(store, pool="new")) == 1
        assert batches_of(await claim(store, pool="old")) == [other.id]

    async def test_the_order_between_batches(self, store: Store) -> None:
        late = await items(store, deadline=2000)
        never = await items(store)
        soon = await items(store, deadline=1000)
        last = await items(store, priority=10, deadline=1)
        first = await items(store, priority=1)
        live = await items(store, interactive=True, priority=9)
        expected = [live.id, first.id, soon.id, late.id, never.id, last.id]
        assert batches_of(await claim(store)) == expected

    async def test_the_order_is_the_same_one_by_one(self, store: Store) -> None:
        later = await items(store, 2, priority=6)
        sooner = await items(store, 2, priority=5)
        live = await items(store, interactive=True, priority=10)
        order = [(await claim_one(store)).job.batch_id for _ in range(5)]
        assert order == [live.id, sooner.id, sooner.id, later.id, later.id]

    async def test_one_owner_s_batches_go_by_age(self, store: Store) -> None:
        first, second = await items(store, 2), await items(store, 2)
        assert batches_of(await claim(store, 3)) == [first.id, first.id, second.id]
        assert batches_of(await claim(store)) == [second.id]

    async def test_a_big_class_does_not_hold_up_a_small_one(self, store: Store) -> None:
        await items(store, 50, owner="big")
        await items(store, 2, owner="small")
        assert sorted(await owners_of(store, await claim(store, 4))) == ["big"] * 2 + ["small"] * 2

    async def test_whoever_has_fewest_in_flight_is_next(self, store: Store) -> None:
        await items(store, 5, owner="busy")
        held = await claim(store, 3)
        await items(store, 5, owner="idle")
        assert await owners_of(store, await claim(store, 3)) == ["idle"] * 3
        await settle(store, *(done(one, None) for one in held))
        assert await owners_of(store, await claim(store, 2)) == ["busy"] * 2

    async def test_between_equals_the_one_served_longest_ago_is_next(self, store: Store) -> None:
        for owner in ("a", "b", "c"):
            await items(store, 4, owner=owner)
        served = []
        for _ in range(6):
            claimed = await claim_one(store)
            served += await owners_of(store, [claimed])
            await settle(store, done(claimed, None))
        assert served == ["a", "b", "c", "a", "b", "c"]

    async def test_work_in_other_pools_counts_as_in_flight(self, store: Store) -> None:
        await items(store, 2, owner="busy", pool="other")
        await claim(store, pool="other")
        await items(store, owner="busy")
        await items(store, owner="idle")
        assert await owners_of(store, [await claim_one(store)]) == ["idle"]

    async def test_an_urgent_owner_does_not_wait_for_fairness(self, store: Store) -> None:
        await items(store, 3, owner="busy", priority=1)
        await items(store, 3, owner="idle")
        assert await owners_of(store, await claim(store, 4)) == ["busy"] * 3 + ["idle"]

    async def test_an_interrupted_job_goes_behind_the_untouched_ones(self, store: Store) -> None:
        poison, fine, other = (await queued(store, "poison", "fine", "other")).job_ids
        [first] = await claim(store, 1)
        assert first.job.id == poison
        why = {"error": ErrorClass.INTERRUPTED, "reason": "stopped"}
        await settle(store, again(first, Counter.INTERRUPTION, **why))
        assert [one.job.id for one in await claim(store)] == [fine, other, poison]

    async def test_a_retry_keeps_its_place(self, store: Store, clock: ManualClock) -> None:
        first, second = (await queued(store, "first", "second")).job_ids
        await settle(store, again(await claim_one(store), run_at=clock.now_ms() + 1000))
        assert (await claim_one(store)).job.id == second
        clock.advance(1)
        assert (await claim_one(store)).job.id == first

    async def test_a_claim_of_nothing(self, store: Store) -> None:
        await items(store)
        assert await store.claim(POOL, 0, LEASE) == []
        assert len(await claim(store)) == 1
