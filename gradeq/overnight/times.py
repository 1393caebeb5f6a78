"""When what is done overnight. All in seconds."""

from __future__ import annotations

from gradeq.errors import ConflictError

FALLBACK_SECONDS = 20 * 3600.0
"""After submit, an overnight batch goes on live, unless its deadline comes first. The providers'
own limit is 24 hours."""

BEFORE_DEADLINE_SECONDS = 3600.0
"""So long before a deadline it goes on live."""

WORTH_POSTING_SECONDS = 600.0
"""With less time left than this nothing is posted any more."""

FIRST_LOOK_SECONDS = 60.0
LONGEST_LOOK_SECONDS = 600.0
_GROWTH = 1.5

GATHER_SECONDS = 35.0
"""So long posting waits after a look: what is to be tried again becomes due one by one, most of it
within half a minute, and is posted together."""

LISTED_SECONDS = 120.0
"""After this time a batch that was posted can be found in the provider's list."""

CLOCK_SKEW_SECONDS = 600.0
"""So far our clock and the provider's may be apart."""

PATIENCE_SECONDS = 3600.0
"""So long after its fallback a provider's batch may take to be cancelled and handed out."""

LOST_SECONDS = 1800.0
"""A batch that the provider has not known for so long is gone: deleted, or another account's.
Now and then a provider does not find what it has."""


def fallback_at(now: int, run_at: int | None, deadline: int | None) -> int:
    """When an order goes live, in wall milliseconds. ConflictError where that is too soon."""
    found = max(now, run_at or 0) + round(1000 * FALLBACK_SECONDS)
    if deadline is not None:
        found = min(found, deadline - round(1000 * BEFORE_DEADLINE_SECONDS))
    if found - now < 1000 * WORTH_POSTING_SECONDS:
        raise ConflictError(
            "the deadline leaves no time for the night: a batch API may take hours, and an hour "
            "before the deadline the rest goes live; nothing was queued. Grade now, not overnight"
        )
    return found


def next_look(looks: int, asked: float | None = None) -> float:
    """Seconds until a provider's batch is looked at again, after `looks` looks.

    `asked` is what the provider asked for.
    """
    usual = min(LONGEST_LOOK_SECONDS, FIRST_LOOK_SECONDS * _GROWTH ** min(looks, 10))
    return usual if asked is None else max(usual, asked)
