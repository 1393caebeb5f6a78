"""What went wrong, as application/problem+json (RFC 9457) with a stable `code`."""

from __future__ import annotations

import asyncio
import http
import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from gradeq.errors import (
    ConfigError,
    ConflictError,
    GradeqError,
    InputError,
    NotFoundError,
    RubricError,
    StoreError,
)

log = logging.getLogger("gradeq")
MEDIA_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[GradeqError], int], ...] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (RubricError, 422),
    (InputError, 422),
    (ConfigError, 422),
    (StoreError, 503),
)
_POLICY_VIOLATION = 1008
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 256 << 20
_BY_ROUTER = {404: "no_such_path", 405: "method_not_allowed"}


class Flaw(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request; `path` says where, as in `$[3].text`."""

    path: str
    problem: str


class ProblemAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Every error's body. `code` is stable, `detail` is for people and may change."""

    title: str
    status: int
    code: str
    detail: str
    type: str = "about:blank"
    problems: tuple[Flaw, ...] = ()
    incident: str | None = None


class Lingering(Response):
    """An answer to a request whose body was not read; the connection ends with it.

    A server that closes while the client still sends resets the connection, and the client may
    never see the answer. So the rest is thrown away for a while first.
    """

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        self.headers["Connection"] = "close"
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                await _throw_away(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _throw_away(receive: Receive) -> None:
    left = _LINGER_BYTES
    while left > 0:
        message = await receive()
        if not message.get("more_body", False):
            return
        left -= len(message.get("body", b""))


class Problem(Exception):
    """Raised by whatever answers a request; told to the client as it is.

    A page can say it in another language with the `values` that the detail tells.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        problems: Sequence[Flaw] = (),
        headers: Mapping[str, str] | None = None,
        incident: str | None = None,
        is_before_body: bool = False,
        values: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(detail)
        self.values = values
        self.headers = headers
        self._kind = Lingering if is_before_body else Response
        self.answer = ProblemAnswer(
            title=http.HTTPStatus(status).phrase,
            status=status,
            code=code,
            detail=detail,
            problems=tuple(problems),
            incident=incident,
        )

    def response(self) -> Response:
        return self._kind(
            msgspec.json.encode(self.answer),
            self.answer.status,
            headers={"Cache-Control": "no-store", **(self.headers or {})},
            media_type=MEDIA_TYPE,
        )


def problem_of(error: Exception, request: HTTPConnection) -> Problem:
    """The problem to tell of. What nobody expected is logged whole and told only by a number."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, GradeqError):
        return _expected(error)
    incident = secrets.token_hex(4)
    log.error(
        "incident %s: %s %s failed",
        incident,
        request.scope.get("method", "WebSocket"),
        request.url.path,
        exc_info=error,
    )
    return Problem(
        500,
        "internal_error",
        f"gradeq itself failed here; its log tells more under incident {incident}",
        incident=incident,
    )


def denial(scope: Scope, answer: Response) -> ASGIApp:
    """`answer` to whoever wants in, as far as the server can tell a WebSocket why it may not."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get(
        "extensions", {}
    ):
        return WebSocketClose(_POLICY_VIOLATION)
    return answer


def _expected(error: GradeqError) -> Problem:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if status == 503:
        log.error("%s", error)
    return Problem(
        status,
        error.code,
        str(error),
        problems=_flaws(error),
        headers={"Retry-After": "5"} if status == 503 else None,
    )


def _flaws(error: GradeqError) -> list[Flaw]:
    if isinstance(error, InputError):
        return [Flaw("$", problem) for problem in error.problems]
    if isinstance(error, RubricError):
        _, *mistakes = str(error).split("\n")
        return [Flaw("$", mistake.strip()) for mistake in mistakes or [str(error)]]
    return []


def router_problem(request: Request, error: Exception) -> Problem:
    """For what the router itself refuses: unknown paths and methods, and ids without end."""
    if not isinstance(error, HTTPException):
        # Python takes no number of over 4,300 digits.
        return Problem(422, "invalid_path", "an id in this address has too many digits")
    status = error.status_code
    detail = {
        404: f"there is no {request.url.path} here; /openapi.json lists what there is",
        405: f"{request.url.path} cannot be asked for with {request.method}",
    }.get(status, error.detail)
    code = _BY_ROUTER.get(status, "refused")
    return Problem(status, code, detail, headers=error.headers)
