"""Who may ask: with a token whoever has it, without one only this machine's own programs."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from types import MappingProxyType
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gradeq.errors import ConfigError
from gradeq.web.paths import inner_path
from gradeq.web.problems import Problem, denial

_OPEN = frozenset({"/healthz"})
_FOR_PROGRAMS = ("/api/", "/ws/", "/openapi.json", "/readyz")
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
_COOKIE_SECONDS = 30 * 24 * 3600
_CHALLENGE = MappingProxyType({"WWW-Authenticate": 'Bearer realm="gradeq"'})
_SIGN_IN = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>gradeq: sign in</title>
<h1>This page needs a token</h1>
<p>Open it once as <code>/?token=…</code> with the token that gradeq was started with.
The browser then remembers it.</p></html>
"""


class Gate:
    """Middleware: refuses whoever may not ask, before anything else is looked at.

    Without a `token` only `hosts` and the names of this machine may stand in the Host header: a
    foreign site whose name is pointed at 127.0.0.1 (DNS rebinding) sends its own. "*" stands for
    any host. Raises ConfigError for a blank token.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, hosts: Sequence[str] = ()) -> None:
        if token is not None and not token.strip():
            raise ConfigError("the token is blank, so it would protect nothing; choose another")
        self._app = app
        self._key = None if token is None else Key(token)
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asks = scope["type"] in ("http", "websocket")
        answer = self._refusal(HTTPConnection(scope)) if asks else None
        await (denial(scope, answer) if answer else self._app)(scope, receive, send)

    def _refusal(self, request: HTTPConnection) -> Response | None:
        """What to answer instead; None lets the request in."""
        path = inner_path(request.scope)
        if path in _OPEN:
            return None
        if self._key is None:
            return self._foreign_host(request) or _foreign_site(request)
        if path == "/" and request.scope["type"] == "http" and "token" in request.query_params:
            return self._key.sign_in(request)
        if self._key.fits_bearer(request):
            return None
        if self._key.fits_cookie(request):
            return _foreign_site(request)
        return _needs_token() if path.startswith(_FOR_PROGRAMS) else _needs_page_token()

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


class Key:
    """The token, and the cookie that stands for it in a browser."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._cookie = hmac.new(self._token, b"gradeq page", hashlib.sha256).hexdigest()
        # Cookies ignore ports: two services on one host must not sign each other out.
        self._cookie_name = "gradeq_" + hashlib.sha256(self._cookie.encode()).hexdigest()[:8]

    def fits(self, told: str) -> bool:
        return hmac.compare_digest(told.encode("utf-8", "replace"), self._token)

    def fits_bearer(self, request: HTTPConnection) -> bool:
        scheme, _, told = request.headers.get("authorization", "").partition(" ")
        # Header values arrive as Latin-1; the token was typed as UTF-8.
        return scheme.lower() == "bearer" and self.fits(
            told.strip().encode("latin-1", "replace").decode("utf-8", "replace")
        )

    def fits_cookie(self, request: HTTPConnection) -> bool:
        told = request.cookies.get(self._cookie_name, "")
        return hmac.compare_digest(told.encode("utf-8", "replace"), self._cookie.encode())

    def sign_in(self, request: HTTPConnection) -> Response:
        """The token of the page's address becomes a cookie and leaves the address."""
        if not self.fits(request.query_params["token"]):
            return _needs_page_token()
        answer = RedirectResponse("./", 303, headers={"Cache-Control": "no-store"})
        answer.set_cookie(
            self._cookie_name,
            self._cookie,
            max_age=_COOKIE_SECONDS,
            path=request.scope.get("root_path", "") or "/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )
        return answer


def _needs_token() -> Response:
    return Problem(
        401,
        "unauthorized",
        "this service needs its token: Authorization: Bearer …",
        headers=_CHALLENGE,
    ).response()


def _needs_page_token() -> Response:
    return HTMLResponse(_SIGN_IN, 401, headers={**_CHALLENGE, "Cache-Control": "no-store"})


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
