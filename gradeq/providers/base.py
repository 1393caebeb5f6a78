"""What gradeq asks of a model behind an HTTP API, and the two things that come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gradeq.limiter.base import Cost, Limits, Signals, Usage
from gradeq.outcome import ErrorClass


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question to a model.

    `system` is the same to the byte for all papers of one rubric (providers cache it);
    `user` holds the paper. `schema` is a strict JSON schema that the answer must fit.
    """

    system: str
    user: str
    schema: Mapping[str, Any]
    schema_name: str = "grade"
    max_output_tokens: int = 1024
    expected_output_tokens: int = 400
    top_logprobs: int = 0
    """For so many of the most probable tokens at each place, how probable they were (20 at most).
    0: none are asked for. Only OpenAI's dialect can; `spoken_tokens` reads them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A 200 with content: what was paid for. `raw` is the whole response body, as text."""

    text: str
    raw: str
    model: str
    usage: Usage
    stop: str = "end"
    """`end`, `length` (cut by the token limit) or `refusal`."""
    request_id: str | None = None
    signals: Signals = field(default_factory=Signals)
    is_guessed: bool = False
    """The provider did not count; `usage` is a guess."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Anything else. `reason` is for people and holds no credential and no student's text."""

    error: ErrorClass
    reason: str
    status: int | None = None
    request_id: str | None = None
    signals: Signals = field(default_factory=Signals)
    parked_until_ms: int | None = None
    """Wall time at which a spent quota returns, where the provider says it."""
    raw: str | None = None
    """The response body, cut to 2,000 characters, for whoever reads the attempt later."""


class Provider(Protocol):
    """A model behind an API. One instance per configured provider; owned by the engine."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def pool(self) -> str:
        """Names what the provider limits: base URL, a credential's fingerprint, model family."""
        ...

    @property
    def limits(self) -> Limits: ...

    def estimate(self, prompt: Prompt) -> Cost:
        """Raw guess at the tokens of `prompt`; cheap, and never a network call."""
        ...

    def price(self, usage: Usage) -> float:
        """What `usage` costs in the currency of the configured prices; 0.0 without prices."""
        ...

    @property
    def is_priced(self) -> bool:
        """True where prices are configured, so that calls cost anything that can be counted."""
        ...

    def worst_price(self, prompt: Prompt) -> float:
        """The most that one call with `prompt` can cost, before it is made; 0.0 without prices."""
        ...

    def trimmed(self, prompt: Prompt) -> Prompt:
        """The same with as much room for the answer as answers to such prompts take, twice over."""
        ...

    async def complete(self, prompt: Prompt) -> Answer | Failure:
        """One HTTP attempt, never a retry. Does not raise for anything the network can do."""
        ...

    async def aclose(self) -> None: ...
