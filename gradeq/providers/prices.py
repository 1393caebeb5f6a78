"""What tokens cost."""

from __future__ import annotations

from dataclasses import dataclass

from gradeq.limiter.base import Usage


@dataclass(frozen=True, slots=True)
class Prices:
    """Per million tokens, in any one currency; the factors are what a cached token costs."""

    input: float = 0.0
    output: float = 0.0
    cache_read_factor: float = 1.0
    cache_write_factor: float = 1.0

    def of(self, usage: Usage) -> float:
        """The price of `usage`, whose cache figures are part of its input."""
        plain = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
        read = usage.cache_read_tokens * self.cache_read_factor
        written = usage.cache_write_tokens * self.cache_write_factor
        total = (plain + read + written) * self.input + usage.output_tokens * self.output
        return total / 1_000_000
