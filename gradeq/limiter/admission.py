"""May a call start now? Everything that can hold it back, and that outlives the process."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from gradeq.clock import Clock
from gradeq.limiter.accounts import Accounts
from gradeq.limiter.base import Bucket, LimitedBy, Limits, Signals
from gradeq.limiter.breaker import Breaker
from gradeq.limiter.buckets import TOLERANCE_SECONDS
from gradeq.limiter.gate import Gate
from gradeq.limiter.pace import Pace
from gradeq.limiter.parking import Parking
from gradeq.limiter.permit import Charges, Denied, Permit
from gradeq.limiter.state import Anchor, PoolState


class Admission:
    """The parts of a pool that say no, asked together.

    `is_untried` until the first call of a pool of which nothing is stored: its token buckets are
    empty for all it knows, so one call goes to see.
    """

    def __init__(
        self, limits: Limits, clock: Clock, rng: Random, park_after: int, state: PoolState | None
    ) -> None:
        self.concurrency = limits.concurrency
        self.is_untried = state is None
        self.gate = Gate()
        self.pace = Pace()
        self.breaker = Breaker(rng)
        self.parking = Parking(clock, park_after)
        self.accounts = self._restored(limits, clock, state or PoolState(clock.now_ms()))

    @property
    def allowed_in_flight(self) -> int:
        return self.breaker.concurrency(self.concurrency)

    def denial(self, charges: Charges, in_flight: int, now: float) -> Denied | None:
        """Why a call with these charges cannot start at `now`; None if it can."""
        if self.parking.is_parked:
            return Denied(self.parking.ready_at, LimitedBy.PARKED)
        until, reason = max(self._waits(charges, now))
        must_wait = until > now + TOLERANCE_SECONDS
        if self.breaker.slots(in_flight, self.concurrency) == 0:
            return Denied(None, reason if must_wait else self._reason_of_no_slot(in_flight))
        return Denied(until, reason) if must_wait else None

    def room(self, charges: Charges, in_flight: int, now: float, *, is_guess: bool) -> int:
        """How many calls with these charges can start at `now`, given that one can.

        Where the charges are a guess, only one may find out what the tokens allow.
        """
        room = self.breaker.slots(in_flight, self.concurrency)
        if self.accounts.count_tokens and (is_guess or self.is_untried):
            return min(1, room)
        if pace := self.pace.tune(self.accounts.requests, now):
            room = min(room, pace.times(1, now))
        for account in self.accounts:
            room = min(room, account.meter.times(charges[account.bucket].total, now))
        return room

    def hear(self, signals: Signals, permit: Permit, now: float) -> None:
        """Believe a response's levels; a rate it tells sets the pace from now on."""
        self.accounts.hear(signals, permit, now)
        self.pace.tune(self.accounts.requests, now)

    def wait_seconds(self, now: float) -> float:
        """How long a parking, the gate or the breaker lasts; infinite until a person ends it."""
        if self.parking.is_parked:
            ready_at = self.parking.ready_at
            return float("inf") if ready_at is None else max(0.0, ready_at - now)
        return max(0.0, self.gate.until - now, self.breaker.until - now)

    def state(self, clock: Clock) -> PoolState:
        anchor = Anchor.now(clock)
        now = anchor.monotonic
        is_parked = self.parking.is_parked
        return PoolState(
            at_ms=anchor.wall_ms,
            buckets=tuple(account.state(anchor) for account in self.accounts),
            short_window=self.pace.short_window,
            rate_factor=self.pace.slow_down.factor(now),
            full_rate=self.pace.slow_down.full_rate,
            gate_until_ms=_later(anchor, self.gate.until),
            gate_reason=self.gate.reason,
            breaker_cap=self.breaker.cap,
            breaker_trips=self.breaker.trips,
            breaker_until_ms=_later(anchor, self.breaker.until),
            parked_reason=self.parking.reason if is_parked else None,
            parked_until_ms=self.parking.until_ms if is_parked else None,
            parked_for=self.parking.parked_for if is_parked else None,
        )

    def _restored(self, limits: Limits, clock: Clock, state: PoolState) -> Accounts:
        anchor = Anchor.of(state, clock)
        now = clock.monotonic()
        self.pace.short_window = state.short_window
        self.pace.slow_down.full_rate = state.full_rate
        self.pace.slow_down.resume_at(state.rate_factor, anchor.monotonic)
        self.breaker.cap = state.breaker_cap
        self.breaker.trips = state.breaker_trips
        if state.gate_until_ms is not None:
            self.gate.close(anchor.to_monotonic(state.gate_until_ms), state.gate_reason)
        if state.breaker_until_ms is not None:
            self.breaker.until = anchor.to_monotonic(state.breaker_until_ms)
        if state.parked_reason is not None:
            self.parking.park(state.parked_reason, state.parked_until_ms, state.parked_for)
        return Accounts(limits, state.buckets, anchor, now)

    def _waits(self, charges: Charges, now: float) -> Iterator[tuple[float, LimitedBy]]:
        """When each part would let the call start. Slots are not a matter of time."""
        yield self.gate.until, self.gate.reason
        yield self.breaker.until, LimitedBy.OVERLOAD
        if pace := self.pace.tune(self.accounts.requests, now):
            yield pace.ready_at(1), LimitedBy.REQUESTS
        for account in self.accounts:
            if not self.is_untried or account.bucket is Bucket.REQUESTS:
                need = charges[account.bucket].total
                yield account.meter.ready_at(need), LimitedBy(account.bucket.value)

    def _reason_of_no_slot(self, in_flight: int) -> LimitedBy:
        if in_flight < self.concurrency:
            return LimitedBy.OVERLOAD
        return LimitedBy.CONCURRENCY


def _later(anchor: Anchor, monotonic: float) -> int | None:
    return anchor.to_wall(monotonic) if monotonic > anchor.monotonic else None
