"""What a caller holds while its call runs, and what it gets when there is no room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gradeq.errors import GradeqError
from gradeq.limiter.base import Bucket, Cost, LimitedBy


@dataclass(frozen=True, slots=True)
class Charge:
    """What one call takes from one bucket: when it is admitted, and when it ends.

    `spare` must be there beside it, for the estimate may be too low; it is not taken.
    """

    at_start: int = 0
    at_end: int = 0
    spare: int = 0

    @property
    def total(self) -> int:
        return self.at_start + self.at_end

    @property
    def required(self) -> int:
        return self.at_start + self.at_end + self.spare


Charges = Mapping[Bucket, Charge]
"""One entry for every member of `Bucket`, whether or not the provider limits it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the pool's sequence of charges: their number and their sums so far."""

    number: int
    charged: Mapping[Bucket, int]


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """One call may be in flight. Give it back exactly once, to the pool that made it.

    `seq` orders the calls of a pool by their start, `started_at` is monotonic seconds, `mark`
    tells what was charged before and what after the call's start.
    """

    seq: int
    started_at: float
    cost: Cost
    charges: Charges
    mark: Mark
    is_first: bool = False
    """True for the call that tries out a pool of which nothing is known."""
    in_a_crowd: bool = True
    """True where so many started within a second that a limit of each second may refuse it."""


@dataclass(frozen=True, slots=True)
class Denied:
    """Nothing was reserved. `ready_at` is the monotonic time of the next chance.

    None: only a call that ends, or a person who resumes the pool, can make room.
    """

    ready_at: float | None
    reason: LimitedBy


class NeverFits(GradeqError):
    """The call needs more than a bucket can ever hold: waiting does not help."""

    code = "never_fits"

    def __init__(self, bucket: Bucket, need: int, limit: float, per_seconds: float) -> None:
        name = bucket.value.replace("_", " ")
        super().__init__(
            f"This call needs about {need:,} {name}, more than the {limit:,.0f} that the provider "
            f"allows in {per_seconds:g} s, so it was not sent. Shorten the paper or the rubric, "
            "or use a model or a plan with a higher limit."
        )
        self.bucket = bucket
        self.need = need
        self.limit = limit
