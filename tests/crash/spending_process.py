"""The process that is killed while it spends: it grades one batch under a cap on cost.

    spending_process.py DATABASE PROVIDER_URL CAP PAPERS CONCURRENCY

It ends by itself when nothing moves any more: all is graded, or the cap has paused the batch.
"""

from __future__ import annotations

import asyncio
import sys

from grader_process import RUBRIC, TEXT

from gradeq import Engine, NewSubmission, ProviderSettings


async def main(database: str, url: str, cap: str, count: str, concurrency: str) -> None:
    provider = ProviderSettings(
        "school",
        "simulated",
        "marker-1",
        base_url=url,
        concurrency=int(concurrency),
        price_input=100.0,
        price_output=500.0,
    )
    papers = [
        NewSubmission(f"p{place}", TEXT.format(chunk=0, place=place)) for place in range(int(count))
    ]
    async with Engine(database, providers=[provider]) as engine:
        rubric_id = await engine.rubrics.put(RUBRIC, "crash.toml")
        await engine.submit(papers, rubric_id=rubric_id, idempotency_key="all", cost_cap=float(cap))
        await engine.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
