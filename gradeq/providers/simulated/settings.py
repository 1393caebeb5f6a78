"""How a simulated provider behaves: plain values, so that they travel as JSON and as text."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gradeq.providers.simulated.faults import Fault, FaultPlan
from gradeq.providers.simulated.latency import Latency

DEFAULT_MODEL = "simulated-marker"


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """One provider's rules. Limits are per minute, for each API key and model; None or 0: none.

    Raises ValueError, in words for whoever typed it, for a value that cannot be used.
    """

    requests_per_minute: float | None = None
    input_tokens_per_minute: float | None = None
    output_tokens_per_minute: float | None = None
    tokens_per_minute: float | None = None
    """OpenAI meters input and output in one bucket: this one, else the sum of the two above."""
    requests_per_day: float | None = None
    """Gemini's third limit; it begins anew at midnight Pacific time."""
    shared_limits: bool = False
    """All keys draw on one set of limits for each model, as the keys of one organization do.
    Fixed when the server starts."""
    concurrency: int | None = None
    """Calls in flight for one key and model; a call over it is refused with a 429."""
    burst_seconds: float = 60.0
    """What a bucket can hold, in seconds of its rate. Headers go on telling the minute's limit."""
    start_seconds: float | None = None
    """What is in a bucket at first, in seconds of its rate; None: as much as it can hold."""
    enforce_per_second: bool = False
    """60 a minute enforced as 1 a second, behind headers that speak of the minute."""
    failed_calls_count: bool = False
    """Refused and failed calls use up requests, as OpenAI's do."""
    output_accounting: Literal["actual", "reserved"] = "actual"
    """Anthropic's output tokens: charged as produced, or `max_tokens` reserved at admission."""
    headers: bool = True
    """Send the rate-limit headers."""
    logprobs: bool = True
    """Tell OpenAI's clients how probable tokens were, if they ask. Many servers do not."""
    latency: str | float = 0.0
    """Seconds: "0.2", a range "0.5-2.0", or lognormal "median~sigma"."""
    seconds_per_output_token: float = 0.0
    fail: str | tuple[str, ...] = ""
    """KIND[:RATE][@START-END], comma-separated; see `Fault` for the kinds."""
    retry_after_seconds: float = 1.0
    """What the failures `429` and `slow_down` and a refusal for concurrency tell to wait."""
    batch_seconds: float = 1.0
    """In which a batch is worked off, evenly; a change holds for open batches too."""
    batch_fail: str | tuple[str, ...] = ""
    """What goes wrong with entries of batches, like `fail`. `hang` lets an entry expire, and
    `drop_body` breaks its line in the results off; `drop`, `html` and `loading` cannot be."""
    api_keys: tuple[str, ...] | None = None
    """Keys that are known; None: any that is not empty."""
    models: tuple[str, ...] | None = None
    """Models that exist; None: any."""
    seed: int = 0
    """Decides failures, latencies and answers. Fixed when the server starts."""
    glance: bool = False
    """Give levels without reading the papers: for benchmarks. Fixed when the server starts."""

    def __post_init__(self) -> None:
        Latency.parse(self.latency)
        FaultPlan.parse(self.fail)
        _check_entries(FaultPlan.parse(self.batch_fail))
        if self.output_accounting not in ("actual", "reserved"):
            raise ValueError('output_accounting is "actual" or "reserved"')
        for name in _AMOUNTS:
            _check_amount(name, getattr(self, name))
        if not self.burst_seconds > 0:
            raise ValueError("burst_seconds must be above 0")

    def patched(self, changes: Mapping[str, Any]) -> SimulatorSettings:
        """These settings with `changes`, by field name. Raises ValueError for an unknown name."""
        known = {field.name for field in dataclasses.fields(self)}
        unknown = sorted(set(changes) - known)
        if unknown:
            raise ValueError(f"no setting {unknown[0]!r}: choose from {', '.join(sorted(known))}")
        fixed = [name for name in ("seed", "glance", "shared_limits") if name in changes]
        if fixed:
            raise ValueError(f"{fixed[0]} is fixed when the server starts")
        return dataclasses.replace(self, **{name: _plain(changes[name]) for name in changes})

    @property
    def openai_tokens_per_minute(self) -> float | None:
        return self.tokens_per_minute or (
            (self.input_tokens_per_minute or 0) + (self.output_tokens_per_minute or 0) or None
        )


_AMOUNTS = (
    "requests_per_minute",
    "input_tokens_per_minute",
    "output_tokens_per_minute",
    "tokens_per_minute",
    "requests_per_day",
    "concurrency",
    "burst_seconds",
    "start_seconds",
    "seconds_per_output_token",
    "retry_after_seconds",
    "batch_seconds",
)


def _check_entries(plan: FaultPlan) -> None:
    for rule in plan.rules:
        if rule.fault in (Fault.DROP, Fault.HTML, Fault.LOADING):
            raise ValueError(f"{rule.fault.value!r} cannot happen to an entry of a batch")


def _check_amount(name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is a number, not {value!r}")
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be 0 or more, not {value!r}")


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
