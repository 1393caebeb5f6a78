"""What calls will use: raw estimates, scaled by what earlier calls did use."""

from __future__ import annotations

import math
from types import MappingProxyType

from gradeq.limiter.base import Bucket, Cost, Limits, Usage
from gradeq.limiter.permit import Charge, Charges, Permit

_WEIGHT = 0.1
_KINDS_REMEMBERED = 256
_ONE_REQUEST = Charge(at_start=1)
_NOTHING = Charge()

UNUSED: Charges = MappingProxyType(dict.fromkeys(Bucket, _NOTHING))
"""The call was never made."""
REFUSED: Charges = MappingProxyType({**UNUSED, Bucket.REQUESTS: _ONE_REQUEST})
"""The provider did not do the work; the request may still count against its limit."""


class Average:
    """An exponentially weighted mean; the first values weigh as much as in a plain mean."""

    __slots__ = ("_count", "value")

    def __init__(self) -> None:
        self._count = 0
        self.value: float | None = None

    def learn(self, value: float) -> float:
        """Take in one more value; return the mean."""
        self._count += 1
        before = value if self.value is None else self.value
        self.value = before + max(_WEIGHT, 1 / self._count) * (value - before)
        return self.value


class Ratio:
    """Actual over raw estimate, between 0.5 and 2.

    It learns from the raw estimate: learning from the scaled one would chase its own tail.
    `error` is by how much of the raw estimate a call's actual figure is usually off.
    """

    __slots__ = ("_mean", "_variance", "error", "value")

    def __init__(self) -> None:
        self._mean = Average()
        self._variance = Average()
        self.value = 1.0
        self.error = 0.0

    def learn(self, actual: int, raw: int) -> None:
        if actual > 0 and raw > 0:
            found = min(4.0, actual / raw)
            self.value = min(2.0, max(0.5, self._mean.learn(found)))
            self.error = math.sqrt(self._variance.learn((found - self.value) ** 2))

    def scale(self, raw: float) -> int:
        return math.ceil(raw * self.value)

    def spare(self, raw: float) -> int:
        """What an unlucky one of forty calls takes beyond its scaled estimate."""
        return math.ceil(2 * self.error * raw)


class Typical:
    """The mean cost of the calls that started lately."""

    __slots__ = ("_input", "_like", "_max_output", "_output")

    def __init__(self) -> None:
        self._input = Average()
        self._output = Average()
        self._max_output = Average()
        self._like = ""

    def learn(self, cost: Cost) -> None:
        self._input.learn(cost.input_tokens)
        self._output.learn(cost.output_tokens)
        self._max_output.learn(cost.max_output_tokens)
        self._like = cost.like

    @property
    def cost(self) -> Cost | None:
        """None until a call was seen."""
        means = (self._input.value, self._output.value, self._max_output.value)
        if means[0] is None or means[1] is None or means[2] is None:
            return None
        return Cost(round(means[0]), round(means[1]), round(means[2]), self._like)


class Estimates:
    """Turns a call's cost into charges, and learns from what it did use."""

    def __init__(self, limits: Limits) -> None:
        self._reserves_output = limits.reserves_output
        self._counts_cache_reads = limits.counts_cache_reads
        self._input = Ratio()
        self._outputs: dict[str, Average] = {}
        self.typical = Typical()
        self.seconds = Average()

    def expected(self, cost: Cost, cached_tokens: int = 0) -> Charges:
        """What to reserve for a call that will find `cached_tokens` of its input in a cache."""
        whole = self._input.scale(cost.input_tokens)
        spare = self._input.spare(cost.input_tokens)
        metered = whole if self._counts_cache_reads else max(0, whole - cached_tokens)
        output = self._expected_output(cost)
        charges = {
            Bucket.REQUESTS: _ONE_REQUEST,
            Bucket.INPUT_TOKENS: Charge(metered, spare=spare),
            Bucket.OUTPUT_TOKENS: Charge(at_end=output),
            Bucket.TOKENS: Charge(whole, output, spare),
        }
        if self._reserves_output:
            reserved = max(cost.max_output_tokens, output)
            charges[Bucket.OUTPUT_TOKENS] = Charge(reserved)
            charges[Bucket.TOKENS] = Charge(whole + reserved, spare=spare)
        return charges

    def actual(self, permit: Permit, usage: Usage) -> Charges:
        """What an answered call did take. A figure that the provider left out stays reserved."""
        reserved = permit.charges
        if usage.input_tokens <= 0:
            return reserved
        whole = usage.input_tokens
        charges = {
            Bucket.REQUESTS: _ONE_REQUEST,
            Bucket.INPUT_TOKENS: Charge(self._metered(usage)),
            Bucket.OUTPUT_TOKENS: Charge(at_end=usage.output_tokens),
            Bucket.TOKENS: Charge(whole, usage.output_tokens),
        }
        if self._reserves_output:
            # A separate output limit gets the unused part back at the end; a combined one
            # (OpenAI) keeps `max_tokens` charged.
            charges[Bucket.OUTPUT_TOKENS] = Charge(usage.output_tokens)
            charges[Bucket.TOKENS] = Charge(max(whole, reserved[Bucket.TOKENS].at_start))
        return charges

    def learn(self, permit: Permit, usage: Usage, seconds: float) -> None:
        self._input.learn(usage.input_tokens, permit.cost.input_tokens)
        if usage.output_tokens > 0:
            self._output(permit.cost.like).learn(usage.output_tokens)
        self.seconds.learn(seconds)

    def _metered(self, usage: Usage) -> int:
        cached = 0 if self._counts_cache_reads else usage.cache_read_tokens
        return max(0, usage.input_tokens - cached)

    def _expected_output(self, cost: Cost) -> int:
        learned = self._outputs.get(cost.like)
        expected = cost.output_tokens if learned is None else math.ceil(learned.value or 0)
        return min(expected, cost.max_output_tokens) if cost.max_output_tokens else expected

    def _output(self, like: str) -> Average:
        if like not in self._outputs and len(self._outputs) >= _KINDS_REMEMBERED:
            del self._outputs[next(iter(self._outputs))]
        return self._outputs.setdefault(like, Average())
