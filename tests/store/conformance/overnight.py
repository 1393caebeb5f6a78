"""Provider's batches: on disk before they are posted, and nobody else's until they have ended."""

from __future__ import annotations

from collections.abc import Sequence

from gradeq.clock import ManualClock
from gradeq.model import BatchMode, JobState
from gradeq.outcome import Counter
from gradeq.store.base import Store
from gradeq.store.claims import Claimed, Recovery
from gradeq.store.orders import Submitted
from gradeq.store.overnight import Collected, Item, PostState, ProviderBatch

from .base import Suite
from .helpers import (
    KEY,
    LEASE,
    StoreMaker,
    add,
    again,
    answer,
    attempt,
    claim,
    done,
    queued,
    settle,
    sound,
    state,
    states,
    submit,
)

HOUR = 3_600_000
LOOK = 60.0
INTENT = "0a1b2c"


async def night(store: Store, clock: ManualClock, *external_ids: str, **order: object) -> Submitted:
    """New papers, queued for the night."""
    fallback_at = clock.now_ms() + 20 * HOUR
    return await queued(store, *external_ids, fallback_at=fallback_at, **order)


def item(claimed: Claimed) -> Item:
    name = claimed.job.submission.external_id if claimed.job.submission else "?"
    return Item(claimed, KEY, "The rubric.", f"The paper of {name}.")


async def take(store: Store, batch_id: int, limit: int = 100) -> list[Claimed]:
    return await store.provider_batches.claim(batch_id, limit, LEASE)


async def intend(
    store: Store, batch_id: int, claims: Sequence[Claimed], intent: str = INTENT
) -> list[int]:
    items = [item(one) for one in claims]
    return await store.provider_batches.intend(batch_id, intent, items, LOOK)


async def posted(
    store: Store, clock: ManualClock, *external_ids: str, intent: str = INTENT
) -> Submitted:
    """New papers that lie with the provider."""
    submitted = await night(store, clock, *external_ids)
    await intend(store, submitted.id, await take(store, submitted.id), intent)
    await store.provider_batches.posted(intent, f"at the provider {intent}", LOOK)
    return submitted


async def only(store: Store) -> ProviderBatch:
    [found] = await store.provider_batches.open()
    return found


async def collect(store: Store, *items: Item) -> list[int | None]:
    told = [Collected(one.claimed, attempt(request_key=KEY), answer()) for one in items]
    return await store.provider_batches.collect(told)


class NightSuite(Suite):
    async def test_a_live_claim_takes_nothing_of_the_night(
        self, store: Store, clock: ManualClock
    ) -> None:
        tonight = await night(store, clock, "ann")
        now = await queued(store, "bob")
        assert [one.job.batch_id for one in await claim(store)] == [now.id]
        assert await take(store, now.id) == []
        [taken] = await take(store, tonight.id)
        assert taken.job.submission is not None
        assert taken.job.submission.external_id == "ann"

    async def test_a_claim_for_the_night_is_a_claim_like_others(
        self, store: Store, clock: ManualClock
    ) -> None:
        submitted = await night(store, clock, "ann", "bob")
        [first] = await take(store, submitted.id, 1)
        await settle(store, again(first, Counter.SNOOZE, run_at=clock.now_ms() + 30_000))
        [second] = await take(store, submitted.id)
        assert second.job.id != first.job.id
        clock.advance(30)
        assert [one.job.id for one in await take(store, submitted.id)] == [first.job.id]
        clock.advance(LEASE)
        assert await store.expire() == Recovery(returned=2)

    async def test_nothing_is_claimed_of_a_paused_night(
        self, store: Store, clock: ManualClock
    ) -> None:
        submitted = await night(store, clock, "ann")
        claims = await take(store, submitted.id)
        await store.pause(submitted.id, "Ms Lee")
        assert await intend(store, submitted.id, claims) == []
        await settle(store, *map(again, claims))
        assert await take(store, submitted.id) == []
        [one] = await store.provider_batches.nights()
        assert (one.batch_id, one.pending, one.is_paused) == (submitted.id, 1, True)

    async def test_the_night_in_flight_takes_nobody_s_turn(
        self, store: Store, clock: ManualClock
    ) -> None:
        """The owner whose class lies with the provider is not the one with most in hand."""
        await night(store, clock, *(f"n{n}" for n in range(5)), owner="ms-lee")
        await take(store, (await store.batches())[0].id)
        theirs = await queued(store, *(f"a{n}" for n in range(3)), owner="mr-day")
        ours = await queued(store, *(f"b{n}" for n in range(3)), owner="ms-lee")
        taken = [one.job.batch_id for one in await claim(store, 4)]
        assert sorted(taken) == [theirs.id, theirs.id, ours.id, ours.id]

    async def test_going_live(self, store: Store, clock: ManualClock) -> None:
        submitted = await night(store, clock, "ann")
        row = await store.batch(submitted.id)
        assert row is not None
        assert (row.mode, row.fallback_at) == (BatchMode.OVERNIGHT, clock.now_ms() + 20 * HOUR)
        claims = await take(store, submitted.id)
        await store.provider_batches.go_live(submitted.id)
        assert await intend(store, submitted.id, claims) == []
        await settle(store, *map(again, claims))
        assert await store.provider_batches.nights() == []
        assert len(await claim(store)) == 1
        before = await store.last_event()
        await store.provider_batches.go_live(submitted.id)
        assert await store.last_event() == before

    async def test_what_is_over_is_no_night(self, store: Store, clock: ManualClock) -> None:
        submitted = await night(store, clock, "ann")
        await store.cancel(batch_id=submitted.id)
        assert await store.provider_batches.nights() == []


class PostSuite(Suite):
    async def test_an_intent_holds_its_jobs(self, store: Store, clock: ManualClock) -> None:
        submitted = await night(store, clock, "ann", "bob")
        claims = await take(store, submitted.id)
        ids = await intend(store, submitted.id, claims)
        assert sorted(ids) == sorted(submitted.job_ids)
        one = await only(store)
        assert (one.state, one.provider_batch_id, one.entries) == (PostState.INTENDED, None, 2)
        assert one.look_at == clock.now_ms() + 60_000
        assert one.is_wanted
        assert await settle(store, *map(done, claims)) == [False, False]
        assert len(await store.renew([(one.job.id, one.lease) for one in claims], LEASE)) == 2
        clock.advance(10 * LEASE)
        assert await store.expire() == Recovery()
        assert await states(store, submitted.id) == ["processing", "processing"]
        found = await store.provider_batches.holding(ids[0])
        assert found is not None
        assert found.intent == INTENT

    async def test_a_lease_that_is_gone_is_not_posted(
        self, store: Store, clock: ManualClock
    ) -> None:
        submitted = await night(store, clock, "ann", "bob")
        claims = await take(store, submitted.id)
        await store.cancel(job_ids=[claims[0].job.id])
        assert await intend(store, submitted.id, claims) == [claims[1].job.id]
        assert (await only(store)).entries == 1
        assert await intend(store, submitted.id, claims, "another") == []

    async def test_the_prompt_is_kept_as_it_was_sent(
        self, store: Store, clock: ManualClock
    ) -> None:
        submitted = await posted(store, clock, "ann", "bob")
        items = await store.provider_batches.items(INTENT)
        assert sorted(one.sent for one in items) == ["The paper of ann.", "The paper of bob."]
        assert {(one.prefix, one.request_key) for one in items} == {("The rubric.", KEY)}
        [one] = await store.provider_batches.items(INTENT, [submitted.job_ids[0]])
        assert one.claimed.job.submission is not None
        assert one.claimed.job.submission.external_id == "ann"
        assert one.claimed.lease == INTENT
        assert await store.provider_batches.items("nobody's") == []

    async def test_looks_are_noted(self, store: Store, clock: ManualClock) -> None:
        submitted = await posted(store, clock, "ann", "bob")
        book = store.provider_batches
        await book.looked(INTENT, 90.0, answered=1, failed=0)
        await book.looked(INTENT, 120.0, reason="502")
        one = await only(store)
        assert (one.answered, one.looks, one.reason) == (1, 2, "502")
        assert one.look_at == clock.now_ms() + 120_000
        row = await store.batch(submitted.id)
        assert row is not None
        assert (row.posted, row.answered) == (2, 1)
        await book.cancel_asked(INTENT)
        one = await only(store)
        assert (one.cancel_asked_at, one.looks) == (clock.now_ms(), 0)
        assert await book.unknown([f"at the provider {INTENT}", "theirs"]) == ["theirs"]

    async def test_a_batch_is_posted_once(self, store: Store, clock: ManualClock) -> None:
        await posted(store, clock, "ann")
        await store.provider_batches.posted(INTENT, "another", LOOK)
        assert (await only(store)).provider_batch_id == f"at the provider {INTENT}"


class CollectSuite(Suite):
    async def test_an_answer_is_stored_once(self, store: Store, clock: ManualClock) -> None:
        submitted = await posted(store, clock, "ann", "bob")
        items = await store.provider_batches.items(INTENT)
        first = await collect(store, *items)
        assert None not in first
        assert await collect(store, *items) == [None, None]
        row = await store.batch(submitted.id)
        assert row is not None
        assert row.requests == 2
        outcomes = [
            done(one.claimed, attempt_id=id_) for one, id_ in zip(items, first, strict=True)
        ]
        assert await settle(store, *outcomes) == [True, True]
        assert await store.provider_batches.end(INTENT) == 0
        assert await store.provider_batches.open() == []

    async def test_what_nobody_waits_for_is_salvage(self, store: Store, clock: ManualClock) -> None:
        submitted = await posted(store, clock, "ann", "bob")
        await store.cancel(batch_id=submitted.id)
        assert not (await only(store)).is_wanted
        items = await store.provider_batches.items(INTENT)
        assert [one.is_held for one in items] == [False, False]
        await collect(store, items[0])
        [tried] = await store.attempts(items[0].claimed.job.id)
        assert tried.answer_use == "salvage"
        await store.provider_batches.end(INTENT)
        assert await states(store, submitted.id) == ["cancelled", "cancelled"]

    async def test_the_end_returns_what_still_waits(self, store: Store, clock: ManualClock) -> None:
        submitted = await posted(store, clock, "ann", "bob")
        book = store.provider_batches
        assert await book.end(INTENT, abandoned_because="it was never posted") == 2
        assert await states(store, submitted.id) == ["pending", "pending"]
        job = await store.job(submitted.job_ids[0])
        assert job is not None
        assert (job.attempts, job.snoozes, job.interruptions) == (0, 0, 0)
        assert await book.end(INTENT) == 0
        await book.looked(INTENT, LOOK, reason="late")
        assert await book.open() == []
        assert await intend(store, submitted.id, await take(store, submitted.id), "next")

    async def test_a_retried_job_waits_for_what_is_on_its_way(
        self, store: Store, clock: ManualClock
    ) -> None:
        submitted = await posted(store, clock, "ann", "bob")
        first, second = submitted.job_ids
        await store.cancel(batch_id=submitted.id)
        assert await store.retry(job_ids=[first]) == 1
        assert await state(store, first) == JobState.PROCESSING
        assert (await only(store)).is_wanted
        [one] = await store.provider_batches.items(INTENT, [first])
        assert one.is_held
        [attempt_id] = await collect(store, one)
        assert await settle(store, done(one.claimed, attempt_id=attempt_id)) == [True]
        await store.provider_batches.end(INTENT)
        assert await store.retry(job_ids=[second]) == 1
        assert await state(store, second) == JobState.PENDING


class NightCrashSuite:
    async def test_no_crash_returns_what_a_provider_has(
        self, make_store: StoreMaker, clock: ManualClock
    ) -> None:
        """Between intent and POST, and while its answers are awaited."""
        store = await make_store()
        intended = await night(store, clock, "ann")
        await intend(store, intended.id, await take(store, intended.id), "intended")
        waiting = await posted(store, clock, "bob", intent="posted")
        claimed = await night(store, clock, "cem")
        await take(store, claimed.id)
        await make_store.kill(store)

        reopened = await make_store()
        assert await states(reopened, intended.id) == ["processing"]
        assert await states(reopened, waiting.id) == ["processing"]
        assert await states(reopened, claimed.id) == ["pending"]
        found = {one.intent: one.state for one in await reopened.provider_batches.open()}
        assert found == {"intended": PostState.INTENDED, "posted": PostState.POSTED}
        await sound(reopened)

    async def test_a_crash_between_answer_and_grade(
        self, make_store: StoreMaker, clock: ManualClock
    ) -> None:
        store = await make_store()
        submitted = await posted(store, clock, "ann", "bob")
        ann, _ = await store.provider_batches.items(INTENT)
        await collect(store, ann)
        await make_store.kill(store)

        reopened = await make_store()
        [left] = await reopened.provider_batches.items(INTENT)
        assert left.claimed.job.id != ann.claimed.job.id
        assert await collect(reopened, ann) == [None]
        await reopened.provider_batches.end(INTENT)
        taken = {one.job.id: one for one in await take(reopened, submitted.id)}
        assert taken[ann.claimed.job.id].has_unapplied_answer
        assert not taken[left.claimed.job.id].has_unapplied_answer
        await sound(reopened)

    async def test_a_crash_after_the_end(self, make_store: StoreMaker, clock: ManualClock) -> None:
        store = await make_store()
        submitted = await posted(store, clock, "ann")
        await store.provider_batches.end(INTENT, abandoned_because="gone")
        [paper_id] = await add(store, "bob")
        await submit(store, [paper_id])
        await make_store.kill(store)
        reopened = await make_store()
        assert await states(reopened, submitted.id) == ["pending"]
        await sound(reopened)
