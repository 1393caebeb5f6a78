"""What tokens cost."""

from __future__ import annotations

from dataclasses import dataclass

from gradeq.limiter.base import Usage

PROVIDERS_OWN_TOKENS = 1_000
"""More than providers add to a prompt themselves: Anthropic tells of some hundred for tools."""


def most_tokens(sent_bytes: int) -> int:
    """Of a request's input: a tokenizer that works on bytes makes no more tokens than bytes."""
    return sent_bytes + PROVIDERS_OWN_TOKENS


@dataclass(frozen=True, slots=True)
class Prices:
    """Per million tokens, in any one currency; the factors are what a cached token costs."""

    input: float = 0.0
    output: float = 0.0
    cache_read_factor: float = 1.0
    cache_write_factor: float = 1.0

    @property
    def are_set(self) -> bool:
        return self.input > 0 or self.output > 0

    def at_most(self, input_tokens: int, output_tokens: int) -> float:
        """What no call can cost more than that uses so much. All input may be the dearest kind."""
        dearest = self.input * max(1.0, self.cache_read_factor, self.cache_write_factor)
        return (input_tokens * dearest + output_tokens * self.output) / 1_000_000

    def of(self, usage: Usage) -> float:
        """The price of `usage`, whose cache figures are part of its input."""
        plain = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
        read = usage.cache_read_tokens * self.cache_read_factor
        written = usage.cache_write_tokens * self.cache_write_factor
        total = (plain + read + written) * self.input + usage.output_tokens * self.output
        return total / 1_000_000
