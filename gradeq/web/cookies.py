"""Cookies as all of ours are: for this application alone, out of every script's reach."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response

from gradeq.web.paths import mount_path


def remember(
    answer: Response, request: HTTPConnection, name: str, value: str, seconds: int
) -> None:
    """Let this browser tell `value` for so long."""
    answer.set_cookie(
        name,
        value,
        max_age=seconds,
        path=_path(request),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def forget(answer: Response, request: HTTPConnection, name: str) -> None:
    answer.delete_cookie(
        name,
        path=_path(request),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def _path(request: HTTPConnection) -> str:
    return mount_path(request.scope) or "/"
