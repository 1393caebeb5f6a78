"""What limited the speed while somebody looked on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gradeq.limiter.base import LimitedBy

NOTHING = LimitedBy.NOTHING.value


@dataclass(slots=True)
class Causes:
    """Each look's cause, and the last words for it."""

    _looks: Counter[str] = field(default_factory=Counter)
    _texts: dict[str, str] = field(default_factory=dict)

    def see(self, cause: str, text: str) -> str:
        """Take a look into account; its words."""
        self._looks[cause] += cause != NOTHING
        self._texts[cause] = text
        return text

    @property
    def most_seen(self) -> str:
        cause, looks = next(iter(self._looks.most_common(1)), (NOTHING, 0))
        return cause if looks else NOTHING

    def words(self, cause: str) -> str:
        """As last seen; nothing, and a cause that no look caught, by its name."""
        seen = "" if cause == NOTHING else self._texts.get(cause)
        return seen or cause.replace("_", " ")
