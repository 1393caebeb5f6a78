"""gradeq inside another app: mounted under /grading, opened and stopped with the app.

    python examples/embed_in_starlette.py            asks itself once over HTTP, then ends
    python examples/embed_in_starlette.py --stay     serves until Ctrl-C

A mounted app gets no lifespan of its own, so the host passes the engine's.
"""

import asyncio
import json
import sys
import urllib.request

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import gradeq.web
from gradeq import Engine, Grade, Job, NewSubmission

engine = Engine("embedded.db")


@engine.grader("length")
async def length(job: Job) -> Grade:
    assert job.submission is not None
    return Grade(score=min(10.0, len(job.submission.text) / 10), max_score=10.0)


async def hand_in(_request: object) -> PlainTextResponse:
    """The host's own page: it queues work in one call and answers at once."""
    paper = NewSubmission("s1", "Schools should start later. " * 3, course="en", assignment="hw3")
    batch = await engine.submit([paper], grader="length")
    return PlainTextResponse(f"queued as batch {batch.id}\n")


app = Starlette(
    routes=[Route("/hand-in", hand_in), Mount("/grading", gradeq.web.create_app(engine))],
    lifespan=engine.lifespan,
)


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


async def main(stay: bool) -> None:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="on"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    host = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    print("listening at", host)
    if not stay:
        print(await asyncio.to_thread(get, f"{host}/hand-in"), end="")
        await engine.run(until_idle=True)
        badges = f"{host}/grading/api/courses/en/assignments/hw3/badges"
        print("badges:", json.loads(await asyncio.to_thread(get, badges)))
        server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(main("--stay" in sys.argv))
