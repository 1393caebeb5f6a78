"""What an open stream goes on by: that its client would be let in again, as the same person."""

from __future__ import annotations

import asyncio

from starlette.requests import HTTPConnection

from gradeq.web.people import person_of
from gradeq.web.site import Site


class Leave:
    """The leave to listen of whoever opened `connection`, from its first moment on.

    It ends when the session or the token does, and when the person is given other courses or
    another role: after each change of people that gradeq knows of, and after each heartbeat, the
    service's Identity is asked again.
    """

    def __init__(self, site: Site, connection: HTTPConnection) -> None:
        self.person = person_of(connection)
        self.is_over = False
        self._site = site
        self._connection = connection
        self._changes = site.store.people.changes
        self._asked_at = _now()

    async def lasts(self) -> bool:
        """Raises what the Identity raises."""
        changes = self._site.store.people.changes
        is_old = _now() - self._asked_at >= self._site.heartbeat_seconds
        if not self.is_over and (is_old or changes != self._changes):
            self._changes, self._asked_at = changes, _now()
            self.is_over = await self._site.identity.person(self._connection) != self.person
        return not self.is_over


def _now() -> float:
    return asyncio.get_running_loop().time()
