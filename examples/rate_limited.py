"""A grader that calls something with a limit of its own: gradeq keeps to it for you.

    python examples/rate_limited.py

Three at a time, 240 a minute: the limiter paces the calls, one about every quarter of a second,
and no job is claimed before its call may start. Pause and cancel therefore act at once.
"""

import asyncio
import time
from itertools import pairwise

from gradeq import Engine, Grade, Job, NewSubmission

engine = Engine("limited.db")
started: list[float] = []


@engine.grader("metered", concurrency=3, requests_per_minute=240)
async def metered(job: Job) -> Grade:
    started.append(time.monotonic())
    await asyncio.sleep(0.05)  # your service answers here
    return Grade(score=float(job.id % 5), max_score=5.0)


async def main() -> None:
    async with engine:
        papers = [NewSubmission(f"p{number}", "text") for number in range(12)]
        batch = await engine.submit(papers, grader="metered")
        pool = engine.pools["grader:metered"]
        async for result in engine.results(batch.id):
            print(f"{result.id:>4} graded; {pool.reading().text}")
    gaps = [later - earlier for earlier, later in pairwise(started)]
    average = sum(gaps) / len(gaps)
    print(f"{len(started)} calls, {average:.2f} s apart on average: {60 / average:.0f} a minute")


if __name__ == "__main__":
    asyncio.run(main())
