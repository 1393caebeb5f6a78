"""What a worker asks of whoever does the work of a job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from gradeq.decision import Failed
from gradeq.grading.rubric import Rubric
from gradeq.limiter.base import Cost
from gradeq.limiter.permit import Permit
from gradeq.limiter.pool import Pool
from gradeq.model import LEXICAL_GRADER, Grade, Submission, is_blend
from gradeq.store.claims import Attempt, Claimed


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one try: a grade, a result of another job kind, or a failure.

    `attempt` is the record of a try that is not stored yet; `attempt_id` points to one whose
    answer was stored before it was read.
    """

    grade: Grade | None = None
    result: Any = None
    failed: Failed | None = None
    attempt: Attempt | None = None
    attempt_id: int | None = None
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A job that waits for nothing but its permit. `call` ends the permit, whatever happens."""

    cost: Cost
    call: Callable[[Permit], Awaitable[Tried]]


@dataclass(frozen=True, slots=True)
class GraderFacts:
    """What can be told of a grader before it is used.

    `provider` and `model` are None for code. `share_overnight` is what the
    provider's batch API takes of the usual price; None where there is none.
    """

    name: str
    kind: str
    provider: str | None
    model: str | None
    share_overnight: float | None

    @property
    def is_provisional(self) -> bool:
        """Its grades are a help for whoever grades, and no more."""
        return self.name == LEXICAL_GRADER or self.is_blend

    @property
    def is_blend(self) -> bool:
        """It asks a model for probabilities and compares words, too."""
        return self.provider is not None and is_blend(self.name)

    @property
    def needs_rubric(self) -> bool:
        return self.provider is not None or self.is_provisional


class Handler(Protocol):
    """Registered under a grader's name; its jobs go through `pool`."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def max_attempts(self) -> int: ...

    @property
    def pool(self) -> Pool: ...

    @property
    def is_priced(self) -> bool:
        """True where its calls cost something that a cap can be held against."""
        ...

    @property
    def model(self) -> str | None:
        """The model that it asks; None for code."""
        ...

    def probable_cost(self, paper: Submission, rubric: Rubric) -> float:
        """What a live call for `paper` would cost, roughly; 0 where none is made."""
        ...

    async def prepare(self, claimed: Claimed) -> Ready | Tried:
        """Everything before the call; a Tried where no call is needed."""
        ...
