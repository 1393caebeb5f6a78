"""Nights in any order, with crashes in between: no paper is handed out while its answer may come.

The machine plays the provider, too: it answers what was posted to it, as often as it was posted,
and counts what that costs.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gradeq.clock import ManualClock
from gradeq.errors import ConflictError
from gradeq.model import JobState
from gradeq.outcome import Counter as Counted
from gradeq.store.base import Store
from gradeq.store.claims import Claimed, Settlement
from gradeq.store.overnight import Collected, Item

from .helpers import GRADE, KEY, LEASE, POOL, answer, attempt, queued, sound

T = TypeVar("T")
PICK = st.integers(0, 999)


class NightMachine(RuleBasedStateMachine):
    """A subclass says how its store is made and how its process is killed."""

    def make(self, clock: ManualClock) -> Store:
        raise NotImplementedError

    def kill(self, store: Store) -> None:
        raise NotImplementedError

    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.opened: list[Store] = []
        self.nights: list[int] = []
        self.jobs: list[int] = []
        self.marks = 0
        self.at_provider: dict[str, list[int]] = {}
        """What was really posted, by intent."""
        self.held: list[Claimed] = []
        self.paid: Counter[int] = Counter()
        self.reopen()
        self.submit(3)

    def reopen(self) -> None:
        self.store = self.make(self.clock)
        self.opened.append(self.store)
        self.held.clear()
        self.run(self.store.open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def mark(self) -> str:
        self.marks += 1
        return f"m{self.marks}"

    @precondition(lambda self: len(self.nights) < 3)
    @rule(count=st.integers(1, 3))
    def submit(self, count: int) -> None:
        names = [f"paper-{self.mark()}" for _ in range(count)]
        fallback_at = self.clock.now_ms() + 3_600_000
        submitted = self.run(queued(self.store, *names, fallback_at=fallback_at))
        self.nights.append(submitted.id)
        self.jobs += submitted.job_ids

    def handed_out(self, claims: list[Claimed]) -> list[Claimed]:
        """Nothing may be in hand whose answer a provider may still bring."""
        waiting = {
            item.claimed.job.id
            for one in self.run(self.store.provider_batches.open())
            for item in self.run(self.store.provider_batches.items(one.intent))
        }
        assert not {one.job.id for one in claims} & waiting
        self.held += claims
        return claims

    @rule(pick=PICK, is_posted=st.booleans(), is_heard=st.booleans())
    def post(self, pick: int, is_posted: bool, is_heard: bool) -> None:
        """Claim, intend, and (perhaps) post and hear of it."""
        book = self.store.provider_batches
        batch_id = self.nights[pick % len(self.nights)]
        claims = self.handed_out(self.run(book.claim(batch_id, 2, LEASE)))
        unread = [one for one in claims if one.has_unapplied_answer]
        self.run(self.store.settle([self.graded(one) for one in unread]))
        intent = self.mark()
        items = [Item(one, KEY, "", "the paper") for one in claims if one not in unread]
        ids = self.run(book.intend(batch_id, intent, items, 60.0)) if items else []
        if ids and is_posted:
            self.at_provider[intent] = ids
            if is_heard:
                self.run(book.posted(intent, f"id of {intent}", 60.0))

    @rule(limit=st.integers(1, 3))
    def call_live(self, limit: int) -> None:
        for one in self.handed_out(self.run(self.store.claim(POOL, limit, LEASE))):
            if not one.has_unapplied_answer:
                self.paid[one.job.id] += 1
            self.run(self.store.settle([self.graded(one)]))

    def graded(self, one: Claimed) -> Settlement:
        """By its stored answer where it has one."""
        assert one.job.submission is not None
        paid = self.run(self.store.unapplied_answer(one.job.submission.id, KEY))
        attempt_id = None if paid is None else paid.attempt_id
        return Settlement(one.job.id, one.lease, JobState.COMPLETED, GRADE, attempt_id=attempt_id)

    @rule(pick=PICK, count=st.integers(0, 2), settles=st.booleans(), ends=st.booleans())
    def collect(self, pick: int, count: int, settles: bool, ends: bool) -> None:
        """Some outcomes, settled or not; then its end, or not yet."""
        found = self.run(self.store.provider_batches.open())
        if not found:
            return
        one = found[pick % len(found)]
        if one.intent not in self.at_provider:
            self.run(self.store.provider_batches.end(one.intent, abandoned_because="not posted"))
            return
        if one.provider_batch_id is None:
            self.run(self.store.provider_batches.posted(one.intent, f"id of {one.intent}", 60.0))
        self.bring(one.intent, None if ends else count, settles=settles or ends)
        if ends:
            self.run(self.store.provider_batches.end(one.intent))

    def bring(self, intent: str, count: int | None, *, settles: bool) -> None:
        items = self.run(self.store.provider_batches.items(intent))[:count]
        for item in items:
            self.paid[item.claimed.job.id] += 1
        told = [Collected(one.claimed, attempt(request_key=KEY), answer()) for one in items]
        ids = self.run(self.store.provider_batches.collect(told))
        assert None not in ids
        if settles:
            outcomes = [
                Settlement(
                    one.claimed.job.id, intent, JobState.COMPLETED, GRADE, attempt_id=attempt_id
                )
                for one, attempt_id in zip(items, ids, strict=True)
            ]
            self.run(self.store.settle(outcomes))

    @rule(pick=PICK, cancels=st.booleans(), retries=st.booleans())
    def change_one_s_mind(self, pick: int, cancels: bool, retries: bool) -> None:
        job_ids = [self.jobs[pick % len(self.jobs)]]
        if cancels:
            self.run(self.store.cancel(job_ids=job_ids))
        if retries:
            self.run(self.store.retry(job_ids=job_ids))

    @rule(pick=PICK)
    def fail_and_return(self, pick: int) -> None:
        """Whoever holds a job still returns it, late or not."""
        if self.held:
            one = self.held[pick % len(self.held)]
            back = Settlement(one.job.id, one.lease, JobState.PENDING, counter=Counted.NONE)
            self.run(self.store.settle([back]))

    @rule(pick=PICK, resumes=st.booleans())
    def pause(self, pick: int, resumes: bool) -> None:
        batch_id = self.nights[pick % len(self.nights)]
        if resumes:
            self.run(self.store.resume(batch_id))
            return
        try:
            self.run(self.store.pause(batch_id, "Ms Lee"))
        except ConflictError:
            assert self.run(self.store.batch(batch_id)).finished_at is not None

    @rule(pick=PICK)
    def go_live(self, pick: int) -> None:
        self.run(self.store.provider_batches.go_live(self.nights[pick % len(self.nights)]))

    @rule(seconds=st.sampled_from([1, 61]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.run(self.store.expire())

    @rule()
    def crash(self) -> None:
        self.kill(self.store)
        self.reopen()

    @invariant()
    def no_job_is_paid_for_twice(self) -> None:
        assert max(getattr(self, "paid", Counter()).values(), default=0) <= 1

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            self.run(sound(self.store))
        finally:
            for store in self.opened:
                self.run(store.close())
            self.runner.close()
