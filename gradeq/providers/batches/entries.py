"""Prompts as the entries of a batch, and outcomes out of its results."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from gradeq.clock import Clock
from gradeq.limiter.base import Signals
from gradeq.outcome import ErrorClass
from gradeq.providers.base import Answer, Failure, Prompt
from gradeq.providers.batching import Entry, Outcome
from gradeq.providers.classify import classify
from gradeq.providers.client import UNREADABLE, Dialect
from gradeq.providers.learning import Learner
from gradeq.providers.reasons import Caller

Form = TypeVar("Form")

_AT_ONCE = 50
"""Entries that are encoded before anything else has a turn."""
_CUSTOM_ID = re.compile(rb'"custom_id"\s*:\s*"([a-zA-Z0-9_-]{1,64})"')
_FORGOTTEN = Prompt(system="", user="", schema={})
"""Results come without their prompts. One is read only to guess the tokens of an answer that
tells no usage, as those of batch APIs do."""


class Entries(Generic[Form]):
    """Writes and reads the same dialect as live calls. `write` makes an entry of a custom id and
    the body of a live call."""

    def __init__(
        self,
        dialect: Dialect[Form],
        caller: Caller,
        clock: Clock,
        write: Callable[[str, bytes], bytes],
    ) -> None:
        self._dialect = dialect
        self._caller = caller
        self._clock = clock
        self._write = write
        self._learner = Learner(dialect.first_form, dialect.adapt)
        self._sent: dict[str, Form] = {}

    @property
    def form(self) -> Form:
        """What is posted next is written in it."""
        return self._learner.form

    def encoded(self, entry: Entry, form: Form) -> bytes:
        return self._write(entry.custom_id, self._dialect.encode(entry.prompt, form))

    async def encoded_all(self, entries: Sequence[Entry], form: Form) -> list[bytes]:
        """Every entry; live calls go on in between."""
        found = []
        for number, entry in enumerate(entries):
            if number % _AT_ONCE == 0:
                await self._clock.sleep(0)
            found.append(self.encoded(entry, form))
        return found

    def posted(self, batch_id: str, form: Form) -> None:
        """Remember what to blame where entries of this batch are refused for their form."""
        self._sent[batch_id] = form

    def refused(self, failure: Failure, form: Form) -> Failure:
        """A whole batch was refused: perhaps for its form."""
        return self._learner.learned(failure, (failure.raw or "").encode(), form) or failure

    def collected(self, batch_id: str) -> None:
        """Every outcome has been read."""
        self._sent.pop(batch_id, None)

    def outcome(
        self, batch_id: str, custom_id: str, status: int, body: bytes, request_id: str | None = None
    ) -> Outcome:
        """What a live call would have got as `status` and `body`."""
        answer = self._read(body, request_id) if status == 200 else None
        return Outcome(custom_id, answer or self._failure(batch_id, status, body, request_id))

    def unasked(self, custom_id: str, why: str, seconds: float = 0.0) -> Outcome:
        """An entry that cost nothing, and may be asked again after `seconds`."""
        failure = Failure(ErrorClass.SNOOZED, why, signals=Signals(retry_after=seconds))
        return Outcome(custom_id, failure)

    def damaged(self, line: bytes) -> Outcome | None:
        """A line that cannot be read; None where not even its custom id can be made out."""
        name = custom_id_in(line)
        why = f"the line of {self._caller.host}'s results about this paper is damaged"
        return Outcome(name, Failure(ErrorClass.SERVER_ERROR, why)) if name else None

    def _read(self, body: bytes, request_id: str | None) -> Answer | None:
        try:
            return self._dialect.read(body, _FORGOTTEN, request_id, Signals())
        except UNREADABLE:
            return None

    def _failure(self, batch_id: str, status: int, body: bytes, request_id: str | None) -> Failure:
        headers = {"request-id": request_id} if request_id else {}
        now = self._clock.now_ms()
        failure = classify(status, headers, body, self._caller, now_ms=now)
        # Whoever posted a batch before this process started began with the first form too.
        sent = self._sent.get(batch_id, self._dialect.first_form)
        return self._learner.learned(failure, body, sent) or failure


def custom_id_in(line: bytes) -> str | None:
    """The custom id in a line, whatever else is wrong with it."""
    found = _CUSTOM_ID.search(line)
    return found[1].decode() if found else None
