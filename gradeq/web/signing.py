"""Signing in: by a link once, then by a session; programs by a token."""

from __future__ import annotations

import hmac
import itertools
import logging

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from gradeq.clock import Clock
from gradeq.errors import NotFoundError
from gradeq.passes import SESSION_SECONDS, fits, handle_of, new_secret
from gradeq.store.base import Store
from gradeq.store.people import PassKind, PassRow
from gradeq.web.cookies import forget, remember
from gradeq.web.key import Key
from gradeq.web.people import Person, guest, known_person

log = logging.getLogger("gradeq")
_COOKIE = "gradeq_session"
_NOTED_AFTER_MS = 10 * 60 * 1000
"""So seldom is it written down that a pass was used."""


class Signing:
    """The Identity of gradeq's own people.

    `key` is the token that the service was started with, `local_key` one that only commands of
    the same user on this machine can know: whoever has one of them may do everything. With neither
    a key nor anybody on the list, everybody is let in as a guest.
    """

    def __init__(
        self, store: Store, clock: Clock, key: Key | None = None, local_key: str | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._key = key
        self._local_key = local_key
        self._refused = itertools.count(1)

    @property
    def has_key(self) -> bool:
        """The service was started with a token."""
        return self._key is not None

    async def person(self, request: HTTPConnection) -> Person | None:
        """Raises StoreError."""
        told = bearer(request)
        if told is not None:
            found = await self._by_token(told)
        else:
            found = await self._by_session(request)
        return found or await self._unnamed(request)

    async def _by_token(self, told: str) -> Person | None:
        if self._is_operator(told):
            return Person()
        return _person(await self._used(told, PassKind.TOKEN))

    def _is_operator(self, told: str) -> bool:
        if self._local_key is not None and hmac.compare_digest(
            told.encode("utf-8", "replace"), self._local_key.encode()
        ):
            return True
        return self._key is not None and self._key.fits(told)

    async def _by_session(self, request: HTTPConnection) -> Person | None:
        told = request.cookies.get(_cookie_name(request))
        return None if told is None else _person(await self._used(told, PassKind.SESSION))

    async def _unnamed(self, request: HTTPConnection) -> Person | None:
        if self._key is not None:
            is_let_in = self._key.fits_cookie(request)
        else:
            is_let_in = await self._store.people.is_empty()
        return guest(request) if is_let_in else None

    async def _used(self, told: str, kind: PassKind) -> PassRow | None:
        found = await self._valid(told, kind)
        if found is None:
            return None
        since = found.last_used_at or 0
        if self._clock.now_ms() - since >= _NOTED_AFTER_MS:
            lifetime = SESSION_SECONDS if kind is PassKind.SESSION else None
            await self._store.people.used(found.handle, lifetime)
        return found

    async def _valid(self, told: str, kind: PassKind) -> PassRow | None:
        found = await self._store.people.valid_pass(handle_of(told))
        if found is None or found.kind is not kind or not fits(told, found.sha256):
            return None
        return found

    async def link(self, code: str) -> PassRow:
        """The link that `code` is of; it can still be used. Raises NotFoundError."""
        found = await self._valid(code, PassKind.LINK)
        if found is None:
            log.warning("a sign-in was refused: no such code (%d so far)", next(self._refused))
            raise NotFoundError(
                "this link was used already, or has ended; nobody was signed in. "
                "Ask an administrator for a new one"
            )
        return found

    async def sign_in(self, answer: Response, request: Request, code: str, name: str = "") -> None:
        """Use up the link and make this browser its person's. Raises NotFoundError."""
        link = await self.link(code)
        secret = new_secret()
        session = secret.as_pass(PassKind.SESSION, lifetime_seconds=SESSION_SECONDS)
        person = await self._store.people.redeem(link.handle, session, name)
        log.info("%s has signed in", person.name)
        # The store knows when it ends; a browser that comes every month stays signed in.
        remember(answer, request, _cookie_name(request), secret.text, 400 * 24 * 3600)

    async def sign_out(self, answer: Response, request: Request) -> None:
        """End the session of this browser, and let it forget all that let it in."""
        told = request.cookies.get(_cookie_name(request), "")
        if (found := await self._valid(told, PassKind.SESSION)) is not None:
            await self._store.people.end(found.handle)
        forget(answer, request, _cookie_name(request))
        if self._key is not None:
            self._key.sign_out(answer, request)


def bearer(request: HTTPConnection) -> str | None:
    """The token of the Authorization header, if there is one."""
    scheme, _, told = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    # Header values arrive as Latin-1; the token was typed as UTF-8.
    return told.strip().encode("latin-1", "replace").decode("utf-8", "replace")


def _person(found: PassRow | None) -> Person | None:
    return None if found is None or found.person is None else known_person(found.person)


def _cookie_name(request: HTTPConnection) -> str:
    """Cookies ignore ports: two services on one host must not sign each other out."""
    return f"{_COOKIE}_{request.url.port}" if request.url.port else _COOKIE
