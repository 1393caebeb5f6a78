"""Money for calls: reserved before each one, where a cap is in force."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from gradeq.clock import Clock
from gradeq.days import next_midnight_ms
from gradeq.errors import ConflictError
from gradeq.limiter.pool import Pool
from gradeq.outcome import CONSEQUENCES, Counter, ErrorClass
from gradeq.providers.base import Failure, Prompt, Provider
from gradeq.store.base import Store
from gradeq.store.claims import Claimed
from gradeq.store.costs import CapReached, Need, Reserved

_ANSWER_LOST = (200, 408, 502, 504)
"""Statuses behind which the provider may have finished its work."""


@dataclass(frozen=True, slots=True)
class NoMoney:
    """The call must not be made now, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Paid:
    """The call may be made, with `prompt`. `held` is None where no cap is in force."""

    prompt: Prompt
    held: Reserved | None = None


@dataclass(frozen=True, slots=True)
class Purse:
    """Reserves for calls to `provider`. `day_cap` is what all calls of a local day may cost."""

    provider: Provider
    pool: Pool
    store: Store
    clock: Clock
    day_cap: float | None = None
    currency: str = "USD"

    async def reserve(self, claimed: Claimed, prompt: Prompt) -> Paid | NoMoney:
        """Near a cap a call gets less room for its answer, but still plenty. At the day's cap the
        pool stands still until midnight.
        """
        if not claimed.is_capped and self.day_cap is None:
            return Paid(prompt)
        if not self.provider.is_priced:
            return await self._without_prices(claimed) or Paid(prompt)
        # One whose last answer was of no use, perhaps being cut, keeps all its room.
        lean = prompt if claimed.counters.unusable else self.provider.trimmed(prompt)
        need = replace(self._need(claimed, prompt), least=self.provider.worst_price(lean))
        [found] = await self.store.reserve_cost([need], self.day_cap)
        if found is None:
            return NoMoney("it was taken back before the call was made")
        if isinstance(found, Reserved):
            return Paid(prompt if found.amount == need.amount else lean, found)
        self._park(found)
        return NoMoney(found.reason)

    async def afford(self, calls: Sequence[tuple[Claimed, Prompt]], share: float) -> list[bool]:
        """For which of these calls, posted together at a `share` of the price, there is money.

        It is reserved for them.
        """
        if self.day_cap is None and not any(claimed.is_capped for claimed, _ in calls):
            return [True] * len(calls)
        if not self.provider.is_priced:
            return [await self._without_prices(claimed) is None for claimed, _ in calls]
        needs = [self._need(claimed, prompt, share) for claimed, prompt in calls]
        found = await self.store.reserve_cost(needs, self.day_cap)
        for one in found:
            if isinstance(one, CapReached):
                self._park(one)
        return [isinstance(one, Reserved) for one in found]

    def may_have_cost(self, failure: Failure, prompt: Prompt, held: Reserved | None) -> float:
        """At most, where nobody can tell whether a failed call was charged; else nothing."""
        if not may_be_charged(failure):
            return 0.0
        return self.provider.worst_price(prompt) if held is None else held.amount

    def _need(self, claimed: Claimed, prompt: Prompt, share: float = 1.0) -> Need:
        amount = share * self.provider.worst_price(prompt)
        return Need(claimed.job.id, claimed.lease, amount, self.currency)

    def _park(self, reached: CapReached) -> None:
        if reached.batch_id is None and not reached.waits:
            midnight = next_midnight_ms(self.clock.now_ms())
            self.pool.park(reached.reason, midnight, cause=ErrorClass.COST_CAP.value)

    async def _without_prices(self, claimed: Claimed) -> NoMoney | None:
        """Calls that cost nothing as far as is known: a day has room for them, a cap has not."""
        if not claimed.is_capped:
            return None
        batch_id, name = claimed.job.batch_id, self.provider.name
        reason = (
            f"the batch has a cost cap, and the provider {name!r} has no prices to count by; set "
            f"price_input and price_output of [provider.{name}], or take the cap away "
            f"(gradeq batch cap {batch_id} none), then resume (gradeq batch resume {batch_id})"
        )
        with suppress(ConflictError):  # it may be over by now
            await self.store.pause(batch_id, "gradeq", reason)
        return NoMoney(reason)


def may_be_charged(failure: Failure) -> bool:
    """The provider may have done the work, though no usable answer came back."""
    counter = CONSEQUENCES[failure.error].counter
    if failure.status is None:
        # Without a connection nothing was sent.
        return failure.error is not ErrorClass.OVERLOADED
    if counter is Counter.ANSWER:
        return True
    return counter is Counter.ATTEMPT and failure.status in _ANSWER_LOST
