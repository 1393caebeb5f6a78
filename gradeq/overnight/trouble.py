"""What a refusal by a batch API means: for whom it is, and whether it is one at all."""

from __future__ import annotations

from contextlib import suppress

from gradeq.errors import ConflictError
from gradeq.outcome import CONSEQUENCES
from gradeq.providers.base import Failure
from gradeq.store.base import Store


def is_certain(failure: Failure) -> bool:
    """The API itself refused: nothing was begun. A timeout or a 5xx may hide that it was."""
    return failure.status is not None and 400 <= failure.status < 500 and failure.status != 408


def is_for_a_person(failure: Failure) -> bool:
    """Asking again later would be refused again: a key, a quota, a model, a form."""
    consequence = CONSEQUENCES[failure.error]
    mends_itself = consequence.mendable or failure.parked_until_ms is not None
    return not (consequence.retried and mends_itself)


def asked_wait(failure: Failure, now_ms: int) -> float | None:
    """Seconds until the provider wants to be asked again; None where it does not say."""
    if failure.parked_until_ms is not None:
        return max(0.0, (failure.parked_until_ms - now_ms) / 1000)
    return failure.signals.retry_after


async def pause(store: Store, batch_id: int, failure: Failure) -> None:
    """As failing live calls do, in the name of gradeq and with the reason."""
    with suppress(ConflictError):  # it is over
        await store.pause(batch_id, "gradeq", failure.reason)
