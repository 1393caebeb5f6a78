"""A provider that runs its model itself; what is asked and read is OpenAI's dialect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from gradeq.clock import Clock
from gradeq.limiter.base import Cost, Limits, Usage
from gradeq.outcome import ErrorClass
from gradeq.providers.address import model_family
from gradeq.providers.base import Answer, Failure, Prompt, Provider
from gradeq.providers.local.link import LOADING, Absent, Link, Serving, end
from gradeq.providers.local.model_file import ModelFile
from gradeq.providers.local.schema import bounded
from gradeq.providers.tokens import guess_cost

_PATIENCE_SECONDS = 2.0
"""Small models are loaded by then; for others the papers go back to the queue meanwhile."""

_NOTICING_SECONDS = 1.0
"""When a call breaks off, the end of its server is heard of within this, if that is why."""

_NO_ANSWER = (ErrorClass.CONNECTION_LOST, ErrorClass.OVERLOADED)


class LocalProvider:
    """Asks the server that `link` holds on to. `speak` makes the provider for one life of it,
    `is_well` tells whether one that did not answer in time is alive at all."""

    def __init__(
        self,
        name: str,
        model: ModelFile,
        link: Link,
        speak: Callable[[Serving], Provider],
        is_well: Callable[[Serving], Awaitable[bool]],
        *,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._name = name
        self._file = model
        self._link = link
        self._speak = speak
        self._is_well = is_well
        self._limits = limits
        self._clock = clock
        self._speaking: tuple[Serving, Provider] | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def model(self) -> str:
        """The file's name: where it lies is nobody's business."""
        return self._file.name

    @property
    def pool(self) -> str:
        """The same for all who use this file, at every start; another one for a changed file."""
        return f"this-machine {self._file.key[:8]} {model_family(self._file.name)}"

    @property
    def limits(self) -> Limits:
        return self._limits

    def estimate(self, prompt: Prompt) -> Cost:
        return guess_cost(prompt)

    def price(self, usage: Usage) -> float:  # noqa: ARG002 - electricity is not counted
        return 0.0

    @property
    def is_priced(self) -> bool:
        return False

    def worst_price(self, prompt: Prompt) -> float:  # noqa: ARG002
        return 0.0

    def trimmed(self, prompt: Prompt) -> Prompt:
        return prompt

    async def complete(self, prompt: Prompt) -> Answer | Failure:
        """One attempt. Without a server it is a LOADING: nothing was asked, no attempt counts."""
        server = await self._link.server(_PATIENCE_SECONDS)
        if isinstance(server, Absent):
            return self._without_server(server)
        asked = replace(prompt, schema=bounded(prompt.schema))
        came = await (await self._provider(server)).complete(asked)
        if isinstance(came, Answer):
            self._link.answered()
            return came
        if came.error in _NO_ANSWER and await self._has_ended(server):
            state = self._link.state
            return self._without_server(state if isinstance(state, Absent) else LOADING)
        if came.error is ErrorClass.TIMEOUT and not await self._is_well(server):
            end(server.pid)
            return replace(came, reason=self._was_stuck())
        return self._explained(came, server.context_tokens)

    async def aclose(self) -> None:
        if self._speaking is not None:
            await self._speaking[1].aclose()
            self._speaking = None
        await self._link.aclose()

    async def _provider(self, server: Serving) -> Provider:
        """For this life of the server: another one has another address and key."""
        if self._speaking is None or self._speaking[0] is not server:
            old, self._speaking = self._speaking, (server, self._speak(server))
            if old is not None:
                await old[1].aclose()
        return self._speaking[1]

    async def _has_ended(self, server: Serving) -> bool:
        return await self._clock.wait_for(server.ended, _NOTICING_SECONDS)

    def _without_server(self, absent: Absent) -> Failure:
        if absent.is_final:
            return Failure(
                ErrorClass.UNUSABLE_MODEL,
                f"The model {self.model} cannot be run on this machine. {absent.why} The papers "
                "stay queued; resume them when it is mended.",
            )
        if absent is LOADING:
            return Failure(
                ErrorClass.LOADING,
                f"The model {self.model} is being loaded on this machine; gradeq asks again until "
                "it is ready.",
            )
        return Failure(
            ErrorClass.LOADING,
            " ".join(
                filter(
                    None,
                    (
                        f"The server of the model {self.model} on this machine is gone.",
                        absent.why,
                        "gradeq starts it again; no attempt is counted.",
                    ),
                )
            ),
        )

    def _was_stuck(self) -> str:
        return (
            f"The server of the model {self.model} on this machine no longer answered anything. "
            "gradeq ended it and starts it again, and asks again a limited number of times."
        )

    def _explained(self, failure: Failure, given: int) -> Failure:
        if failure.error is not ErrorClass.TOO_LARGE:
            return failure
        more = self._file.context_tokens
        reads = f" (this model reads up to {more:,})" if more > given else ""
        return replace(
            failure,
            reason=f"The rubric and this paper together are longer than the {given:,} tokens that "
            f"{self.model} is given for each paper. The others go on. Shorten the paper, raise "
            f"context_tokens{reads}, or grade it by hand.",
        )
