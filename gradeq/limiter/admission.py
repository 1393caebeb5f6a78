"""May a call start now? Everything that can hold it back, and that outlives the process."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from gradeq.clock import Clock
from gradeq.limiter.accounts import Accounts
from gradeq.limiter.auto import Wanted
from gradeq.limiter.base import Bucket, LimitedBy, Limits, Signals
from gradeq.limiter.breaker import Breaker
from gradeq.limiter.buckets import TOLERANCE_SECONDS
from gradeq.limiter.gate import Gate
from gradeq.limiter.learned import AtOnce, Headroom, RateFactor, Trickle
from gradeq.limiter.opening import OVER, Opening
from gradeq.limiter.pace import FASTEST, Pace
from gradeq.limiter.parking import Parking
from gradeq.limiter.permit import Charges, Denied, Permit
from gradeq.limiter.reading import LastMinute
from gradeq.limiter.state import Anchor, PoolState

_GUESSED_CEILING = 16.0
_FEWEST_TO_GUESS_FROM = 20
_TELLS_FOR_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class _Empty:
    """A moment when the provider had nothing left, and what had been taken by then."""

    at: float
    seq: int
    taken: Mapping[Bucket, int]


class Admission:
    """The parts of a pool that say no, asked together.

    `is_untried` until the first call of a pool of which nothing is stored: its token buckets are
    empty for all it knows, so one call goes to see.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Clock,
        rng: Random,
        *,
        park_after: int,
        state: PoolState | None,
        opening: Opening | None,
    ) -> None:
        self.wanted = Wanted(
            limits.concurrency,
            auto=limits.auto,
            most=limits.max_concurrency,
            now=clock.monotonic(),
        )
        self.needed: int | None = None
        """Calls in flight that the known rate keeps busy, with headroom."""
        self.is_untried = state is None
        self._is_cold = state is None and not limits.keeps_pace
        self._clock = clock
        self.factor = RateFactor()
        self.headroom = Headroom()
        self.at_once = AtOnce()
        self._scaled_at = -math.inf
        self._last_empty: _Empty | None = None
        self._trickle = Trickle()
        self.gate = Gate()
        is_wish = limits.keeps_pace
        self.opening = opening or Opening(state.opened if state else OVER if is_wish else 0)
        self.pace = Pace()
        self.breaker = Breaker(rng)
        self.parking = Parking(clock, park_after)
        self.accounts = self._restored(limits, clock, state or PoolState(clock.now_ms()))

    @property
    def concurrency(self) -> int:
        """How many calls may be in flight while the provider is well."""
        return self.at_once.limit(self.wanted.calls(self.needed), self._clock.monotonic())

    @property
    def allowed_in_flight(self) -> int:
        return self.breaker.concurrency(self.concurrency)

    def denial(self, charges: Charges, in_flight: int, now: float) -> Denied | None:
        """Why a call with these charges cannot start at `now`; None if it can."""
        if self.parking.is_parked:
            return Denied(self.parking.ready_at, LimitedBy.PARKED)
        self._scale(now)
        waits = list(self._waits(charges, now))
        if self.breaker.slots(in_flight, self.concurrency) == 0:
            until, reason = max(waits)
            must_wait = until > now + TOLERANCE_SECONDS
            return Denied(None, reason if must_wait else self._reason_of_no_slot(in_flight))
        until, reason = max((*waits, (self.opening.ready_at(in_flight), LimitedBy.REQUESTS)))
        return Denied(until, reason) if until > now + TOLERANCE_SECONDS else None

    def room(self, charges: Charges, in_flight: int, now: float, *, is_guess: bool) -> int:
        """How many calls with these charges can start at `now`, given that one can.

        Where the charges are a guess, only one may find out what the tokens allow.
        """
        room = self.breaker.slots(in_flight, self.concurrency)
        if self.accounts.count_tokens and (is_guess or self.is_untried):
            return min(1, room)
        if pace := self.pace.tune(self.accounts.requests, now):
            room = min(room, pace.times(1, now))
        if (few := self.opening.room(in_flight, now)) is not None:
            room = min(room, few)
        for account in self.accounts:
            charge = charges[account.bucket]
            room = min(room, account.meter.times(charge.total, now, spare=charge.spare))
        return room

    def hear(self, signals: Signals, permit: Permit, now: float) -> None:
        """Believe a response's levels; a rate it tells sets the pace from now on."""
        if self.accounts.hear(signals, permit, now):
            self.factor.forget()
            self._scaled_at = -math.inf
        self.factor.ceiling = _GUESSED_CEILING if self.accounts.is_guessed else 1.0
        self.pace.tune(self.accounts.requests, now)

    def answered(self, permit: Permit, signals: Signals, now: float) -> None:
        """The first answers of a pool that knows nothing: do responses tell of levels at all?"""
        self._trickle.answered(permit.seq)
        if self._is_cold and not signals.levels:
            self.accounts.assume_full(now)
        self._is_cold = False

    def learn_from_refusal(
        self,
        permit: Permit,
        in_flight: int,
        last_minute: LastMinute,
        now: float,
        *,
        newest_seq: int,
    ) -> None:
        """What the limits known here do not explain has some other reason; find the likeliest.

        `newest_seq` is the last call that was sent before the refusal was known.
        """
        self._is_cold = False
        accounts = self.accounts
        has_enough = accounts.are_cleared_by(permit, now)
        in_a_crowd = permit.in_a_crowd and accounts.requests is not None
        is_unexplained = has_enough or accounts.have_plenty(permit.charges, now)
        if in_a_crowd and is_unexplained and self.pace.heed_short_window():
            return
        if has_enough:
            self.at_once.refused(in_flight, now)
            return
        if not list(accounts):
            self._trickle.refused(newest_seq, now)
            self._guess_limit(last_minute, now)
        if all(account.reported_seq < 0 for account in accounts):
            self.opening.refused()
        self._learn_from_empty_bucket(permit.seq, now)

    def _guess_limit(self, last_minute: LastMinute, now: float) -> None:
        """None is known, and there is one: about what was let in."""
        rate = self._trickle.rate(now)
        if last_minute.answered >= _FEWEST_TO_GUESS_FROM:
            rate = (last_minute.requests - last_minute.refused) / last_minute.seconds
        if rate is not None:
            self.accounts.guess(rate, now)
            self.factor.forget()
            self.factor.resume_at(1.0, None, now)
            self.factor.ceiling = _GUESSED_CEILING

    def _learn_from_empty_bucket(self, seq: int, now: float) -> None:
        """One refusal tells a level; the next one tells what came in between, which is the rate."""
        last, taken = self._last_empty, self.accounts.taken()
        self._last_empty = _Empty(now, seq, taken)
        if self.factor.is_well_known:
            self.headroom.double(now)
        if last is not None and now - last.at <= _TELLS_FOR_SECONDS:
            used = self.accounts.share_used(last.taken, now - last.at)
            self.factor.cut(now, used, seq - last.seq)
        self._scaled_at = -math.inf

    def _scale(self, now: float) -> None:
        if now - self._scaled_at >= 1.0:
            self._scaled_at = now
            self.accounts.scale(self.factor.value(now), self.headroom.seconds(now), now)

    def haste(self, now: float) -> float:
        """How many times the sustained rate may be used while there is plenty of everything."""
        return FASTEST if not self.pace.short_window and self.accounts.are_full(now) else 1.0

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
            margin_seconds=self.pace.margin,
            rate_factor=self.pace.slow_down.factor(now),
            full_rate=self.pace.slow_down.full_rate,
            learned_factor=self.factor.value(now),
            failed_at=self.factor.failed_at,
            patience=self.factor.patience,
            calls_known=self.factor.calls_known,
            headroom_seconds=self.headroom.seconds(now),
            opened=self.opening.steps,
            is_guessed=self.accounts.is_guessed,
            most_at_once=self.at_once.most,
            auto_level=self.wanted.knee.level if self.wanted.is_auto else None,
            gate_until_ms=_later(anchor, self.gate.until),
            gate_reason=self.gate.reason,
            breaker_cap=self.breaker.cap,
            breaker_trips=self.breaker.trips,
            breaker_until_ms=_later(anchor, self.breaker.until),
            parked_reason=self.parking.reason if is_parked else None,
            parked_cause=self.parking.cause if is_parked else None,
            parked_until_ms=self.parking.until_ms if is_parked else None,
            parked_for=self.parking.parked_for if is_parked else None,
        )

    def _restored(self, limits: Limits, clock: Clock, state: PoolState) -> Accounts:
        anchor = Anchor.of(state, clock)
        now = clock.monotonic()
        self.pace.short_window = state.short_window
        self.pace.margin = state.margin_seconds
        self.pace.slow_down.full_rate = state.full_rate
        self.pace.slow_down.resume_at(state.rate_factor, anchor.monotonic)
        self.factor.resume_at(state.learned_factor, state.failed_at, anchor.monotonic)
        self.factor.patience = state.patience
        self.factor.calls_known = state.calls_known
        self.headroom.resume_at(state.headroom_seconds, anchor.monotonic)
        self.at_once.resume_at(state.most_at_once, anchor.monotonic)
        if state.auto_level is not None:
            self.wanted.knee.resume_at(state.auto_level, now)
        self.breaker.cap = state.breaker_cap
        self.breaker.trips = state.breaker_trips
        if state.gate_until_ms is not None:
            self.gate.close(anchor.to_monotonic(state.gate_until_ms), state.gate_reason)
        if state.breaker_until_ms is not None:
            self.breaker.until = anchor.to_monotonic(state.breaker_until_ms)
        if state.parked_reason is not None:
            self.parking.park(
                state.parked_reason,
                state.parked_until_ms,
                cause=state.parked_cause,
                parked_for=state.parked_for,
            )
        accounts = Accounts(limits, state.buckets, anchor, now)
        accounts.is_guessed = state.is_guessed
        self.factor.ceiling = _GUESSED_CEILING if state.is_guessed else 1.0
        return accounts

    def _waits(self, charges: Charges, now: float) -> Iterator[tuple[float, LimitedBy]]:
        """When each part would let the call start. Slots are not a matter of time."""
        yield self.gate.until, self.gate.reason
        yield self.breaker.until, LimitedBy.OVERLOAD
        if pace := self.pace.tune(self.accounts.requests, now):
            yield pace.ready_at(1), LimitedBy.REQUESTS
        for account in self.accounts:
            if not self.is_untried or account.bucket is Bucket.REQUESTS:
                need = charges[account.bucket].required
                yield account.meter.ready_at(need), LimitedBy(account.bucket.value)

    def _reason_of_no_slot(self, in_flight: int) -> LimitedBy:
        if in_flight < self.concurrency:
            return LimitedBy.OVERLOAD
        return LimitedBy.CONCURRENCY


def _later(anchor: Anchor, monotonic: float) -> int | None:
    return anchor.to_wall(monotonic) if monotonic > anchor.monotonic else None
