"""Batches of papers, and what tests do with them."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from scripted_server import SCHEMA

from gradeq.providers.base import Failure, Prompt
from gradeq.providers.batching import BatchProvider, Entry, Progress

INTENT = "0a1b2c3d4e5f"


def prompt(number: int) -> Prompt:
    return Prompt("Mark the paper.", f"An essay about rain, number {number}.", SCHEMA)


def digest(number: int) -> str:
    """Under which the simulated provider counts this paper."""
    return hashlib.sha256(prompt(number).user.encode()).hexdigest()


def entries(count: int) -> list[Entry]:
    return [Entry(f"{INTENT}-{number}", prompt(number)) for number in range(count)]


async def outcomes_of(provider: BatchProvider, batch_id: str) -> dict[str, Any]:
    """What came of each entry; fails where the results could not be read to the end."""
    found = {}
    async for outcome in provider.outcomes(batch_id):
        assert not isinstance(outcome, Failure), outcome
        assert outcome.custom_id not in found
        found[outcome.custom_id] = outcome.came
    return found


async def ended(provider: BatchProvider, batch_id: str) -> Progress:
    """Ask until it has ended; what has to pass of time has passed."""
    while True:
        progress = await provider.progress(batch_id)
        assert isinstance(progress, Progress), progress
        if progress.is_ended:
            return progress
        await asyncio.sleep(0)
