"""The token that a service was started with, and the cookie that stands for it in a browser."""

from __future__ import annotations

import hashlib
import hmac

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from gradeq.errors import ConfigError
from gradeq.web.cookies import forget, remember

_COOKIE_SECONDS = 30 * 24 * 3600


class Key:
    """Whoever has it may do everything. Raises ConfigError for a blank token."""

    def __init__(self, token: str) -> None:
        if not token.strip():
            raise ConfigError("the token is blank, so it would protect nothing; choose another")
        self._token = token.encode()
        self._cookie = hmac.new(self._token, b"gradeq page", hashlib.sha256).hexdigest()
        # Cookies ignore ports: two services on one host must not sign each other out.
        self._cookie_name = "gradeq_" + hashlib.sha256(self._cookie.encode()).hexdigest()[:8]

    def fits(self, told: str) -> bool:
        return hmac.compare_digest(told.encode("utf-8", "replace"), self._token)

    def fits_cookie(self, request: HTTPConnection) -> bool:
        told = request.cookies.get(self._cookie_name, "")
        return hmac.compare_digest(told.encode("utf-8", "replace"), self._cookie.encode())

    def signed_in(self, request: HTTPConnection) -> Response | None:
        """The token of the page's address becomes a cookie and leaves the address.

        None for a wrong one.
        """
        if not self.fits(request.query_params["token"]):
            return None
        answer = RedirectResponse("./", 303, headers={"Cache-Control": "no-store"})
        remember(answer, request, self._cookie_name, self._cookie, _COOKIE_SECONDS)
        return answer

    def sign_out(self, answer: Response, request: Request) -> None:
        forget(answer, request, self._cookie_name)
