"""What gradeq asks of a store for work that goes through a provider's batch API.

A provider's batch is on disk as an intent before it is posted. Until it has ended, the intent is
the lease of its jobs, and what stands in the store decides how they go on after a crash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gradeq.store.claims import Attempt, Claimed, PaidAnswer


class PostState(StrEnum):
    """How far a provider's batch is."""

    INTENDED = "intended"
    """May be posted or not: its id at the provider is not known."""
    POSTED = "posted"
    ENDED = "ended"
    """Everything that came of it is stored."""
    ABANDONED = "abandoned"
    """Never posted, or not waited for any more; its jobs went back into the queue."""


@dataclass(frozen=True, slots=True)
class Night:
    """An overnight batch with open jobs; `pending` of them are not posted, some not due yet."""

    batch_id: int
    grader: str
    fallback_at: int
    pending: int
    is_paused: bool


@dataclass(frozen=True, slots=True)
class ProviderBatch:
    """One that has not ended. Times are wall milliseconds.

    `answered` and `failed` are what the provider last said. `is_wanted`: some job waits for it.
    """

    batch_id: int
    grader: str
    intent: str
    state: PostState
    provider_batch_id: str | None
    entries: int
    answered: int
    failed: int
    looks: int
    look_at: int
    lost_since: int | None
    reason: str | None
    fallback_at: int
    created_at: int
    posted_at: int | None
    cancel_asked_at: int | None
    is_wanted: bool


@dataclass(frozen=True, slots=True)
class Item:
    """A job in a provider's batch and the prompt as it was sent.

    `is_held`: the job still waits for the answer; one that was cancelled does not.
    """

    claimed: Claimed
    request_key: str
    prefix: str
    sent: str
    is_held: bool = True


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of an item: a paid answer with its attempt, or (both None) something else."""

    claimed: Claimed
    attempt: Attempt | None = None
    answer: PaidAnswer | None = None


class ProviderBatches(Protocol):
    """Every method is one transaction, as in `gradeq.store.base`."""

    async def nights(self) -> list[Night]:
        """The overnight batches with open jobs."""
        ...

    async def claim(self, batch_id: int, limit: int, lease_seconds: float) -> list[Claimed]:
        """Take up to `limit` due jobs of an overnight batch, as `Work.claim` does of live ones."""
        ...

    async def intend(
        self, batch_id: int, intent: str, items: Sequence[Item], look_in: float
    ) -> list[int]:
        """Put claimed jobs into a provider's batch that is about to be posted; their ids.

        Those whose lease is gone are left out; all of them where the batch is paused or live by
        now. `look_in` seconds later it is to be looked for, should nobody know its id by then.
        """
        ...

    async def posted(self, intent: str, provider_batch_id: str, look_in: float) -> None:
        """The provider has it under this id; look at it again in so many seconds."""
        ...

    async def looked(
        self,
        intent: str,
        look_in: float,
        *,
        answered: int | None = None,
        failed: int | None = None,
        reason: str | None = None,
        is_lost: bool = False,
    ) -> None:
        """What the provider said (None: nothing new), or the reason why it said nothing.

        `is_lost`: it said that it knows no such batch.
        """
        ...

    async def cancel_asked(self, intent: str) -> None:
        """The provider was asked to answer no more of it; it is looked at often again."""
        ...

    async def unknown(self, provider_batch_ids: Sequence[str]) -> list[str]:
        """Those ids that stand nowhere in this database."""
        ...

    async def items(self, intent: str, job_ids: Sequence[int] | None = None) -> list[Item]:
        """What has not come yet: of these jobs, or all of it."""
        ...

    async def collect(self, collected: Sequence[Collected]) -> list[int | None]:
        """Store answers before they are read, and note that their items have come.

        The ids of their attempts; None where there is no answer, or it was collected before.
        """
        ...

    async def end(
        self, intent: str, *, abandoned_because: str | None = None, may_be_charged: bool = False
    ) -> int:
        """It has ended: jobs that still wait for it are pending again, uncounted; how many.

        What is reserved for them is free again, unless the provider may charge them all the same.
        """
        ...

    async def go_live(self, batch_id: int) -> None:
        """An overnight batch becomes an ordinary one; what is posted already stays so."""
        ...

    async def open(self) -> list[ProviderBatch]:
        """Those that have not ended, oldest first."""
        ...

    async def holding(self, job_id: int) -> ProviderBatch | None:
        """The provider's batch that this job waits for, if it does."""
        ...
