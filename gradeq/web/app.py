"""The application: routes, protection and the engine behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import groupby
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from gradeq import __version__
from gradeq.engine import Engine
from gradeq.web.auth import Gate
from gradeq.web.endpoint import Endpoint, as_json
from gradeq.web.feed import Feed
from gradeq.web.files import Compressed, Files
from gradeq.web.headers import SecureHeaders
from gradeq.web.notifications import PATH, notifications
from gradeq.web.openapi import describe
from gradeq.web.pages.table import PAGES
from gradeq.web.paths import EncodedParts
from gradeq.web.people import Identity
from gradeq.web.problems import router_problem
from gradeq.web.routes import ENDPOINTS
from gradeq.web.site import Site
from gradeq.web.visit import Views, answering

Answering = Callable[[Request], Awaitable[Response]]


def create_app(
    engine: Engine,
    *,
    token: str | None = None,
    owns_engine: bool = False,
    hosts: Sequence[str] = (),
    heartbeat_seconds: float = 15.0,
    identity: Identity | None = None,
) -> Starlette:
    """The service as an ASGI application, to be served or mounted.

    A mounted application's lifespan is not run: the host opens the engine (`lifespan=
    engine.lifespan`), unless this is the whole application (`owns_engine=True`). With a `token`
    everything but /healthz asks for it. Without one, requests must name this machine or one of
    `hosts` ("*": any) in their Host header; give `hosts` only where something else checks who
    asks. `identity` tells the pages who stands before them; without one the browser remembers
    a name. Raises ConfigError for a blank token.
    """
    Gate(_nowhere, token=token, hosts=hosts)
    site = Site(engine, Feed(engine.store), heartbeat_seconds)
    app = Starlette(
        routes=list(_routes(site, Views(identity))),
        lifespan=engine.lifespan if owns_engine else None,
        middleware=[
            Middleware(SecureHeaders),
            Middleware(Compressed),
            Middleware(EncodedParts),
            Middleware(Gate, token=token, hosts=hosts),
        ],
        exception_handlers={HTTPException: router_problem},
    )
    app.router.redirect_slashes = False
    app.state.site = site
    return app


async def _nowhere(*_: object) -> None:
    """Stands for an application where only the settings around it are checked."""


def _routes(site: Site, views: Views) -> Iterator[BaseRoute]:
    for path, group in groupby(ENDPOINTS, key=lambda one: one.path):
        by_method = {one.method: one for one in group}
        yield Route(path, _answering(site, by_method), methods=list(by_method))
    # Made when it is first asked for: that takes longer than everything else here.
    description = cache(partial(describe, ENDPOINTS, __version__))
    yield Route("/openapi.json", partial(_described, description))
    yield WebSocketRoute(PATH, partial(notifications, site))
    for method, path, show in PAGES:
        yield Route(path, answering(site, views, show), methods=[method])
    yield Mount("/static", Files(views.files_version))


def _answering(site: Site, by_method: Mapping[str, Endpoint]) -> Answering:
    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await by_method[method].respond(site, request)

    return answer


async def _described(description: Callable[[], Mapping[str, Any]], _: Request) -> Response:
    return as_json(description())
