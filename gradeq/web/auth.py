"""Who may ask: nobody gets further than this without being let in."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from types import MappingProxyType
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gradeq.errors import GradeqError
from gradeq.web.key import Key
from gradeq.web.paths import inner_path
from gradeq.web.people import NOBODY, Identity, Person, let_in
from gradeq.web.problems import Problem, denial, problem_of
from gradeq.web.signing import bearer

SIGN_IN = "/sign-in"
_OPEN = frozenset({"/healthz"})
_READY = "/readyz"
_FOR_PROGRAMS = ("/api/", "/ws/", "/openapi.json", _READY)
_FOR_EVERYBODY = "/static/"
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
_CHALLENGE = MappingProxyType({"WWW-Authenticate": 'Bearer realm="gradeq"'})
Ask = Callable[[Request], Awaitable[Response]]
Tell = Callable[[Request, Exception], Response]


class Gate:
    """Middleware: refuses whoever may not ask, before anything else is looked at.

    `identity` tells who asks; where it knows nobody, a browser is answered by `ask`, the page to
    sign in, and where it fails, by `tell`. Guests of a service without a `key` may name only
    `hosts` and this machine in the Host header: a foreign site whose name is pointed at 127.0.0.1
    (DNS rebinding) sends its own. "*" stands for any host.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        identity: Identity,
        ask: Ask,
        tell: Tell,
        key: Key | None = None,
        hosts: Sequence[str] = (),
    ) -> None:
        self._app = app
        self._identity = identity
        self._ask = ask
        self._tell = tell
        self._key = key
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asks = scope["type"] in ("http", "websocket")
        answer = await self._refusal(HTTPConnection(scope)) if asks else None
        await (denial(scope, answer) if answer else self._app)(scope, receive, send)

    async def _refusal(self, request: HTTPConnection) -> Response | None:
        """What to answer instead; None lets the request in."""
        path = inner_path(request.scope)
        if self._is_open(path):
            return None
        if self._key is not None and path == "/" and "token" in request.query_params:
            return self._key.signed_in(request) or await self._refused(request, path)
        try:
            person = await self._identity.person(request)
        except GradeqError as error:
            if path.startswith(_FOR_PROGRAMS):
                return problem_of(error, request).response()
            return self._tell(Request(request.scope), error)
        if person is None and path != SIGN_IN:
            return await self._refused(request, path)
        let_in(request, person or NOBODY)
        return self._wrong_way(request, person or NOBODY)

    def _is_open(self, path: str) -> bool:
        """Tells nothing about anybody. With a key, /readyz asks for it."""
        if path == _READY:
            return self._key is None
        return path in _OPEN or path.startswith(_FOR_EVERYBODY)

    def _wrong_way(self, request: HTTPConnection, person: Person) -> Response | None:
        """Whoever was let in may still be used by a page of another site."""
        if self._key is None and person.is_guest:
            return self._foreign_host(request) or _foreign_site(request)
        is_by_token = bearer(request) is not None and not person.is_guest
        return None if is_by_token else _foreign_site(request)

    def _foreign_host(self, request: HTTPConnection) -> Response | None:
        host = host_name(request.headers.get("host", ""))
        if is_loopback(host) or host in self._hosts or "*" in self._hosts:
            return None
        return Problem(
            403,
            "foreign_host",
            f"this service was asked for as {host!r}, but answers without a token only as "
            "127.0.0.1 or localhost. Start it with a token, or name this host to create_app",
        ).response()

    async def _refused(self, request: HTTPConnection, path: str) -> Response:
        if path.startswith(_FOR_PROGRAMS):
            return Problem(
                401,
                "unauthorized",
                "this service needs a token: Authorization: Bearer …",
                headers=_CHALLENGE,
            ).response()
        answer = await self._ask(Request(request.scope))
        answer.headers.update(_CHALLENGE)
        return answer


def _foreign_site(request: HTTPConnection) -> Response | None:
    """Another site's page must not press our buttons with this browser's rights (CSRF).

    Nor read along: browsers let every page open a WebSocket anywhere.
    """
    if request.scope.get("method") in _HARMLESS:
        return None
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    own = {"same-origin", "none"}
    if site in own or (site is None and _is_own(origin, request.headers.get("host", ""))):
        return None
    return Problem(
        403, "foreign_site", "this was sent by a page of another site; nothing was changed"
    ).response()


def _is_own(origin: str | None, host: str) -> bool:
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()


def host_name(host: str) -> str:
    """A Host header without its port, in lower case; an IPv6 address without its brackets."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """True for names and addresses that only this machine can mean."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
