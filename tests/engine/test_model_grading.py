"""Grading through a model, over real HTTP: what is sent, what comes of it, what it costs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
from engine_kit import (
    SECONDS,
    HeldClock,
    WatchedStore,
    state_of,
    states,
    turns,
    until_in_state,
    until_over,
)
from school import ESSAY, RUBRIC, Strikes, Tap, essays, school, simulator

from gradeq import Grade, NewSubmission
from gradeq.clock import ManualClock
from gradeq.grading.llm import MOST_CHARACTERS
from gradeq.limiter.state import PoolState
from gradeq.providers.simulated import Simulator


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with simulator() as opened:
        yield opened


# What comes of it -------------------------------------------------------------------------------


async def test_a_class_is_graded_with_evidence_that_stands_in_the_papers(tmp_path, sim):
    async with school(tmp_path / "g.db", sim) as at:
        results = await at.graded(essays(12))
        assert await at.engine.store.check() == []
    assert len(results) == 12
    for n in range(1, 13):
        result = results[f"e{n}"]
        assert result.status == "graded"
        assert result.grade.model == "marker-1"
        assert result.grade.max_score == 5
        assert result.grade.score == sum(each.points for each in result.grade.criteria)
        assert [each.id for each in result.grade.criteria] == ["claim", "evidence"]
        for quote in (quote for each in result.grade.criteria for quote in each.evidence):
            assert quote.verified
            assert ESSAY.format(n=n)[quote.start : quote.end] == quote.quote
        assert (result.attempts, result.input_tokens > 100, result.output_tokens > 10) == (
            (1, True, True)
        )
    assert sim.stats.requests == 12


async def test_grades_of_the_simulated_provider_say_so(tmp_path, sim):
    async with school(tmp_path / "g.db", sim) as at:
        results = await at.graded(essays(3))
    assert all("simulated" in result.grade.flags for result in results.values())


@pytest.mark.parametrize(("kind", "key"), [("anthropic", "x-api-key"), ("openai", "Bearer")])
async def test_the_two_kinds_of_api(tmp_path, kind, key):
    environ = {"SCHOOL_KEY": "sk-of-the-school"}
    async with simulator(api_keys=("sk-of-the-school",)) as sim:
        tap = Tap(sim.port)
        provider = {"kind": kind, "api_key_env": "SCHOOL_KEY", "price_input": 3.0}
        async with (
            tap.open() as url,
            school(tmp_path / "g.db", sim, base_url=url, provider=provider, environ=environ) as at,
        ):
            results = await at.graded(essays(4))
    assert [result.status for result in results.values()] == ["graded"] * 4
    assert all(result.cost > 0 for result in results.values())
    assert key.lower() in tap.sent.lower()
    assert "sk-of-the-school" not in (tmp_path / "g.db").read_bytes().decode("latin-1")


async def test_what_was_sent_and_what_came_back_are_on_record(tmp_path, sim):
    async with school(tmp_path / "g.db", sim) as at:
        batch = await at.submit(essays(1))
        await until_over(at.engine, batch.id)
        (attempt,) = await at.engine.store.attempts(batch.job_ids[0])
        (grade,) = await at.engine.store.grades(await at.id_of("e1"))
    assert (attempt.answer_use, attempt.error, attempt.http_status) == ("applied", None, 200)
    assert attempt.request_id.startswith("req_")
    assert (grade.rubric_id, grade.job_id) == (at.rubric_id, batch.job_ids[0])
    assert grade.request_key


# Decided without a call -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the paper is blank"),
        (" \n\t\u200b\u00a0 ", "the paper is blank"),
        ("x" * (MOST_CHARACTERS + 1), "more than the 60,000"),
    ],
    ids=["empty", "white", "long"],
)
async def test_papers_that_need_no_call(tmp_path, sim, text, reason):
    async with school(tmp_path / "g.db", sim) as at:
        results = await at.graded([NewSubmission("odd", text), *essays(2)])
    assert results["odd"].status == "ungraded"
    assert reason in results["odd"].reason
    assert results["e1"].status == results["e2"].status == "graded"
    assert sim.stats.requests == 2


async def test_a_paper_that_no_limit_lets_in_is_refused_before_the_call(tmp_path, sim):
    limits = {"input_tokens_per_minute": 6_000}
    async with school(tmp_path / "g.db", sim, provider=limits) as at:
        results = await at.graded([NewSubmission("huge", "A long word. " * 4_000)])
    assert results["huge"].status == "ungraded"
    assert "more than the 6,000 that the provider allows" in results["huge"].reason
    assert sim.stats.requests == 0


# Answers that are no grades ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error", "reason"),
    [
        ("garbage", "unusable", "the answer holds no JSON object (asked 3 times)"),
        ("schema", "unusable", "(asked 3 times)"),
        ("refusal", "refused", "the model refused to grade this paper (asked 3 times)"),
        ("cut", "cut", "the answer was cut at"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_asked_for_twice_more(
    tmp_path, fault, error, reason
):
    async with (
        simulator(fail=fault) as sim,
        school(tmp_path / "g.db", sim) as at,
    ):
        batch = await at.submit(essays(3))
        results = {one.id: one async for one in at.engine.results(batch.id)}
        jobs = await at.jobs(batch.id)
    assert all(reason in result.reason for result in results.values())
    assert {result.status for result in results.values()} == {"ungraded"}
    assert {(job.error, job.attempts, job.unusable) for job in jobs} == {(error, 0, 3)}
    assert list(sim.stats.calls_per_paper.values()) == [3, 3, 3]


@pytest.mark.parametrize("fault", ["garbage", "schema", "refusal", "cut"])
async def test_one_bad_answer_is_forgotten_when_the_next_is_good(tmp_path, fault):
    async with (
        simulator(rng=Strikes().told(True, True), fail=f"{fault}:0.5") as sim,
        school(tmp_path / "g.db", sim) as at,
    ):
        results = await at.graded(essays(1))
        (job,) = await at.jobs(1)
    assert results["e1"].status == "graded"
    assert (job.unusable, job.attempts, job.reason) == (2, 0, None)
    assert results["e1"].attempts == 3, "every call was paid and is on record"


async def test_after_a_cut_the_answer_gets_more_room(tmp_path):
    async with simulator(rng=Strikes().told(True), fail="cut:0.5") as sim:
        tap = Tap(sim.port)
        async with tap.open() as url, school(tmp_path / "g.db", sim, base_url=url) as at:
            results = await at.graded(essays(1))
    first, second = (body["max_tokens"] for body in tap.bodies)
    assert second == 2 * first
    assert results["e1"].status == "graded"


# Pseudonyms -------------------------------------------------------------------------------------


async def test_no_name_and_no_id_leaves_the_machine(tmp_path, sim):
    text = (
        "My name is Ada Lovelace, pupil number 20451, ada.l@school.example. Ada thinks that "
        "schools should start later, because LOVELACE needs her sleep. Class 9c of Miss Noether."
    )
    paper = NewSubmission(
        "S-20451-x",
        text,
        student="Ada Lovelace",
        extra={"email": "ada.l@school.example", "student_no": "20451", "hand_in": "late"},
    )
    tap = Tap(sim.port)
    async with tap.open() as url, school(tmp_path / "g.db", sim, base_url=url) as at:
        results = await at.graded([paper])
    assert len(tap.bodies) == 1
    sent = json.dumps(tap.bodies, ensure_ascii=False).casefold()
    # Fence, canary and pseudonym are random: hexadecimal digits may happen to spell a name.
    words = re.sub(r"[0-9a-f]{6,}", "", sent)
    for private in ("ada", "lovelace", "20451", "school.example"):
        assert private not in words, private
    assert "student-" in sent
    assert "schools should start later" in sent
    assert "Student-" not in json.dumps(results["S-20451-x"].row())


async def test_pseudonyms_may_be_switched_off(tmp_path, sim):
    tap = Tap(sim.port)
    async with (
        tap.open() as url,
        school(tmp_path / "g.db", sim, base_url=url, pseudonyms=False) as at,
    ):
        paper = NewSubmission("e1", "I am Ada, and I sleep well.", student="Ada Lovelace")
        await at.graded([paper])
    assert "I am Ada" in json.dumps(tap.bodies)


# Paid answers -----------------------------------------------------------------------------------


async def held_call(at: Any, clock: HeldClock) -> Any:
    """Submit one essay; return when its call waits for the answer."""
    batch = await at.submit(essays(1))
    await clock.holds(1)
    return batch


@pytest.fixture
async def slow(tmp_path: Any) -> AsyncIterator[Any]:
    """A school whose provider answers when its clock is turned by 10 seconds."""
    clock = HeldClock()
    async with (
        simulator(clock, latency=10) as sim,
        school(tmp_path / "g.db", sim) as at,
    ):
        at.clock = clock
        yield at


async def test_an_answer_for_an_archived_paper_is_kept_and_pays_the_next_grading(slow):
    batch = await held_call(slow, slow.clock)
    paper = await slow.id_of("e1")
    await slow.engine.archive([paper])
    slow.clock.advance(10)
    salvage = await slow.until_salvaged(batch.job_ids[0])
    assert salvage.output_tokens > 0
    assert await slow.engine.store.grades(paper) == []
    assert (await slow.jobs(batch.id))[0].state == "cancelled"

    await slow.engine.unarchive([paper])
    results = await slow.graded([paper])
    assert results["e1"].status == "graded"
    assert results["e1"].attempts == 1, "nothing was paid again"
    assert slow.sim.stats.requests == 1
    (grade,) = await slow.engine.store.grades(paper)
    assert grade.grade.score == results["e1"].grade.score


async def test_a_cancelled_call_pays_the_next_grading_too(slow):
    batch = await held_call(slow, slow.clock)
    await slow.engine.cancel(batch.id)
    slow.clock.advance(10)
    await slow.until_salvaged(batch.job_ids[0])
    results = await slow.graded([await slow.id_of("e1")])
    assert results["e1"].status == "graded"
    assert slow.sim.stats.requests == 1


async def test_another_rubric_asks_anew(slow):
    batch = await held_call(slow, slow.clock)
    await slow.engine.cancel(batch.id)
    slow.clock.advance(10)
    await slow.until_salvaged(batch.job_ids[0])
    slow.sim.change(latency=0)
    other = await slow.engine.rubrics.put(
        RUBRIC.replace("a clear position?", "a clear and bold position?"), "sleep.toml"
    )
    results = await slow.graded([await slow.id_of("e1")], rubric_id=other)
    assert results["e1"].status == "graded"
    assert slow.sim.stats.requests == 2


async def test_another_text_asks_anew_and_a_late_answer_to_the_old_one_is_not_applied(slow):
    batch = await held_call(slow, slow.clock)
    (added,) = await slow.engine.add([NewSubmission("e1", "Later is better, I say. " * 20)])
    assert added.change == "replaced"
    slow.clock.advance(10)
    await slow.until_salvaged(batch.job_ids[0])
    assert await slow.engine.store.grades(added.id) == []
    slow.sim.change(latency=0)
    results = await slow.graded([added.id])
    assert results["e1"].status == "graded"
    assert slow.sim.stats.requests == 2
    assert len(slow.sim.stats.calls_per_paper) == 2


async def test_another_model_asks_anew(tmp_path, sim):
    async with school(tmp_path / "g.db", sim) as at:
        await at.graded(essays(1))
    async with school(tmp_path / "g.db", sim, provider={"model": "marker-2"}) as at:
        results = await at.graded([await at.id_of("e1")])
    assert results["e1"].grade.model == "marker-2"
    assert sim.stats.requests == 2


async def test_a_persons_edit_during_the_call_is_kept(slow):
    batch = await held_call(slow, slow.clock)
    paper = await slow.id_of("e1")
    await slow.engine.edit_grade(paper, Grade(4.5, 5, feedback="Well argued."), by="Ms Hopper")
    slow.clock.advance(10)
    await until_over(slow.engine, batch.id)
    grades = await slow.engine.store.grades(paper)
    assert [(one.source, one.current) for one in grades] == [("model", False), ("person", True)]
    (result,) = [one async for one in slow.engine.results(batch.id)]
    assert (result.grade.score, result.grade.feedback) == (4.5, "Well argued.")
    assert await slow.engine.store.check() == []


async def test_a_crash_between_storing_and_reading_an_answer_costs_no_second_call(tmp_path, sim):
    store = WatchedStore(tmp_path / "g.db")
    stored = asyncio.Event()

    async def die() -> None:
        store.dead = True
        stored.set()

    store.after_answer = die
    async with school(tmp_path / "g.db", sim, store=store) as at:
        batch = await at.submit(essays(1))
        await stored.wait()
    async with school(tmp_path / "g.db", sim) as at:
        results = {one.id: one async for one in at.engine.results(batch.id)}
        (job,) = await at.jobs(batch.id)
    assert results["e1"].status == "graded"
    assert (job.interruptions, job.attempts) == (1, 0)
    assert sim.stats.requests == 1


async def test_a_stop_during_a_call_asks_again_and_counts_nothing(tmp_path):
    clock = HeldClock()
    async with simulator(clock, latency=10) as sim:
        async with school(tmp_path / "g.db", sim) as at:
            batch = await held_call(at, clock)
        sim.change(latency=0)
        async with school(tmp_path / "g.db", sim) as at:
            results = {one.id: one async for one in at.engine.results(batch.id)}
            (job,) = await at.jobs(batch.id)
    assert results["e1"].status == "graded"
    assert (job.interruptions, job.attempts, job.snoozes) == (0, 0, 0)
    assert sim.stats.requests == 2


# One job ahead of its permit --------------------------------------------------------------------


@pytest.fixture
async def tight(tmp_path: Any, sim: Simulator) -> AsyncIterator[Any]:
    """A school with 1,000 input tokens a second and none left, on a clock that stands still.

    Its first essay is graded. Then there is one that needs more tokens than a typical one; it is
    in hand already, and waits for them.
    """
    clock = ManualClock()
    limits = {"input_tokens_per_minute": 60_000}
    async with school(tmp_path / "g.db", sim, provider=limits, clock=clock) as at:
        (pool,) = at.engine.pools
        await at.engine.store.save_pool(pool, PoolState(clock.now_ms()).to_dict())
    async with school(tmp_path / "g.db", sim, provider=limits, clock=clock) as at:
        at.clock = clock
        first = await at.submit(essays(1))
        (limiter,) = at.engine.pools.values()
        while limiter.requests_total == 0:
            clock.advance(0.05)
            await turns(at.engine, 5)
        await until_over(at.engine, first.id)
        at.long = await at.submit(
            [NewSubmission("long", ESSAY.format(n=0) * 8), *essays(2, start=11)]
        )
        async with asyncio.timeout(SECONDS):
            while await state_of(at.engine, at.long.job_ids[0]) != "processing":
                clock.advance(0.01)
                await turns(at.engine, 5)
        assert sim.stats.requests == 1
        yield at


async def test_one_job_waits_in_hand_and_the_others_in_the_queue(tight):
    assert await states(tight.engine, tight.long.id) == {"pending": 2, "processing": 1}
    tight.clock.advance(1)
    await until_in_state(tight.engine, tight.long.job_ids[:1], "completed")


async def test_an_interactive_paper_overtakes_the_one_in_hand(tight):
    urgent = await tight.submit(essays(1, start=21))
    await until_over(tight.engine, urgent.id)
    second = list(tight.sim.stats.calls_per_paper)[1]
    assert second == sha256(ESSAY.format(n=21).encode()).hexdigest()
    job = await tight.engine.store.job(tight.long.job_ids[0])
    assert (job.attempts, job.snoozes, job.interruptions) == (0, 0, 0)


async def test_a_pause_takes_the_job_in_hand_back(tight):
    await tight.engine.pause(tight.long.id)
    await until_in_state(tight.engine, tight.long.job_ids[:1], "pending")
    tight.clock.advance(60)
    await turns(tight.engine)
    assert tight.sim.stats.requests == 1


async def test_an_archived_paper_leaves_the_hand(tight):
    await tight.engine.archive([await tight.id_of("long")])
    tight.clock.advance(60)
    await until_in_state(tight.engine, tight.long.job_ids[1:], "completed")
    assert tight.sim.stats.requests == 3
    assert await state_of(tight.engine, tight.long.job_ids[0]) == "cancelled"


async def test_a_stop_returns_the_job_in_hand_uncounted(tight, tmp_path, sim):
    assert await tight.engine.stop() == 0, "no call was cut"
    async with school(tmp_path / "g.db", sim, work=False) as later:
        job = await later.engine.store.job(tight.long.job_ids[0])
        assert (job.state, job.attempts, job.snoozes, job.interruptions) == ("pending", 0, 0, 0)
