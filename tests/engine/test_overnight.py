"""Overnight: posted once, watched without a slot, collected, and live where the night is over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from engine_kit import SECONDS, an_engine, states, turns
from night_kit import (
    HOUR,
    PRICE,
    Night,
    NightMaker,
    a_failure,
    an_answer,
    reply,
)
from school import essays, simulator

from gradeq import ConfigError, ConflictError, Grade, NewSubmission
from gradeq.limiter.base import Signals
from gradeq.model import BatchMode
from gradeq.outcome import ErrorClass

# Whole nights, step by step: beside other tests on few cores they run out of time.
pytestmark = pytest.mark.slow


@pytest.fixture
def nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NightMaker:
    return NightMaker(tmp_path / "g.db", monkeypatch)


async def checked(night: Night) -> None:
    assert await night.engine.store.check() == []


# The way of a paper -----------------------------------------------------------------------------


async def test_a_class_is_graded_for_half_the_price_and_no_live_call(nights: NightMaker) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(5))
        posted = await night.has_posted(1)
        assert sorted(posted.papers) == ["e1", "e2", "e3", "e4", "e5"]
        assert all(one.custom_id.startswith(posted.intent) for one in posted.entries)
        assert await states(night.engine, batch.id) == {"processing": 5}

        night.api.finish(posted)
        await night.until_over(batch.id)
        row = await night.engine.store.batch(batch.id)
        assert row is not None
        assert (row.completed, row.requests, row.mode) == (5, 5, BatchMode.OVERNIGHT)
        assert row.cost == pytest.approx(5 * PRICE)
        assert night.paid_once(5)
        assert night.school.sim.stats.requests == 0
        [grade] = await night.engine.store.grades(await night.school.id_of("e1"))
        assert (grade.grade.score, grade.grade.max_score) == (5, 5)
        assert grade.grade.criteria[0].evidence[0].verified
        await checked(night)


async def test_what_was_sent_is_kept_to_the_letter(nights: NightMaker) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(1))
        posted = await night.has_posted(1)
        night.api.finish(posted)
        await night.until_over(batch.id)
        [attempt] = await night.engine.store.attempts(batch.job_ids[0])
        assert attempt.answer_use == "applied"
        rows = await night.engine.store._read(
            lambda tx: tx.conn.execute("SELECT sent FROM answers").fetchall()
        )
        assert [row[0] for row in rows] == [posted.entries[0].prompt.user]


async def test_a_provider_s_batch_holds_no_slot(nights: NightMaker) -> None:
    async with nights.open(provider={"concurrency": 1}) as night:
        overnight = await night.submit(essays(3))
        posted = await night.has_posted(1)
        [pool] = night.engine.pools.values()
        assert (pool.in_flight, pool.requests_total) == (0, 0)

        live = await night.school.submit(essays(2, start=4))
        await night.until_over(live.id)
        assert night.school.sim.stats.requests == 2
        assert await states(night.engine, overnight.id) == {"processing": 3}
        night.api.finish(posted)
        await night.until_over(overnight.id)
        assert night.paid_once(5)


async def test_it_is_looked_at_now_and_then(nights: NightMaker) -> None:
    async with nights.open() as night:
        await night.submit(essays(1))
        await night.has_posted(1)
        await night.passes(40, step=20)
        assert night.api.looks == 0
        await night.passes(40, step=20)
        assert night.api.looks == 1
        await night.passes(3600)
        assert 6 <= night.api.looks <= 12


async def test_a_refused_key_while_waiting_is_told_and_looked_at_again(nights: NightMaker) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(1))
        posted = await night.has_posted(1)
        night.api.dumb = a_failure(ErrorClass.BAD_KEY, 401)
        assert "bad_key" in await night.until_paused(batch.id)
        night.api.dumb = None
        night.api.finish(posted)
        await night.until_over(batch.id)


async def test_a_longer_wait_is_heeded(nights: NightMaker) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(1))
        posted = await night.has_posted(1)
        asked = Signals(retry_after=1800.0)
        night.api.dumb = a_failure(ErrorClass.RATE_LIMITED, 429, signals=asked)
        await night.passes(1700)
        assert night.api.looks == 1
        night.api.dumb = None
        night.api.finish(posted)
        await night.until_over(batch.id)


async def test_many_papers_are_split_by_number_and_by_size(
    nights: NightMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nights.api, "max_entries", 3)
    async with nights.open() as night:
        batch = await night.submit(essays(7))
        await night.has_posted(3)
        assert [len(one.entries) for one in night.api.posts] == [3, 3, 1]
        for posted in night.api.posts:
            night.api.finish(posted)
        await night.until_over(batch.id)

        size = night.api.size(night.api.posts[0].entries[0])
        monkeypatch.setattr(nights.api, "max_bytes", 2 * size + 10)
        await night.submit(essays(3, start=10))
        await night.has_posted(5)
        assert [len(one.entries) for one in night.api.posts[3:]] == [2, 1]


async def test_a_paper_too_large_for_the_api_fails(
    nights: NightMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nights.api, "max_bytes", 50)
    async with nights.open() as night:
        batch = await night.submit(essays(1))
        await night.until_over(batch.id)
        [job] = await night.school.jobs(batch.id)
        assert (job.state, job.error) == ("failed", ErrorClass.TOO_LARGE)
        assert not night.api.posts


async def test_blank_papers_are_decided_at_once(nights: NightMaker) -> None:
    async with nights.open() as night:
        papers = [NewSubmission("blank", " \n "), *essays(1)]
        batch = await night.submit(papers)
        posted = await night.has_posted(1)
        assert posted.papers == ["e1"]
        assert await states(night.engine, batch.id) == {"failed": 1, "processing": 1}


async def test_run_until_idle_waits_for_the_night(nights: NightMaker) -> None:
    async with nights.open() as night:
        await night.submit(essays(1))
        assert not await night.engine.is_idle()
        posted = await night.has_posted(1)
        [pool] = night.engine.pools.values()
        pool.park("the school's key was refused")
        assert not await night.engine.is_idle()
        night.api.finish(posted)

        async def idle() -> bool:
            return await night.engine.is_idle()

        await night.turn_until(idle)


# Refused at submit ------------------------------------------------------------------------------


async def test_without_a_batch_api_it_is_refused(nights: NightMaker) -> None:
    async with nights.open(has_batch_api=False) as night:
        with pytest.raises(ConflictError, match=r"no batch API.*Grade now"):
            await night.submit(essays(1))
        assert await night.engine.store.batches() == []


async def test_an_own_grader_has_no_night(nights: NightMaker) -> None:
    engine = an_engine(nights.path)

    @engine.grader("words")
    async def words(job: object) -> Grade:
        return Grade(1, 1)

    async with engine:
        with pytest.raises(ConflictError, match="'words' has no batch API"):
            await engine.submit(essays(1), grader="words", when="overnight")
        with pytest.raises(ConfigError, match="'now' or 'overnight'"):
            await engine.submit(essays(1), grader="words", when="tomorrow")
        assert await engine.store.batches() == []


async def test_a_deadline_too_near_is_refused_and_a_far_one_is_heeded(nights: NightMaker) -> None:
    async with nights.open() as night:
        now = night.clock.now_ms()
        with pytest.raises(ConflictError, match="no time for the night"):
            await night.submit(essays(1), deadline=now + round(1000 * HOUR))
        batch = await night.submit(essays(1), deadline=now + round(8000 * HOUR))
        row = await night.engine.store.batch(batch.id)
        assert row is not None
        assert row.fallback_at == now + round(7000 * HOUR)
        later = await night.submit(essays(1, start=2), run_at=now + round(5000 * HOUR))
        row = await night.engine.store.batch(later.id)
        assert row is not None
        assert row.fallback_at == now + round(25_000 * HOUR)


# Outcomes ---------------------------------------------------------------------------------------


async def test_unusable_answers_and_failures_go_by_the_table(nights: NightMaker) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(5))
        first = await night.has_posted(1)
        night.api.answer(first, "e1")
        night.api.answer(first, "e2", came=an_answer("no JSON at all"))
        night.api.answer(first, "e3", came=an_answer("{", stop="length"))
        night.api.answer(first, "e4", came=a_failure(ErrorClass.BAD_REQUEST, 400))
        night.api.answer(first, "e5", came=a_failure(ErrorClass.SERVER_ERROR, 500))
        night.api.end(first)

        second = await night.has_posted(2)
        rest = second if len(second.entries) == 3 else None
        if rest is None:  # the server's error waits some seconds
            third = await night.has_posted(3)
            assert sorted(second.papers + third.papers) == ["e2", "e3", "e5"]
        roomier = {
            name: entry.prompt.max_output_tokens
            for posted in night.api.posts[1:]
            for name, entry in zip(posted.papers, posted.entries, strict=True)
        }
        usual = first.entries[0].prompt.max_output_tokens
        assert roomier == {"e2": 2 * usual, "e3": 2 * usual, "e5": usual}
        for posted in night.api.posts[1:]:
            night.api.finish(posted)
        await night.until_over(batch.id)
        jobs = {job.external_id: job for job in await night.school.jobs(batch.id)}
        assert {name: job.state.value for name, job in jobs.items()} == {
            "e1": "completed",
            "e2": "completed",
            "e3": "completed",
            "e4": "failed",
            "e5": "completed",
        }
        assert jobs["e4"].error == ErrorClass.BAD_REQUEST
        assert (jobs["e2"].unusable, jobs["e5"].attempts) == (1, 1)
        assert night.school.sim.stats.requests == 0
        await checked(night)


async def test_what_expired_is_posted_again_and_costs_no_attempt(nights: NightMaker) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(2))
        first = await night.has_posted(1)
        night.api.answer(first, "e1")
        night.api.end(first)
        second = await night.has_posted(2)
        assert second.papers == ["e2"]
        night.api.finish(second)
        await night.until_over(batch.id)
        row = await night.engine.store.batch(batch.id)
        assert row is not None
        assert (row.completed, row.requests) == (2, 2)
        jobs = {job.external_id: job for job in await night.school.jobs(batch.id)}
        assert (jobs["e2"].attempts, jobs["e2"].snoozes) == (0, 1)


async def test_an_entry_without_an_outcome_counts_as_an_error(nights: NightMaker) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(2))
        first = await night.has_posted(1)
        night.api.answer(first, "e1")
        first.is_ended = True
        second = await night.has_posted(2)
        assert second.papers == ["e2"]
        job = {one.external_id: one for one in await night.school.jobs(batch.id)}["e2"]
        assert (job.attempts, job.error) == (1, ErrorClass.SERVER_ERROR)
        assert "without a word" in (job.reason or "")


async def test_what_is_tried_again_is_posted_together(nights: NightMaker) -> None:
    """Each after a wait of its own, of half a minute at most."""
    async with nights.open() as night:
        batch = await night.submit(essays(8))
        posted = await night.has_posted(1)
        night.api.answer(posted, came=a_failure(ErrorClass.SERVER_ERROR, 500))
        night.api.end(posted)

        async def is_posted_again() -> bool:
            return len(night.api.posts) == 2

        await night.turn_until(is_posted_again, step=0.5, hours=0.1)
        again = await night.has_posted(2)
        assert len(again.entries) == 8
        night.api.finish(again)
        await night.until_over(batch.id)
        assert len(night.api.posts) == 2
        assert night.paid_once(8)


async def test_results_that_break_off_are_read_again_and_used_once(nights: NightMaker) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(3))
        posted = await night.has_posted(1)
        night.api.unreadable = a_failure(ErrorClass.CONNECTION_LOST)
        night.api.finish(posted)
        await night.until_over(batch.id)
        row = await night.engine.store.batch(batch.id)
        assert row is not None
        assert (row.completed, row.requests) == (3, 3)
        assert len(night.api.posts) == 1


async def test_an_answer_to_another_question_is_kept_and_asked_anew(nights: NightMaker) -> None:
    """The operator changed the model while the batch was with the provider."""
    async with simulator() as sim:
        async with nights.open(sim=sim) as night:
            batch = await night.submit(essays(1))
            posted = await night.has_posted(1)
        night.api.finish(posted)
        async with nights.open(sim=sim, provider={"model": "marker-2"}) as night:
            again = await night.has_posted(2)
            night.api.finish(again)
            await night.until_over(batch.id)
            tries = await night.engine.store.attempts(batch.job_ids[0])
            assert [one.answer_use for one in tries] == ["unusable", "applied"]
            assert "have changed" in (tries[0].reason or "")


async def test_an_answer_that_was_paid_is_used_instead_of_asking(nights: NightMaker) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(1))
        posted = await night.has_posted(1)
        await night.engine.cancel(batch.id)
        night.api.finish(posted)
        await night.until_open(0)
        again = await night.submit([await night.school.id_of("e1")])
        await night.until_over(again.id)
        assert len(night.api.posts) == 1
        assert await states(night.engine, again.id) == {"completed": 1}


# Refused by the provider ------------------------------------------------------------------------


async def test_a_refused_key_pauses_the_batch_until_it_is_resumed(nights: NightMaker) -> None:
    async with nights.open() as night:
        night.api.refusing = [a_failure(ErrorClass.BAD_KEY, 401)]
        batch = await night.submit(essays(2))
        assert "bad_key" in await night.until_paused(batch.id)
        await night.passes(1000)
        assert not night.api.posts
        assert await states(night.engine, batch.id) == {"pending": 2}
        await night.engine.resume(batch.id)
        night.api.finish(await night.has_posted(1))
        await night.until_over(batch.id)
        job = (await night.school.jobs(batch.id))[0]
        assert (job.attempts, job.snoozes, job.interruptions) == (0, 0, 0)


async def test_a_full_provider_is_asked_again_later(nights: NightMaker) -> None:
    async with nights.open() as night:
        asked = Signals(retry_after=900.0)
        night.api.refusing = [a_failure(ErrorClass.RATE_LIMITED, 429, signals=asked)]
        batch = await night.submit(essays(2))
        await night.passes(860)
        assert not night.api.posts
        assert await states(night.engine, batch.id) == {"pending": 2}
        await night.has_posted(1)


async def test_a_post_that_was_heard_of_no_more_is_found(nights: NightMaker) -> None:
    async with nights.open() as night:
        night.api.losing = a_failure(ErrorClass.TIMEOUT)
        batch = await night.submit(essays(2))
        posted = await night.has_posted(1, is_heard=False)
        night.api.finish(posted)
        await night.until_over(batch.id)
        assert len(night.api.posts) == 1
        assert night.paid_once(2)


async def test_a_post_that_never_arrived_is_made_again(nights: NightMaker) -> None:
    async with nights.open() as night:
        night.api.refusing = [a_failure(ErrorClass.CONNECTION_LOST)]
        batch = await night.submit(essays(2))
        posted = await night.has_posted(1)
        night.api.finish(posted)
        await night.until_over(batch.id)
        assert night.paid_once(2)
        await checked(night)


async def test_without_names_only_its_outcomes_tell_whose_a_batch_is(nights: NightMaker) -> None:
    """Somebody else with the same key posted as many entries at the same time."""
    nights.api = type(nights.api)(nights.clock, keeps_names=False)
    async with nights.open() as night:
        night.api.losing = a_failure(ErrorClass.SERVER_ERROR, 502)
        batch = await night.submit(essays(2))
        ours = await night.has_posted(1, is_heard=False)
        theirs = night.api.take("theirs", [])
        theirs.entries = ours.entries
        night.api.posts.reverse()
        theirs.came = {"theirs-1": an_answer(reply(claim="none")), "theirs-2": an_answer()}
        theirs.is_ended = True
        await night.passes(1000)
        assert await states(night.engine, batch.id) == {"processing": 2}
        night.api.finish(ours)
        await night.until_over(batch.id)
        assert len(night.api.posts) == 2
        assert night.api.cancels == []
        grades = await night.engine.store.grades(await night.school.id_of("e1"))
        assert [one.grade.score for one in grades] == [5]


async def test_what_may_be_somebody_else_s_is_not_cancelled(nights: NightMaker) -> None:
    """Without names, and not ended when the night is: it is waited for an hour, then no more."""
    nights.api = type(nights.api)(nights.clock, keeps_names=False)
    async with nights.open() as night:
        night.api.losing = a_failure(ErrorClass.TIMEOUT)
        batch = await night.submit(essays(1))
        await night.has_posted(1, is_heard=False)
        await night.passes(20.7 * HOUR, step=600)
        assert await states(night.engine, batch.id) == {"processing": 1}
        await night.until_over(batch.id)
        assert night.api.cancels == []
        assert len(night.api.posts) == 1
        assert night.school.sim.stats.requests == 1


async def test_what_may_have_been_posted_may_have_cost_what_was_reserved(
    nights: NightMaker,
) -> None:
    """It is waited for no more, and nobody can tell whether the provider works on it."""
    nights.api = type(nights.api)(nights.clock, keeps_names=False)
    async with nights.open(provider={"price_input": 1.0, "price_output": 1.0}) as night:
        night.api.losing = a_failure(ErrorClass.TIMEOUT)
        batch = await night.submit(essays(1), cost_cap=10.0)
        await night.has_posted(1, is_heard=False)
        row = await night.engine.store.batch(batch.id)
        assert row is not None
        held = row.reserved_cost
        assert held > 0
        await night.until_over(batch.id)
        row = await night.engine.store.batch(batch.id)
        assert row is not None
        assert (row.uncertain_cost, row.reserved_cost) == (held, 0)
        assert await night.engine.store.check() == []


async def test_a_quota_that_returns_by_itself_is_waited_for(nights: NightMaker) -> None:
    async with nights.open() as night:
        until = night.clock.now_ms() + 7_200_000
        night.api.refusing = [a_failure(ErrorClass.QUOTA, 429, parked_until_ms=until)]
        batch = await night.submit(essays(1))
        await night.passes(7_000)
        assert await states(night.engine, batch.id) == {"pending": 1}
        posted = await night.has_posted(1)
        assert posted.at >= until


# When the night is over -------------------------------------------------------------------------


async def test_the_rest_goes_live_and_nothing_is_paid_twice(nights: NightMaker) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(5))
        posted = await night.has_posted(1)
        night.api.answer(posted, "e1", "e2")
        await night.passes(19.7 * HOUR, step=600)
        assert not posted.is_cancelled
        assert night.school.sim.stats.requests == 0

        async def cancelled() -> bool:
            return posted.is_cancelled

        await night.turn_until(cancelled)
        await night.passes(600)
        assert night.school.sim.stats.requests == 0, "its answers may still come"
        row = await night.engine.store.batch(batch.id)
        assert row is not None
        assert (row.mode, row.posted) == (BatchMode.LIVE, 5)
        night.api.end(posted)
        await night.until_over(batch.id)
        assert await states(night.engine, batch.id) == {"completed": 5}
        assert night.school.sim.stats.requests == 3
        assert night.paid_once(5)
        events = [one.kind for one in await night.engine.store.events(0)]
        assert events.count("batch.went_live") == 1
        await checked(night)


async def test_what_was_never_posted_goes_live_at_the_end_of_the_night(nights: NightMaker) -> None:
    async with nights.open() as night:
        asked = Signals(retry_after=30 * HOUR)
        night.api.refusing = [a_failure(ErrorClass.RATE_LIMITED, 429, signals=asked)]
        batch = await night.submit(essays(2))
        await night.passes(19.8 * HOUR, step=600)
        assert await states(night.engine, batch.id) == {"pending": 2}
        await night.until_over(batch.id)
        assert 20 <= await night.hour_of("batch.went_live") < 20.2
        assert night.school.sim.stats.requests == 2


@pytest.mark.parametrize("status", [None, 500])
async def test_a_provider_that_does_not_cancel_is_not_waited_for_for_ever(
    nights: NightMaker, status: int | None
) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(2))
        await night.has_posted(1)
        if status is not None:
            night.api.dumb = a_failure(ErrorClass.SERVER_ERROR, status)
        await night.passes(20.7 * HOUR, step=600)
        assert night.school.sim.stats.requests == 0
        await night.until_over(batch.id)
        assert 21 <= await night.hour_of("job.pending") < 21.5
        assert night.school.sim.stats.requests == 2
        await checked(night)


async def test_a_batch_that_is_gone_is_posted_again(nights: NightMaker) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(1))
        await night.has_posted(1)
        night.api.dumb = a_failure(ErrorClass.SERVER_ERROR, 404)
        await night.passes(1500)
        night.api.dumb = None
        await night.passes(1500)
        night.api.dumb = a_failure(ErrorClass.SERVER_ERROR, 404)
        await night.passes(1500)
        assert len(night.api.posts) == 1, "it was found in between"
        await night.has_posted(2)
        night.api.dumb = None
        night.api.finish(night.api.posts[1])
        await night.until_over(batch.id)
        assert night.school.sim.stats.requests == 0


async def test_jobs_that_failed_overnight_are_retried_live_on_the_next_day(
    nights: NightMaker,
) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(1))
        posted = await night.has_posted(1)
        night.api.answer(posted, came=a_failure(ErrorClass.BAD_REQUEST, 400))
        night.api.end(posted)
        await night.until_over(batch.id)
        await night.passes(24 * HOUR, step=1800)
        assert await night.engine.retry(batch.id) == 1
        await night.until_over(batch.id)
        assert await states(night.engine, batch.id) == {"completed": 1}
        assert night.school.sim.stats.requests == 1


# People -----------------------------------------------------------------------------------------


async def test_cancelling_cancels_at_the_provider_and_keeps_what_comes(nights: NightMaker) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(3))
        posted = await night.has_posted(1)
        night.api.answer(posted, "e1")
        await night.engine.cancel(batch.id)

        async def cancelled() -> bool:
            return posted.is_cancelled

        await night.turn_until(cancelled, step=1, hours=0.01)
        night.api.end(posted)
        await night.until_open(0)
        assert await states(night.engine, batch.id) == {"cancelled": 3}
        uses = {
            job.external_id: [one.answer_use for one in await night.engine.store.attempts(job.id)]
            for job in await night.school.jobs(batch.id)
        }
        assert uses == {"e1": ["salvage"], "e2": [], "e3": []}
        await checked(night)


async def test_archiving_one_paper_leaves_the_others_waiting(nights: NightMaker) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(2))
        posted = await night.has_posted(1)
        await night.engine.archive([await night.school.id_of("e1")])
        night.api.finish(posted)
        await night.until_over(batch.id)
        assert not posted.is_cancelled
        assert await states(night.engine, batch.id) == {"completed": 1, "cancelled": 1}


async def test_a_cancelled_job_that_is_retried_waits_for_the_answer_on_its_way(
    nights: NightMaker,
) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(2))
        posted = await night.has_posted(1)
        await night.engine.cancel(job_ids=[batch.job_ids[0]])
        assert await night.engine.retry(job_ids=[batch.job_ids[0]]) == 1
        assert await states(night.engine, batch.id) == {"processing": 2}
        night.api.finish(posted)
        await night.until_over(batch.id)
        assert night.paid_once(2)


async def test_a_paused_batch_posts_nothing_but_takes_what_comes(nights: NightMaker) -> None:
    async with nights.open() as night:
        batch = await night.submit(essays(2))
        posted = await night.has_posted(1)
        await night.engine.pause(batch.id, "Ms Lee")
        night.api.answer(posted, "e1")
        night.api.end(posted)
        await night.until_open(0)
        await night.passes(600)
        assert await states(night.engine, batch.id) == {"completed": 1, "pending": 1}
        assert len(night.api.posts) == 1
        await night.engine.resume(batch.id)
        night.api.finish(await night.has_posted(2))
        await night.until_over(batch.id)


# Restarts ---------------------------------------------------------------------------------------


async def test_a_restart_goes_on_waiting(nights: NightMaker) -> None:
    async with simulator() as sim:
        async with nights.open(sim=sim) as night:
            batch = await night.submit(essays(3))
            posted = await night.has_posted(1)
        night.api.finish(posted)
        async with nights.open(sim=sim) as night:
            assert await states(night.engine, batch.id) == {"processing": 3}
            await night.until_over(batch.id)
            assert len(night.api.posts) == 1
            assert night.paid_once(3)
            jobs = await night.school.jobs(batch.id)
            assert [job.interruptions for job in jobs] == [0, 0, 0]
            await checked(night)


async def test_a_stop_in_the_middle_of_a_post(nights: NightMaker) -> None:
    async with simulator() as sim:
        async with nights.open(sim=sim) as night:
            nights.api.hangs = True
            batch = await night.submit(essays(2))
            async with asyncio.timeout(SECONDS):
                while not nights.api.posts:
                    await turns(night.engine, 1)
        nights.api.finish(nights.api.posts[0])
        async with nights.open(sim=sim) as night:
            await night.until_over(batch.id)
            assert len(night.api.posts) == 1
            assert night.paid_once(2)


async def test_a_provider_without_batch_api_after_the_restart(nights: NightMaker) -> None:
    async with simulator() as sim:
        async with nights.open(sim=sim) as night:
            batch = await night.submit(essays(1))
            await night.has_posted(1)
        async with nights.open(sim=sim, has_batch_api=False) as night:
            await night.passes(19 * HOUR, step=1800)
            assert sim.stats.requests == 0
            await night.until_over(batch.id)
            assert sim.stats.requests == 1
            await checked(night)
