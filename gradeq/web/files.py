"""The files that pages ask for, and how little of everything goes over the wire."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import parse_qs

from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from gradeq.web.paths import inner_path

STATIC = Path(__file__).parent / "static"
_FOR_EVER = "public, max-age=31536000, immutable"
_LEVEL = 6


def files_version(folder: Path = STATIC) -> str:
    """A short text that is another one as soon as any file is."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


class Files(StaticFiles):
    """Files that a browser keeps for a year where their address carries their version."""

    def __init__(self, version: str) -> None:
        super().__init__(directory=STATIC)
        self._version = version

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("v", [])
        if asked == [self._version] and answer.status_code in (200, 304):
            answer.headers["Cache-Control"] = _FOR_EVER
        return answer


class Compressed:
    """Middleware: pages and their files go out compressed, where the browser can read that.

    Not what programs ask for on the same machine, and not the answers to what is sent here: some
    of those begin before the request ends.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressed = GZipMiddleware(app, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and not inner_path(scope).startswith("/api/")
        )
        await (self._compressed if is_page else self._app)(scope, receive, send)
