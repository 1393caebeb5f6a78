"""Leases: kept by renewing, lost by time, taken back from processes that are gone."""

from __future__ import annotations

from gradeq.clock import ManualClock
from gradeq.model import JobState
from gradeq.outcome import MAX_INTERRUPTIONS, Counter, ErrorClass
from gradeq.store.base import Store
from gradeq.store.claims import Claimed, Recovery

from .base import Suite
from .helpers import (
    LEASE,
    StoreMaker,
    again,
    badges,
    claim,
    claim_one,
    current,
    done,
    graded,
    items,
    queued,
    settle,
    sound,
    state,
    states,
)

NOTHING = Recovery()


class LeaseSuite(Suite):
    async def test_a_lease_that_ran_out_returns_the_job(
        self, store: Store, clock: ManualClock
    ) -> None:
        await queued(store, "ann")
        claimed = await claim_one(store)
        clock.advance(LEASE - 1)
        assert await store.expire() == NOTHING
        clock.advance(1)
        assert await store.expire() == Recovery(returned=1)
        assert await store.expire() == NOTHING

        taken = await claim_one(store)
        assert taken.job.id == claimed.job.id
        assert taken.lease != claimed.lease
        assert (taken.counters.interruptions, taken.counters.attempts) == (1, 0)

    async def test_a_renewed_lease_does_not_run_out(self, store: Store, clock: ManualClock) -> None:
        await items(store, 2)
        claims = await claim(store)
        leases = [(one.job.id, one.lease) for one in claims]
        for _ in range(5):
            clock.advance(LEASE - 1)
            assert await store.renew(leases, LEASE) == []
            assert await store.expire() == NOTHING
        assert await settle(store, *(done(one, None) for one in claims)) == [True, True]

    async def test_a_late_renewal_still_holds_what_nobody_took(
        self, store: Store, clock: ManualClock
    ) -> None:
        """A laptop that slept: its own jobs are still its own."""
        await items(store)
        claimed = await claim_one(store)
        clock.advance(10 * LEASE)
        assert await store.renew([(claimed.job.id, claimed.lease)], LEASE) == []
        assert await store.expire() == NOTHING

    async def test_renewing_names_the_jobs_that_are_lost(
        self, store: Store, clock: ManualClock
    ) -> None:
        await items(store, 3)
        lost, ended, held = await claim(store)
        await store.cancel(job_ids=[lost.job.id])
        await settle(store, done(ended, None))
        leases = [(one.job.id, one.lease) for one in (lost, ended, held)]
        assert await store.renew(leases, LEASE) == [lost.job.id, ended.job.id]
        assert await store.renew([(held.job.id, "someone else's")], LEASE) == [held.job.id]

    async def test_a_late_result_is_not_applied(self, store: Store, clock: ManualClock) -> None:
        submitted = await queued(store, "ann")
        late = await claim_one(store)
        clock.advance(LEASE)
        await store.expire()
        assert await settle(store, done(late)) == [False]
        assert await state(store, submitted.job_ids[0]) == JobState.PENDING

        claimed = await claim_one(store)
        assert await settle(store, done(late)) == [False]
        assert await settle(store, done(claimed)) == [True]
        assert claimed.job.submission is not None
        assert len(await store.grades(claimed.job.submission.id)) == 1

    async def test_an_old_and_a_new_lease_settled_together(
        self, store: Store, clock: ManualClock
    ) -> None:
        """The job of a worker that outlived its lease may be in the same hands again."""
        await queued(store, "ann")
        late = await claim_one(store)
        clock.advance(LEASE)
        await store.expire()
        fresh = await claim_one(store)
        assert await settle(store, done(late), done(fresh), done(late)) == [False, True, False]
        assert fresh.job.submission is not None
        assert len(await store.grades(fresh.job.submission.id)) == 1

    async def test_a_lease_ends_its_job_once(self, store: Store) -> None:
        await queued(store, "ann")
        claimed = await claim_one(store)
        assert await settle(store, done(claimed), done(claimed)) == [True, False]
        assert await settle(store, done(claimed)) == [False]
        assert claimed.job.submission is not None
        assert len(await store.grades(claimed.job.submission.id)) == 1

    async def test_interruptions_are_capped(self, store: Store, clock: ManualClock) -> None:
        """A paper that kills its daemon must not do so for ever."""
        submitted = await queued(store, "poison")
        for tries in range(1, MAX_INTERRUPTIONS + 1):
            await claim_one(store)
            clock.advance(LEASE)
            last = tries == MAX_INTERRUPTIONS
            assert await store.expire() == (Recovery(failed=1) if last else Recovery(returned=1))
        job = await store.job(submitted.job_ids[0])
        assert job is not None
        assert (job.state, job.error) == (JobState.FAILED, ErrorClass.INTERRUPTED)
        assert job.interruptions == MAX_INTERRUPTIONS
        assert job.attempts == 0
        assert str(MAX_INTERRUPTIONS) in (job.reason or "")
        assert (await badges(store)).submitted == 1


async def claim_others(store: Store, held: int) -> list[Claimed]:
    """Claim everything; all but the job `held`."""
    claims = await claim(store)
    assert held in {one.job.id for one in claims}
    return [one for one in claims if one.job.id != held]


class RecoverySuite(Suite):
    async def test_jobs_of_a_killed_process_are_returned_at_once(
        self, make_store: StoreMaker
    ) -> None:
        store = await make_store()
        submitted = await queued(store, "ann", "bob", "cem")
        ended, *_ = await claim(store, 2)
        await settle(store, done(ended))
        await make_store.kill(store)

        reopened = await make_store()
        assert await states(reopened, submitted.id) == ["completed", "pending", "pending"]
        interrupted = await reopened.job(submitted.job_ids[1])
        assert interrupted is not None
        assert (interrupted.interruptions, interrupted.attempts) == (1, 0)
        [tried] = await reopened.attempts(interrupted.id)
        assert tried.error == ErrorClass.INTERRUPTED
        assert len(await claim(reopened)) == 2
        await sound(reopened)

    async def test_a_killed_process_s_results_are_fenced_off(self, make_store: StoreMaker) -> None:
        store = await make_store()
        await queued(store, "ann")
        late = await claim_one(store)
        await make_store.kill(store)
        reopened = await make_store()
        assert await settle(reopened, done(late)) == [False]
        await sound(reopened)

    async def test_nothing_acknowledged_is_gone(self, make_store: StoreMaker) -> None:
        store = await make_store()
        ids = await graded(store, "ann", "bob")
        waiting = await queued(store, "cem")
        await store.release([ids[0]], "Ms Lee")
        before = [await store.submission(one) for one in ids], await store.last_event()
        await make_store.kill(store)

        reopened = await make_store()
        assert ([await reopened.submission(one) for one in ids], await reopened.last_event()) == (
            before
        )
        assert await current(reopened, ids[1]) is not None
        assert await states(reopened, waiting.id) == ["pending"]
        await sound(reopened)

    async def test_a_paper_that_kills_its_daemon_is_given_up(self, make_store: StoreMaker) -> None:
        store = await make_store()
        poison, fine = (await queued(store, "poison", "fine")).job_ids
        for _ in range(MAX_INTERRUPTIONS):
            await settle(store, *map(again, await claim_others(store, poison)))
            await make_store.kill(store)
            store = await make_store()
        job = await store.job(poison)
        assert job is not None
        assert (job.state, job.error) == (JobState.FAILED, ErrorClass.INTERRUPTED)
        assert [one.job.id for one in await claim(store)] == [fine]
        await sound(store)

    async def test_a_job_given_back_is_not_an_interruption(self, make_store: StoreMaker) -> None:
        store = await make_store()
        submitted = await queued(store, "ann")
        await settle(store, again(await claim_one(store), Counter.NONE))
        await make_store.kill(store)
        job = await (await make_store()).job(submitted.job_ids[0])
        assert job is not None
        assert job.interruptions == 0
