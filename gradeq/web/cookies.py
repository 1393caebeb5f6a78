"""Cookies as all of ours are: for this application alone, out of every script's reach."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response


def remember(answer: Response, request: Request, name: str, value: str, seconds: int) -> None:
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


def forget(answer: Response, request: Request, name: str) -> None:
    answer.delete_cookie(
        name,
        path=_path(request),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def _path(request: Request) -> str:
    return request.scope.get("root_path", "") or "/"
