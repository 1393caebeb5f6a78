"""A class shares a prefix: one call writes it to the provider's cache, the others read it."""

from __future__ import annotations

from school import RUBRIC, essays, school, simulator

from gradeq.clock import ManualClock

LONG_RUBRIC = RUBRIC.replace(
    "start later in the morning?", "start later in the morning? " + "Weigh both sides. " * 400
)


async def test_one_of_a_class_pays_for_the_rubric(tmp_path):
    async with (
        simulator(latency=0.2) as sim,
        school(tmp_path / "g.db", sim, rubric=LONG_RUBRIC, provider={"concurrency": 20}) as at,
    ):
        batch = await at.submit(essays(20))
        results = [one async for one in at.engine.results(batch.id)]
        assert {one.status for one in results} == {"graded"}
        assert sim.stats.requests == 20
        assert sim.stats.cache_creation_tokens > 1024
        assert sim.stats.cache_read_tokens == 19 * sim.stats.cache_creation_tokens
        assert all(job.snoozes == 0 for job in await at.jobs(batch.id))


async def test_a_batch_with_another_rubric_goes_on_beside_a_leader(tmp_path):
    clock = ManualClock()
    async with (
        simulator(clock, latency=10) as sim,
        school(tmp_path / "g.db", sim, rubric=LONG_RUBRIC, provider={"concurrency": 20}) as at,
    ):
        other = await at.engine.rubrics.put(RUBRIC, "short.toml")
        first = await at.submit(essays(5))
        second = await at.submit(essays(5, start=6), rubric_id=other)
        async for event in at.engine.events(0):
            if event.kind == "job.processing" and event.batch_id == second.id:
                break
        in_hand = [job.state for job in await at.jobs(first.id)].count("processing")
        assert in_hand == 1
        await at.engine.cancel(first.id)
        await at.engine.cancel(second.id)
        clock.advance(20)
