"""What every endpoint is given: the engine behind the service, who asks, and its live events."""

from __future__ import annotations

from dataclasses import dataclass

from gradeq.engine import Engine
from gradeq.store.base import Store
from gradeq.web.feed import Feed
from gradeq.web.people import Identity


@dataclass(frozen=True, slots=True)
class Site:
    """`heartbeat_seconds`: after so long a silence a stream shows that it is alive."""

    engine: Engine
    feed: Feed
    identity: Identity
    heartbeat_seconds: float = 15.0

    @property
    def store(self) -> Store:
        return self.engine.store
