"""What gradeq asks of a batch API: many prompts posted at once, answered within a day."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from gradeq.limiter.base import Usage
from gradeq.providers.base import Answer, Failure, Prompt


@dataclass(frozen=True, slots=True)
class Entry:
    """One prompt of a batch. `custom_id` is unique in the batch and comes back with its answer:
    1 to 64 of the characters a-z, A-Z, 0-9, _ and - (Anthropic's rule, the narrowest).
    """

    custom_id: str
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a posted batch is. `is_ended`: no more entries will be answered."""

    batch_id: str
    is_ended: bool
    answered: int
    failed: int
    open: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one entry. A Failure of an entry that expired or was cancelled unasked costs
    nothing and may be asked again; its error is then SNOOZED.
    """

    custom_id: str
    came: Answer | Failure


class BatchProvider(Protocol):
    """The batch API of a configured provider: the same key, model and dialect, another path.

    No method retries, and none raises for anything the network can do.
    """

    @property
    def max_entries(self) -> int: ...

    @property
    def max_bytes(self) -> int: ...

    def size(self, entry: Entry) -> int:
        """Bytes that the entry takes of `max_bytes`."""
        ...

    def price(self, usage: Usage) -> float:
        """What `usage` costs at the batch price (half of the live one)."""
        ...

    async def post(self, intent: str, entries: Sequence[Entry]) -> str | Failure:
        """Post a batch; the provider's id of it. `intent` is our own name for it, 1 to 32
        characters of a-z and 0-9, sent along wherever the API keeps such a name.
        """
        ...

    async def find(self, intent: str, *, since_ms: int, entries: int) -> list[str] | Failure:
        """Ids of batches that may be the one posted as `intent`, after `since_ms` (wall time) and
        with so many entries: for a process that died before it could write the id down.

        Where the API keeps no names (Anthropic), these are candidates: every custom id of ours
        begins with the intent, so the outcomes tell whose they are.
        """
        ...

    async def progress(self, batch_id: str) -> Progress | Failure: ...

    def outcomes(self, batch_id: str) -> AsyncIterator[Outcome | Failure]:
        """Of a batch that has ended, in any order. A Failure instead of an Outcome says that the
        results cannot be read now, and ends the iteration: ask again later.
        """
        ...

    async def cancel(self, batch_id: str) -> Failure | None:
        """Ask for no further answers; those that are made already still come as outcomes."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...
