"""One pool: what a provider limits together. Who may call now, and what each answer teaches."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from random import Random

from gradeq.clock import Clock
from gradeq.errors import ConfigError
from gradeq.limiter.admission import Admission
from gradeq.limiter.auto import needed_for
from gradeq.limiter.base import Cost, LimitedBy, Limits, Signals, Usage
from gradeq.limiter.estimates import REFUSED, UNUSED, Estimates
from gradeq.limiter.gate import Epoch
from gradeq.limiter.leaders import Leaders
from gradeq.limiter.opening import Opening
from gradeq.limiter.permit import Charges, Denied, Permit
from gradeq.limiter.reading import Gauge, Hour, Minute, Reading, Tally
from gradeq.limiter.state import PoolState, Setup

PARK_AFTER = 5
_GATE_JITTER_SECONDS = 0.2
_SHORTEST_LOADING_SECONDS = 1.0
_LONGEST_LOADING_SECONDS = 5.0
_UNKNOWN = Cost(input_tokens=0, output_tokens=0)


class Pool:
    """Permits for calls to one provider pool (base URL, credential and model family).

    Nothing here waits: methods look at `clock`, answer at once, and say when to ask again.
    Every permit ends in exactly one of `release`, `answered`, `refused`, `overloaded`,
    `loading`, `failed` or `unmendable`. `on_change` is called with the pool after each change of
    what `state()` would tell; let it only take a note. With a `state` the pool goes on where
    that left off; without one it has no tokens to spend and lets one call try, and `opening` (a new
    one by default) spaces the next ones. `setup` says whose pool it is.

    Raises ConfigError for a concurrency below 1 or a limit that is not above 0.
    """

    def __init__(
        self,
        name: str,
        limits: Limits,
        *,
        clock: Clock,
        rng: Random,
        state: PoolState | None = None,
        setup: Setup | None = None,
        on_change: Callable[[Pool], None] | None = None,
        park_after: int = PARK_AFTER,
        opening: Opening | None = None,
    ) -> None:
        _check(name, limits)
        self.name = name
        self.setup = setup or Setup()
        self.refused_total = 0
        self.requests_total = 0
        self._clock = clock
        self._rng = rng
        self._on_change = on_change
        self._newest_seq = -1
        self._open: set[int] = set()
        self._cuts = Epoch()
        self._estimates = Estimates(limits)
        self._leaders = Leaders(is_used=limits.caches_prompts)
        self._is_auto = limits.auto
        self._minute = Minute(clock.monotonic())
        self._refused = Hour()
        self._tally = Tally(clock.monotonic())
        self._admission = Admission(
            limits, clock, rng, park_after=park_after, state=state, opening=opening
        )
        self._admission.parking.setup = self.setup.fingerprint

    @property
    def in_flight(self) -> int:
        return len(self._open)

    @property
    def is_untried(self) -> bool:
        """True until its first call where nothing was stored of it."""
        return self._admission.is_untried

    @property
    def parked_reason(self) -> str | None:
        """Why nothing starts until a person or a date ends it; None where that is not so."""
        parking = self._admission.parking
        return parking.reason if parking.is_parked else None

    def room(self) -> int:
        """How many typical calls could start at this instant."""
        now = self._clock.monotonic()
        reason, room = self._look(now)
        self._tally.note(reason, now)
        return room

    def ready_at(self) -> float | None:
        """Monotonic time at which the next typical call could start; now or earlier: at once.

        None when only the end of a call, or a person, can change that.
        """
        now = self._clock.monotonic()
        denied = self._admission.denial(self._typical_charges(now), self.in_flight, now)
        return now if denied is None else denied.ready_at

    def acquire(self, cost: Cost) -> Permit | Denied:
        """Reserve a slot and what the call will take, or say when to ask again.

        Raises NeverFits where the call needs more than a bucket can hold.
        """
        now = self._clock.monotonic()
        charges = self._expected(cost, now)
        self._admission.accounts.check(charges)
        denied = self._admission.denial(charges, self.in_flight, now)
        if denied is None and self._leaders.must_wait(cost, now):
            denied = Denied(None, LimitedBy.PROMPT_CACHE)
        if denied is None:
            return self._start(cost, charges, now)
        self._tally.note(denied.reason, now)
        return denied

    def must_follow(self, cost: Cost) -> bool:
        """True while another call writes this one's prefix to the provider's cache."""
        return self._leaders.must_wait(cost, self._clock.monotonic())

    def release(self, permit: Permit) -> None:
        """The call was never made: everything is given back."""
        now = self._end(permit, UNUSED)
        self._admission.pace.give()
        self._admission.breaker.ended(permit.seq)
        self.requests_total -= 1
        self._admission.is_untried |= permit.is_first and self.requests_total == 0
        self._minute.count(now, requests=-1)
        self._changed()

    def answered(self, permit: Permit, usage: Usage, signals: Signals) -> None:
        """The call brought an answer: settle with what it used, learn from it."""
        in_flight = self.in_flight
        self._leaders.answered(permit.seq, permit.cost, usage, self._clock.monotonic())
        now = self._end(permit, self._estimates.actual(permit, usage))
        self._admission.hear(signals, permit, now)
        self._estimates.learn(permit, usage, now - permit.started_at)
        used = {"input": usage.input_tokens, "output": usage.output_tokens}
        self._minute.count(now, answered=1, **used)
        self._admission.breaker.succeeded(permit.seq, self._admission.concurrency)
        self._admission.gate.answered()
        self._admission.answered(permit, signals, now)
        if self._admission.wanted.is_auto:
            self._admission.wanted.knee.answered(_work(usage), in_flight, now)
            self._admission.needed = self._needed_with_headroom(now)
        self._admission.parking.mended()
        self._changed()

    def refused(self, permit: Permit, signals: Signals, *, slow_down: bool = False) -> None:
        """429: nothing starts for as long as the provider asks.

        Answers to calls that were sent before the last such cut change nothing, but that a
        longer wait is heeded. `slow_down` also halves the rate, which then slowly comes back.
        """
        now = self._end(permit, REFUSED)
        self.refused_total += 1
        self._minute.count(now, refused=1)
        self._refused.count(now)
        self._admission.breaker.ended(permit.seq)
        self._admission.hear(signals, permit, now)
        if self._cuts.is_news(permit.seq):
            if not slow_down:
                last_minute = self._minute.read(now)
                self._admission.learn_from_refusal(
                    permit, self.in_flight, last_minute, now, newest_seq=self._newest_seq
                )
            self._cut(permit, signals, now)
            self._slow_down(slow_down, now)
        else:
            self._admission.at_once.also_refused(now)
            if (asked := _asked(signals)) is not None:
                self._admission.gate.close(now + asked, LimitedBy.RETRY_AFTER)
        self._changed()

    def overloaded(self, permit: Permit, signals: Signals) -> None:
        """529, 503 or no connection: the breaker trips, once per outage."""
        calls = self.in_flight
        now = self._end(permit, REFUSED)
        self._admission.hear(signals, permit, now)
        self._trip(permit, calls, now, _asked(signals))
        self._changed()

    def loading(self, permit: Permit, signals: Signals) -> None:
        """The model is being loaded: nothing starts for 1 to 5 seconds."""
        now = self._end(permit, REFUSED)
        self._admission.breaker.ended(permit.seq)
        drawn = self._rng.uniform(_SHORTEST_LOADING_SECONDS, _LONGEST_LOADING_SECONDS)
        wait = max(_SHORTEST_LOADING_SECONDS, _asked(signals) or drawn)
        until = now + min(_LONGEST_LOADING_SECONDS, wait)
        self._admission.gate.close(until, LimitedBy.LOADING)
        self._changed()

    def failed(self, permit: Permit, *, keep_tokens: bool, server_error: bool = False) -> None:
        """A 5xx, a timeout or a lost connection.

        `keep_tokens` where the provider may have done the work, as after a timeout. Server errors
        trip the breaker when half of the last 20 calls failed so.
        """
        calls = self.in_flight
        now = self._end(permit, permit.charges if keep_tokens else REFUSED)
        if server_error and self._admission.breaker.is_failing(permit.seq):
            self._trip(permit, calls, now, None)
        else:
            self._admission.breaker.ended(permit.seq)
        self._changed()

    def unmendable(
        self, permit: Permit, reason: str, until_ms: int | None = None, *, cause: str | None = None
    ) -> None:
        """A spent quota, a refused key, an unknown model: what no retry mends.

        Parks the pool at once where `until_ms` tells when it ends, else after `park_after` in a
        row of one `cause` (by default the reason itself).
        """
        self._end(permit, REFUSED)
        self._admission.breaker.ended(permit.seq)
        self._admission.parking.struck(cause, reason, until_ms)
        self._changed()

    def park(self, reason: str, until_ms: int | None = None, *, cause: str | None = None) -> None:
        """Start nothing until `resume`, or until the wall time `until_ms`."""
        self._admission.parking.park(reason, until_ms, cause=cause)
        self._changed()

    def resume(self) -> None:
        """End a parking."""
        self._admission.parking.resume()
        self._changed()

    def state(self) -> PoolState:
        """What to store for the next process; calls in flight count as spent."""
        return replace(self._admission.state(self._clock), providers=self.setup.providers)

    def reading(self) -> Reading:
        """What limits the speed now."""
        now = self._clock.monotonic()
        reason, room = self._look(now)
        return Reading(
            limited_by=reason,
            in_flight=self.in_flight,
            room=room,
            concurrency=self._admission.allowed_in_flight,
            concurrency_needed=self._concurrency_needed(now),
            wait_seconds=self._admission.wait_seconds(now),
            last_minute=self._minute.read(now),
            levels=tuple(
                Gauge(each.bucket, each.meter.level(now), each.limit, each.per_seconds)
                for each in self._admission.accounts
            ),
            limited_for=self._tally.seconds(now),
            parked_reason=self.parked_reason,
            parked_cause=self._admission.parking.cause,
            is_auto=self._is_auto,
            refused_last_hour=self._refused.read(now),
            refused_total=self.refused_total,
            requests_total=self.requests_total,
            at_ms=self._clock.now_ms(),
        )

    def _typical_charges(self, now: float) -> Charges:
        return self._expected(self._estimates.typical.cost or _UNKNOWN, now)

    def _expected(self, cost: Cost, now: float) -> Charges:
        return self._estimates.expected(cost, self._leaders.cached_tokens(cost, now))

    def _look(self, now: float) -> tuple[LimitedBy, int]:
        """What holds the next typical call back, and how many of them could start."""
        charges = self._typical_charges(now)
        denied = self._admission.denial(charges, self.in_flight, now)
        if denied is not None:
            return denied.reason, 0
        is_guess = self._estimates.typical.cost is None
        room = self._admission.room(charges, self.in_flight, now, is_guess=is_guess)
        return LimitedBy.NOTHING, room

    def _start(self, cost: Cost, charges: Charges, now: float) -> Permit:
        self._newest_seq += 1
        mark = self._admission.accounts.reserve(charges, now)
        is_first, self._admission.is_untried = self._admission.is_untried, False
        in_a_crowd = self._admission.pace.take(now)
        permit = Permit(self._newest_seq, now, cost, charges, mark, is_first, in_a_crowd)
        self._open.add(permit.seq)
        self._leaders.started(permit.seq, cost, now)
        self._admission.opening.started(now)
        self._admission.breaker.started(permit.seq)
        self._estimates.typical.learn(cost)
        self._tally.note(LimitedBy.NOTHING, now)
        self._minute.count(now, requests=1)
        self.requests_total += 1
        self._changed()
        return permit

    def _end(self, permit: Permit, actual: Charges) -> float:
        """Free the slot and settle; return the time."""
        if permit.seq not in self._open:
            raise ValueError(f"call {permit.seq} of {self.name} has already ended")
        self._open.discard(permit.seq)
        now = self._clock.monotonic()
        self._leaders.ended(permit.seq, permit.cost)
        self._admission.accounts.settle(permit, actual, now)
        return now

    def _cut(self, permit: Permit, signals: Signals, now: float) -> None:
        """Close the gate, and let the buckets know what they did not."""
        self._cuts.begin(self._newest_seq)
        accounts, charges = self._admission.accounts, permit.charges
        wait = _asked(signals) or accounts.wait(charges, now) or self._admission.gate.default_wait()
        accounts.cut(permit, wait, now)
        jitter = self._rng.uniform(0.0, _GATE_JITTER_SECONDS)
        self._admission.gate.close(now + wait + jitter, LimitedBy.RETRY_AFTER)

    def _slow_down(self, is_asked: bool, now: float) -> None:
        if is_asked:
            rate = self._minute.requests_per_second(now)
            self._admission.pace.slow_down.halve(rate, until=self._admission.gate.until, now=now)

    def _trip(self, permit: Permit, calls: int, now: float, asked: float | None) -> None:
        self._admission.breaker.overloaded(
            permit.seq, newest_seq=self._newest_seq, calls=calls, now=now, asked=asked
        )

    def _concurrency_needed(self, now: float) -> int | None:
        seconds = self._estimates.seconds.value
        rate = self._admission.accounts.calls_per_second(self._typical_charges(now))
        return None if rate is None or seconds is None else max(1, math.ceil(rate * seconds))

    def _needed_with_headroom(self, now: float) -> int | None:
        seconds = self._estimates.seconds.value
        rate = self._admission.accounts.calls_per_second(self._typical_charges(now))
        if rate is None or seconds is None:
            return None
        return needed_for(rate, seconds, self._admission.haste(now))

    def _changed(self) -> None:
        if self._on_change is not None:
            self._on_change(self)


def _asked(signals: Signals) -> float | None:
    """The wait that the provider asks for, in seconds; None unless it is a usable one."""
    seconds = signals.retry_after
    return seconds if seconds is not None and 0 < seconds < math.inf else None


def _work(usage: Usage) -> float:
    """What a server did for an answer. Reading is several times as fast as writing."""
    return max(1.0, usage.output_tokens + usage.input_tokens / 4)


def _check(name: str, limits: Limits) -> None:
    if limits.concurrency < 1:
        raise ConfigError(
            f"{name}: concurrency is {limits.concurrency}, so no call could ever start; "
            "set it to 1 or more"
        )
    for key in (
        "requests_per_minute",
        "input_tokens_per_minute",
        "output_tokens_per_minute",
        "tokens_per_minute",
    ):
        limit = getattr(limits, key)
        if limit is not None and not 0 < limit < math.inf:
            raise ConfigError(f"{name}: {key} is {limit:g}; it must be above 0, or left out")
