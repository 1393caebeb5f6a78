"""A scripted server, a clock that stands still, and providers that are closed after the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from scripted_server import KEY, ScriptedServer

from gradeq.clock import Clock, ManualClock
from gradeq.providers.build import ProviderSettings, build_batch_provider, build_provider


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer()
    listening = await scripted.open()
    yield scripted
    listening.close()
    await scripted.stop()
    await listening.wait_closed()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def provider_at(clock: ManualClock) -> AsyncIterator[Callable[..., Any]]:
    """Builds providers that are closed at the end of the test."""
    built: list[Any] = []

    def build(base_url: str, kind: str = "anthropic", **settings: Any) -> Any:
        settings = {"model": "some-model"} | settings
        chosen = ProviderSettings(name="school", kind=kind, base_url=base_url, **settings)
        environ = {"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY, "GEMINI_API_KEY": KEY}
        built.append(build_provider(chosen, clock, environ))
        return built[-1]

    yield build
    for provider in built:
        await provider.aclose()


@pytest.fixture
async def batches_at(clock: ManualClock) -> AsyncIterator[Callable[..., Any]]:
    """Builds batch providers that are closed at the end of the test."""
    built: list[Any] = []

    def build(base_url: str, kind: str = "anthropic", clock: Clock = clock, **settings: Any) -> Any:
        settings = {"model": "some-model", "batch_api": True} | settings
        chosen = ProviderSettings(name="school", kind=kind, base_url=base_url, **settings)
        environ = {"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY}
        built.append(build_batch_provider(chosen, clock, environ))
        return built[-1]

    yield build
    for provider in built:
        await provider.aclose()
