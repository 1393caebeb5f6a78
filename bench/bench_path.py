"""The whole path beside the official SDK: claim, HTTP, parse, durable settle, papers a second.

    python bench/bench_path.py [--papers 2000] [--in-flight 5 100 500]

Both grade the same papers with the same prompts through a zero-latency simulated provider on
loopback, which runs in a process of its own. The SDK runs in a bare semaphore loop: no queue, no
disk, no check of the answer but JSON parsing. Where the system allows it, the client is bound to
one core and the provider to another.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gradeq import Engine, NewSubmission, ProviderSettings
from gradeq.grading.llm import LLMGrader
from gradeq.grading.prepared import Prepared
from gradeq.grading.rubric import parse_rubric
from gradeq.model import Job, Submission, SubmissionStatus
from gradeq.providers.base import Prompt

RUBRIC = """
title = "Bench"
question = "Should schools start later?"
[[criteria]]
id = "claim"
description = "A clear claim"
levels = [{name = "clear", points = 2}, {name = "vague", points = 1}, {name = "none", points = 0}]
[[criteria]]
id = "evidence"
description = "Evidence for the claim"
levels = [{name = "strong", points = 2}, {name = "some", points = 1}, {name = "none", points = 0}]
"""
TEXT = "Schools should start later because teenagers sleep badly. For example, studies show it. "


def bind(core: int) -> None:
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})


def start_provider() -> tuple[subprocess.Popen[str], str]:
    code = (
        "import asyncio, os\n"
        "from gradeq.providers.simulated.server import Simulator\n"
        "from gradeq.providers.simulated.settings import SimulatorSettings\n"
        "if hasattr(os, 'sched_setaffinity') and os.cpu_count() > 1: os.sched_setaffinity(0, {1})\n"
        "async def main():\n"
        "    async with Simulator(SimulatorSettings(glance=True)) as simulator:\n"
        "        print(simulator.url, flush=True)\n"
        "        await asyncio.to_thread(input)\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def paper(number: int) -> str:
    return f"Essay {number}. " + TEXT * 12


async def with_gradeq(url: str, papers: int, in_flight: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        provider = ProviderSettings(
            "bench", "anthropic", "bench-model", url, "BENCH_KEY", concurrency=in_flight
        )
        engine = Engine(Path(folder) / "bench.db", providers=[provider], environ={"BENCH_KEY": "k"})
        async with engine:
            rubric_id = await engine.rubrics.put(RUBRIC, "bench")
            began = time.perf_counter()
            new = [NewSubmission(str(i), paper(i)) for i in range(papers)]
            batch = await engine.submit(new, rubric_id=rubric_id)
            await engine.run(until_idle=True)
            took = time.perf_counter() - began
            done = await engine.store.batch(batch.id)
            assert done is not None
            assert done.completed == papers, done
            return papers / took


async def with_sdk(url: str, papers: int, in_flight: int) -> float:
    from anthropic import AsyncAnthropic

    rubric = parse_rubric(RUBRIC, "bench")
    grader = LLMGrader(model="bench-model", secret=b"0" * 32)
    places = asyncio.Semaphore(in_flight)
    ready = [grader.prepare(job(i), rubric) for i in range(papers)]
    prompts = [one.prompt for one in ready if isinstance(one, Prepared)]
    assert len(prompts) == papers
    async with AsyncAnthropic(api_key="k", base_url=url, max_retries=0, timeout=600.0) as client:

        async def grade(prompt: Prompt) -> None:
            async with places:
                message = await client.messages.create(
                    model="bench-model",
                    max_tokens=prompt.max_output_tokens,
                    system=prompt.system,
                    messages=[{"role": "user", "content": prompt.user}],
                    tools=[{"name": "grade", "input_schema": dict(prompt.schema)}],
                    tool_choice={"type": "tool", "name": "grade"},
                )
                (answer,) = message.content
                assert answer.type == "tool_use", answer
                json.dumps(answer.input)

        began = time.perf_counter()
        await asyncio.gather(*(grade(prompt) for prompt in prompts))
        return papers / (time.perf_counter() - began)


def job(number: int) -> Job:
    text = paper(number)
    status = SubmissionStatus.SUBMITTED
    submission = Submission(
        number, str(number), "c", "a", "", text, "", {}, status, 1, None, None, None, 0, 0
    )
    return Job(number, 1, "grading", "llm", 1, submission, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--papers", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, nargs="*", default=[5, 100, 500])
    options = parser.parse_args()
    bind(0)
    print(f"{'in flight':>10}{'gradeq /s':>12}{'SDK /s':>10}{'ratio':>8}")
    for in_flight in options.in_flight:
        rates = []
        for run in (with_gradeq, with_sdk):
            provider, url = start_provider()
            rates.append(asyncio.run(run(url, options.papers, in_flight)))
            provider.communicate("\n")
            gc.collect()
        print(
            f"{in_flight:>10}{rates[0]:>12,.0f}{rates[1]:>10,.0f}{rates[0] / rates[1]:>8.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
