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
from gradeq.web.auth import Gate, Tell
from gradeq.web.endpoint import Endpoint, as_json
from gradeq.web.feed import Feed
from gradeq.web.files import Compressed, Files
from gradeq.web.headers import SecureHeaders
from gradeq.web.key import Key
from gradeq.web.notifications import PATH, notifications
from gradeq.web.openapi import below, describe
from gradeq.web.pages import sign_in
from gradeq.web.pages.table import PAGES
from gradeq.web.paths import EncodedParts
from gradeq.web.people import Identity
from gradeq.web.problems import router_problem
from gradeq.web.routes import ENDPOINTS
from gradeq.web.signing import Signing
from gradeq.web.site import Site
from gradeq.web.visit import Views, answering, telling

Answering = Callable[[Request], Awaitable[Response]]


def create_app(
    engine: Engine,
    *,
    token: str | None = None,
    owns_engine: bool = False,
    hosts: Sequence[str] = (),
    heartbeat_seconds: float = 15.0,
    identity: Identity | None = None,
    local_key: str | None = None,
) -> Starlette:
    """The service as an ASGI application, to be served or mounted.

    A mounted application's lifespan is not run: the host opens the engine (`lifespan=
    engine.lifespan`), unless this is the whole application (`owns_engine=True`).

    With a `token`, or with people in the database, everything asks who it is for. Without both,
    everybody may do everything, but requests must name this machine or one of `hosts` ("*": any) in
    their Host header; give `hosts` only where something else checks who asks. With an `identity`
    that alone tells who asks, and `token` counts for nothing. Whoever tells `local_key` as a token
    may do everything. Raises ConfigError for a blank token.
    """
    key = None if token is None else Key(token)
    signing = Signing(engine.store, engine.clock, key, local_key)
    views = Views(signing if identity is None else None, engine.currency)
    site = Site(engine, Feed(engine.store), identity or signing, heartbeat_seconds)
    tell = telling(site, views)
    app = Starlette(
        routes=list(_routes(site, views)),
        lifespan=engine.lifespan if owns_engine else None,
        middleware=[
            Middleware(SecureHeaders),
            Middleware(Compressed),
            Middleware(EncodedParts),
            Middleware(
                Gate,
                identity=site.identity,
                ask=answering(site, views, sign_in.ask),
                tell=tell,
                key=key if identity is None else None,
                hosts=hosts,
            ),
        ],
        exception_handlers=dict.fromkeys((HTTPException, ValueError), _astray(tell)),
    )
    app.router.redirect_slashes = False
    app.state.site = site
    return app


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


def _astray(tell: Tell) -> Callable[[Request, Exception], Awaitable[Response]]:
    """What the router refuses, as a page for a person at a browser."""

    async def answer(request: Request, error: Exception) -> Response:
        problem = router_problem(request, error)
        is_for_people = "text/html" in request.headers.get("accept", "")
        return tell(request, problem) if is_for_people else problem.response()

    return answer


def _answering(site: Site, by_method: Mapping[str, Endpoint]) -> Answering:
    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await by_method[method].respond(site, request)

    return answer


async def _described(description: Callable[[], Mapping[str, Any]], request: Request) -> Response:
    return as_json(below(request.scope.get("root_path", ""), description()))
