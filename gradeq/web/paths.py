"""Paths whose parts may hold anything: a course may be called "Maths/Physics" or "100%".

Routers match the decoded path, in which an encoded slash is a slash like any other. So each part
is decoded by itself, and its own slashes and percent signs are kept encoded until it was matched.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Receive, Scope, Send

_LARGEST_ID = 2**63 - 1


class EncodedParts:
    """Middleware: lets routes see `%2F` and `%25` where a part of the path holds a `/` or `%`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path")
        if scope["type"] == "http" and raw is not None:
            path = _encoded(raw.partition(b"?")[0].decode("latin-1"))
            root = scope.get("root_path", "").replace("%", "%25")
            scope = {**scope, "path": path, "root_path": root}
        await self._app(scope, receive, send)


def part(text: str) -> str:
    """A matched part of the path as it was meant."""
    return text.replace("%2F", "/").replace("%25", "%")


def id_in(text: str) -> int:
    """The id that an address or a form tells; 0, which is nobody's, for what is none."""
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if is_number and int(text) <= _LARGEST_ID else 0


def inner_path(scope: Scope) -> str:
    """The path below wherever the application is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def mount_path(scope: Scope) -> str:
    """Where the application is mounted, as a browser tells it; empty at the top."""
    # EncodedParts has encoded its percent signs.
    return quote(scope.get("root_path", ""), safe="/%")


def _encoded(raw_path: str) -> str:
    return "/".join(
        unquote(one).replace("%", "%25").replace("/", "%2F") for one in raw_path.split("/")
    )
