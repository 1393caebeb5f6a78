"""The buckets that a provider keeps for a pool, kept along here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gradeq.limiter.base import Bucket, Level, Limits, Signals
from gradeq.limiter.buckets import Meter
from gradeq.limiter.learned import LEAST_HEADROOM_SECONDS
from gradeq.limiter.permit import Charges, Mark, NeverFits, Permit
from gradeq.limiter.spending import Spending
from gradeq.limiter.state import Anchor, BucketState

MINUTE = 60.0
_LONG_WINDOW_SECONDS = 3600.0
_PLENTY = 0.1
_CHARGED_BEFORE = (Bucket.REQUESTS, Bucket.INPUT_TOKENS)
_FORGOTTEN_AFTER_SECONDS = 3600.0
"""At rest, and then at the next start: what a refusal told of a limit is asked for anew."""


class Account:
    """One bucket: the limit in force, its level, and the newest response that told of it."""

    def __init__(
        self,
        bucket: Bucket,
        per_seconds: float,
        now: float,
        *,
        configured: float | None = None,
        learned: float | None = None,
    ) -> None:
        self.bucket = bucket
        self.per_seconds = per_seconds
        self.learned = learned
        self.reported_seq = -1
        self.is_assumed = False
        """True while the level rests on nothing but that no refusal spoke against it."""
        self._configured = configured
        self._factor = 1.0
        self.is_lasting = True
        self.meter = Meter(
            self._rate(),
            self._capacity(),
            level=0.0,
            now=now,
            headroom=LEAST_HEADROOM_SECONDS,
        )
        self.spending = Spending(now)
        if bucket is Bucket.REQUESTS:
            self.meter.correct(1 + LEAST_HEADROOM_SECONDS * self.meter.rate, now)

    @property
    def limit(self) -> float:
        """Per `per_seconds`: what responses told, unless the user set a lower one."""
        return min(limit for limit in (self._configured, self.learned) if limit is not None)

    @property
    def is_held_lower(self) -> bool:
        """True where the user wants less than the provider is known to allow."""
        if self._configured is None:
            return False
        return self.learned is None or self._configured < self.learned

    @property
    def is_reported(self) -> bool:
        """True where the level follows what responses tell."""
        return self.reported_seq >= 0 and not self.is_held_lower

    @property
    def is_long(self) -> bool:
        """True for daily limits: too slow to pace by, and never the reason of a short wait."""
        return self.per_seconds > _LONG_WINDOW_SECONDS

    def learn(self, limit: float, now: float, *, is_lasting: bool) -> bool:
        """True where the limit in force is another one from now on.

        `is_lasting` where every response tells the limit, so that a change of it is seen.
        """
        self.is_lasting = is_lasting
        if limit == self.learned:
            return False
        before = self.limit
        self.learned = limit
        self.meter.retune(self._rate(), self._capacity(), now)
        return self.limit != before

    def scale(self, factor: float, headroom: float, now: float) -> None:
        """Count on `factor` of the limit's rate, and leave `headroom` seconds of it over."""
        self.meter.headroom = headroom
        if factor != self._factor and not self.is_long:
            self._factor = factor
            self.meter.retune(self._rate(), self._capacity(), now)

    def assume_full(self, taken: float, now: float) -> None:
        """Nobody tells the level: what was not `taken` is taken for being there."""
        self.meter.correct(self.meter.capacity - taken, now)
        self.is_assumed = True

    def believe(self, level: float, seq: int, now: float) -> None:
        """Take over what the response to call `seq` tells of the level.

        Where the user wants less than the provider allows, the provider can only have less to
        give than the user, never more.
        """
        if self.is_held_lower and level >= self.meter.level(now):
            return
        self.meter.correct(level, now)
        self.reported_seq = seq

    def reserve(self, charges: Charges, mark: int, now: float) -> None:
        charge = charges[self.bucket]
        self.meter.take(charge.total, now)
        if charge.at_start:
            self.spending.charge(charge.at_start, mark, self.meter.rate, now)

    def settle(self, permit: Permit, actual: Charges, now: float) -> None:
        """Charge the difference between what was reserved and what was taken.

        What a newer response told of the level already includes what this call took at its
        start, and never what it takes at its end.
        """
        reserved, taken = permit.charges[self.bucket], actual[self.bucket]
        more = taken.at_end - reserved.at_end
        if permit.seq > self.reported_seq:
            more += taken.at_start - reserved.at_start
        if more > 0:
            self.meter.take(more, now)
        elif more < 0:
            self.meter.give(-more)

    def has_plenty(self, need: float, now: float) -> bool:
        """True where a refusal cannot be explained by this bucket."""
        return self.meter.level(now) >= max(need, _PLENTY * self.meter.capacity)

    def cut(self, need: float, wait: float, now: float) -> None:
        """`need` will be there after `wait` seconds, not before.

        A provider that says one second means at most one: a bucket that is charged before the
        call was just empty then, and not in debt.
        """
        self.is_assumed = False
        level = need - self.meter.rate * wait
        if wait <= 1 and self.bucket in _CHARGED_BEFORE:
            level = max(0.0, level)
        self.meter.correct(min(self.meter.level(now), level), now)

    def state(self, anchor: Anchor) -> BucketState:
        return BucketState(
            self.bucket,
            self.limit,
            anchor.to_wall(max(self.meter.full_at, anchor.monotonic)),
            self.per_seconds,
            self.learned,
            self.is_lasting,
            self._factor,
        )

    def restore(self, stored: BucketState, anchor: Anchor, now: float) -> None:
        """Go on where `stored` left off, under the limits of today."""
        debt = stored.rate * max(0.0, anchor.to_monotonic(stored.full_at_ms) - now)
        self.meter.correct(_capacity(stored.bucket, stored.limit) - debt, now)

    def _rate(self) -> float:
        return self.limit / self.per_seconds * self._factor

    def _capacity(self) -> float:
        return _capacity(self.bucket, self.limit)


class Accounts:
    """All buckets of a pool, and the running sums that make a response's level comparable."""

    def __init__(
        self, limits: Limits, stored: Sequence[BucketState], anchor: Anchor, now: float
    ) -> None:
        self._accounts: dict[tuple[Bucket, float], Account] = {}
        self._charged = dict.fromkeys(Bucket, 0)
        self._due = dict.fromkeys(Bucket, 0)
        self._taken = dict.fromkeys(Bucket, 0)
        self._charges_made = 0
        self.is_guessed = False
        """True where the only limit is one that refusals alone have told."""
        self._configured = _configured(limits)
        for bucket, limit in self._configured.items():
            if limit is not None:
                self._open(bucket, MINUTE, None, now)
        for known in stored:
            self._restore(known, anchor, now)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts.values())

    @property
    def requests(self) -> Account | None:
        """The limit on requests per minute, which sets the pace."""
        return self._accounts.get((Bucket.REQUESTS, MINUTE))

    @property
    def count_tokens(self) -> bool:
        return any(account.bucket is not Bucket.REQUESTS for account in self)

    def check(self, charges: Charges) -> None:
        """Raise NeverFits where a bucket could not hold the call even when full."""
        for account in self:
            need = charges[account.bucket].total
            if need > account.meter.capacity:
                raise NeverFits(account.bucket, need, account.limit, account.per_seconds)

    def reserve(self, charges: Charges, now: float) -> Mark:
        """Charge a call that starts; return the mark by which to know what came later."""
        self._charges_made += 1
        for account in self:
            account.reserve(charges, self._charges_made, now)
        for bucket, charge in charges.items():
            self._charged[bucket] += charge.at_start
            self._due[bucket] += charge.at_end
            self._taken[bucket] += charge.total
        return Mark(self._charges_made, dict(self._charged))

    def settle(self, permit: Permit, actual: Charges, now: float) -> None:
        """The call ended and took `actual`."""
        for account in self:
            account.settle(permit, actual, now)
        for bucket, charge in actual.items():
            self._due[bucket] -= permit.charges[bucket].at_end
            self._charged[bucket] += charge.at_end
            self._taken[bucket] += charge.total - permit.charges[bucket].total

    def have_plenty(self, charges: Charges, now: float) -> bool:
        """True where no bucket explains that a call with these charges was refused."""
        return all(account.has_plenty(charges[account.bucket].total, now) for account in self)

    def are_cleared_by(self, permit: Permit, now: float) -> bool:
        """True where the response to `permit` itself tells that there was enough for it."""
        told = [account for account in self if account.reported_seq == permit.seq]
        return bool(told) and all(
            account.meter.level(now) >= permit.charges[account.bucket].total for account in told
        )

    def taken(self) -> dict[Bucket, int]:
        """What all calls so far took, those in flight as it is expected of them."""
        return dict(self._taken)

    def share_used(self, before: Mapping[Bucket, int], seconds: float) -> float | None:
        """Of the limits, the largest share that was used in the last `seconds`, since `before`."""
        if seconds <= 0:
            return None
        return max(
            (
                (self._taken[account.bucket] - before[account.bucket])
                / (account.limit / account.per_seconds * seconds)
                for account in self
                if not account.is_long
            ),
            default=None,
        )

    def assume_full(self, now: float) -> None:
        """Responses tell no levels, and nothing was refused: take the buckets for full before."""
        for account in self:
            if account.reported_seq < 0 and not account.is_long:
                account.assume_full(self._taken[account.bucket], now)

    def guess(self, requests_per_second: float, now: float) -> None:
        """No limit is known, and there is one: about what was let in."""
        account = self._open(Bucket.REQUESTS, MINUTE, requests_per_second * MINUTE, now)
        account.is_lasting = False
        self.is_guessed = True

    def scale(self, factor: float, headroom: float, now: float) -> None:
        for account in self:
            account.scale(factor, headroom, now)

    def are_full(self, now: float) -> bool:
        """True where every bucket has plenty beyond what flows in."""
        return all(account.has_plenty(0, now) for account in self)

    def wait(self, charges: Charges, now: float) -> float:
        """Seconds until every bucket has enough for a call; 0 where they have."""
        ready = (account.meter.ready_at(charges[account.bucket].required) for account in self)
        return max(0.0, max(ready, default=now) - now)

    def cut(self, permit: Permit, wait: float, now: float) -> None:
        """The provider refused `permit` and will take it in `wait` seconds.

        A bucket that the refusal itself shows to have enough is not the reason.
        """
        for account in self:
            need = permit.charges[account.bucket].total
            is_cleared = account.reported_seq == permit.seq and account.meter.level(now) >= need
            if not is_cleared and not account.is_long:
                account.cut(need, wait, now)

    def forgive(self, now: float) -> None:
        """No bucket is in debt any more."""
        for account in self:
            account.meter.correct(max(0.0, account.meter.level(now)), now)

    def calls_per_second(self, charges: Charges) -> float | None:
        """How many calls with these charges the limits allow for hours; None without limits."""
        short = (account for account in self if not account.is_long)
        needs = ((account.meter.rate, charges[account.bucket].total) for account in short)
        return min((rate / need for rate, need in needs if need > 0), default=None)

    def hear(self, signals: Signals, permit: Permit, now: float) -> bool:
        """Believe the levels in the response to `permit`, unless a newer one has told them.

        Call it after the permit was settled. True where a limit is another one from now on.
        """
        is_new = False
        for level in signals.levels:
            if level.limit is None or level.limit >= 1:
                is_new |= self._hear(level, permit, now)
        return is_new

    def _hear(self, level: Level, permit: Permit, now: float) -> bool:
        account = self._account(level, now)
        if account is None or permit.seq <= account.reported_seq:
            return False
        is_new = level.limit is not None and account.learn(
            level.limit, now, is_lasting=level.remaining is not None
        )
        if level.limit is not None and account.bucket is Bucket.REQUESTS:
            self.is_guessed = False
        if level.remaining is not None and level.remaining >= 0:
            unseen = self._unseen(account, permit, now)
            account.believe(level.remaining - level.rounding / 2 - unseen, permit.seq, now)
        return is_new

    def _unseen(self, account: Account, permit: Permit, now: float) -> float:
        """What the provider's figure may still lack.

        Nobody tells at which instant between a call's start and its answer the provider looked
        at its bucket, so the figure counts as one from the worst instant: that since which most
        was charged beyond the refill. Where calls come as fast as the bucket refills this is
        about one call. What calls in flight will take at their end, no figure can contain.
        """
        rate, mark = account.meter.rate, permit.mark
        charged = self._charged[account.bucket] - mark.charged[account.bucket]
        from_start = charged - rate * (now - permit.started_at)
        later = account.spending.ahead_since(mark.number, rate, now)
        return max(0.0, from_start, later) + self._due[account.bucket]

    def _account(self, level: Level, now: float) -> Account | None:
        known = self._accounts.get((level.bucket, level.per_seconds))
        if known is None and level.limit is not None:
            return self._open(level.bucket, level.per_seconds, level.limit, now)
        return known

    def _open(
        self, bucket: Bucket, per_seconds: float, learned: float | None, now: float
    ) -> Account:
        configured = self._configured[bucket] if per_seconds == MINUTE else None
        account = Account(bucket, per_seconds, now, configured=configured, learned=learned)
        self._accounts[bucket, per_seconds] = account
        return account

    def _restore(self, stored: BucketState, anchor: Anchor, now: float) -> None:
        account = self._accounts.get((stored.bucket, stored.per_seconds))
        if stored.learned_limit is not None and not _is_forgotten(stored, anchor, now):
            account = self._open(stored.bucket, stored.per_seconds, stored.learned_limit, now)
            account.is_lasting = stored.is_lasting
        if account is not None:
            account.restore(stored, anchor, now)


def _is_forgotten(stored: BucketState, anchor: Anchor, now: float) -> bool:
    at_rest = now - anchor.to_monotonic(stored.full_at_ms)
    return not stored.is_lasting and at_rest > _FORGOTTEN_AFTER_SECONDS


def _capacity(bucket: Bucket, limit: float) -> float:
    return max(1.0, limit) if bucket is Bucket.REQUESTS else limit


def _configured(limits: Limits) -> dict[Bucket, float | None]:
    return {
        Bucket.REQUESTS: limits.requests_per_minute,
        Bucket.INPUT_TOKENS: limits.input_tokens_per_minute,
        Bucket.OUTPUT_TOKENS: limits.output_tokens_per_minute,
        Bucket.TOKENS: limits.tokens_per_minute,
    }
