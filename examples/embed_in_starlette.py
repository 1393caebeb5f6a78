"""gradeq inside another app: mounted under /grading, opened and stopped with the app.

    python examples/embed_in_starlette.py            asks itself once over HTTP, then ends
    python examples/embed_in_starlette.py --stay     serves until Ctrl-C

A mounted app gets no lifespan of its own, so the host passes the engine's. The host knows its
users, so it tells gradeq who asks, and which courses that person may see.
"""

import asyncio
import sys

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from gradeq import Engine, Grade, Job, NewSubmission
from gradeq.web import create_app
from gradeq.web.people import Person

engine = Engine("embedded.db")
SESSIONS = {"session-of-ada": Person("Ada", is_admin=False, courses=frozenset({"en"}))}


@engine.grader("length")
async def length(job: Job) -> Grade:
    assert job.submission is not None
    return Grade(score=min(10.0, len(job.submission.text) / 10), max_score=10.0)


class HostUsers:
    async def person(self, request: HTTPConnection) -> Person | None:
        return SESSIONS.get(request.cookies.get("host_session", ""))


async def hand_in(_request: Request) -> PlainTextResponse:
    """The host's own page: it queues work in one call and answers at once."""
    paper = NewSubmission("s1", "Schools should start later. " * 3, course="en", assignment="hw3")
    batch = await engine.submit([paper], grader="length")
    return PlainTextResponse(f"queued as batch {batch.id}")


grading = Mount("/grading", create_app(engine, identity=HostUsers()))
app = Starlette(routes=[Route("/hand-in", hand_in), grading], lifespan=engine.lifespan)


async def main(stay: bool) -> None:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="on"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    host = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    print("listening at", host)
    if not stay:
        cookies = {"host_session": "session-of-ada"}
        async with httpx.AsyncClient(base_url=host, cookies=cookies) as ada:
            print((await ada.get("/hand-in")).text)
            await engine.run(until_idle=True)
            badges = await ada.get("/grading/api/courses/en/assignments/hw3/badges")
            print("badges:", badges.json())
        server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(main("--stay" in sys.argv))
