"""Prompt caches: the first call with a cold prefix goes alone, its followers read what it wrote.

An entry can be read only once the first response has begun, so calls that start together with
the first one would all pay for the same prefix (Anthropic, "Prompt caching").
"""

from __future__ import annotations

from dataclasses import dataclass

from gradeq.limiter.base import Cost, Usage

_LIVES_SECONDS = 300.0
"""An entry lives for five minutes after its last use (Anthropic, "Prompt caching")."""
_SHORTEST_PREFIX = 1024
"""What most models cache at least; what a model's own minimum is, its answers show."""
_REMEMBERED = 256


@dataclass(slots=True)
class _Prefix:
    leader: int | None = None
    warm_until: float = 0.0
    cached_tokens: int = 0
    is_ignored: bool = False


class Leaders:
    """Which prefixes are warm, and which call warms one up. Times are monotonic seconds."""

    def __init__(self, *, is_used: bool) -> None:
        self._is_used = is_used
        self._prefixes: dict[str, _Prefix] = {}

    def must_wait(self, cost: Cost, now: float) -> bool:
        """True while another call warms this one's prefix up."""
        known = self._prefixes.get(cost.like)
        return known is not None and known.leader is not None and known.warm_until <= now

    def started(self, seq: int, cost: Cost, now: float) -> None:
        """A call that finds its prefix cold is its leader."""
        if not self._is_used or cost.prefix_tokens < _SHORTEST_PREFIX:
            return
        known = self._known(cost.like)
        if not known.is_ignored and known.leader is None and known.warm_until <= now:
            known.leader = seq

    def answered(self, seq: int, cost: Cost, usage: Usage, now: float) -> None:
        """Its usage tells whether the provider caches this prefix at all, and how much of it."""
        if cached := usage.cache_read_tokens + usage.cache_write_tokens:
            known = self._known(cost.like)
            known.warm_until = now + _LIVES_SECONDS
            known.cached_tokens = cached
        elif self._leads(seq, cost):
            self._prefixes[cost.like].is_ignored = True
        self.ended(seq, cost)

    def cached_tokens(self, cost: Cost, now: float) -> int:
        """What a call that starts now will find in the cache."""
        known = self._prefixes.get(cost.like)
        return known.cached_tokens if known is not None and now < known.warm_until else 0

    def ended(self, seq: int, cost: Cost) -> None:
        """Without an answer: the next call leads."""
        if self._leads(seq, cost):
            self._prefixes[cost.like].leader = None

    def _leads(self, seq: int, cost: Cost) -> bool:
        known = self._prefixes.get(cost.like)
        return known is not None and known.leader == seq

    def _known(self, like: str) -> _Prefix:
        if like not in self._prefixes and len(self._prefixes) >= _REMEMBERED:
            idle = (key for key, prefix in self._prefixes.items() if prefix.leader is None)
            del self._prefixes[next(idle, next(iter(self._prefixes)))]
        return self._prefixes.setdefault(like, _Prefix())
