"""Where calls to the batch APIs arrive."""

from __future__ import annotations

import random

from gradeq.clock import Clock
from gradeq.providers.simulated.anthropic import Anthropic
from gradeq.providers.simulated.batches import anthropic, openai
from gradeq.providers.simulated.batches.page import Page
from gradeq.providers.simulated.batches.works import House, Works
from gradeq.providers.simulated.dialect import Dialect
from gradeq.providers.simulated.http1 import Request
from gradeq.providers.simulated.openai import OpenAI

PATHS = (anthropic.PATH, *openai.PATHS)


class BatchDesk:
    """Both batch APIs over one pool of workers."""

    def __init__(
        self, house: House, claude: Anthropic, gpt: OpenAI, clock: Clock, rng: random.Random
    ) -> None:
        self._claude = claude
        self._gpt = gpt
        self._works = Works(house, clock, rng)
        self._anthropic = anthropic.AnthropicBatches(house, claude, self._works)
        self._openai = openai.OpenAIBatches(house, gpt, self._works)

    def dialect(self, request: Request) -> Dialect:
        """Whose API is called."""
        return self._claude if request.path.startswith(anthropic.PATH) else self._gpt

    def handle(self, key: str, request: Request) -> Page:
        """Answer a call of `key`. Raises Refused."""
        if request.path.startswith(anthropic.PATH):
            return self._anthropic.handle(key, request)
        return self._openai.handle(key, request)

    def hurry(self) -> None:
        """The settings have changed."""
        self._works.hurry()

    async def close(self) -> None:
        """Stop all work and wait until it is gone."""
        await self._works.close()
