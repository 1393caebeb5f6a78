"""From settings to a local provider: the file is looked at, nothing is loaded yet."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import replace

from gradeq.clock import Clock
from gradeq.config import ProviderSettings
from gradeq.errors import ConfigError
from gradeq.limiter.base import Limits
from gradeq.providers.base import Provider
from gradeq.providers.credential import Credential
from gradeq.providers.local.child import LIBRARY
from gradeq.providers.local.link import Link, Serving
from gradeq.providers.local.machine import Machine, this_machine
from gradeq.providers.local.model_file import ModelFile, find_model
from gradeq.providers.local.provider import LocalProvider
from gradeq.providers.local.sharing import MeetingPlace, Notice, meeting_folder
from gradeq.providers.local.sizing import Plan, plan_for

_NOT_FOR_LOCAL = (
    *("base_url", "api_key_env", "api_key_file", "auth", "batch_api"),
    *("price_input", "price_output"),
)

_HEALTH_SECONDS = 10.0


def local_provider(
    settings: ProviderSettings, clock: Clock, environ: Mapping[str, str], limits: Limits
) -> LocalProvider:
    """Raises ConfigError where the library, the file or the memory is missing."""
    model, planned = looked_at(settings, environ, this_machine())
    link = Link(
        model,
        planned,
        meeting_folder(environ),
        clock,
        least_context=settings.context_tokens or 0,
    )

    def speak(server: Serving) -> Provider:
        from gradeq.providers.client import HttpProvider  # noqa: PLC0415  # loads httpx
        from gradeq.providers.http import HttpClient  # noqa: PLC0415
        from gradeq.providers.openai import OpenAIDialect  # noqa: PLC0415

        base_url = f"{server.url}/v1"
        return HttpProvider(
            settings.name,
            model.name,
            base_url,
            OpenAIDialect(model.name, base_url),
            HttpClient(base_url, timeout=settings.timeout_seconds),
            clock=clock,
            key_name="gradeq's own model server",
            credential=Credential(server.token, "gradeq's own model server"),
        )

    return LocalProvider(
        settings.name,
        model,
        link,
        speak,
        _is_well,
        limits=for_slots(limits, planned.slots),
        clock=clock,
    )


async def _is_well(server: Serving) -> bool:
    """Whether it says anything at all; where it is only busy, it does so at once."""
    from gradeq.providers.http import HttpClient, HttpResponse  # noqa: PLC0415

    http = HttpClient(server.url, timeout=_HEALTH_SECONDS)
    try:
        return isinstance(await http.get("/health", ()), HttpResponse)
    finally:
        await http.aclose()


def looked_at(
    settings: ProviderSettings, environ: Mapping[str, str], machine: Machine
) -> tuple[ModelFile, Plan]:
    """The model's file and how it is run. Raises ConfigError."""
    _check(settings)
    model = find_model(settings.model)
    running = MeetingPlace(model.key, meeting_folder(environ)).running()
    if running is None:
        return model, plan_for(settings, model, machine)
    _check_fits(settings, running)
    # It is in memory already: how much more there is does not matter.
    planned = plan_for(settings, model, Machine(machine.cores, machine.free_cores, None))
    return model, Plan(planned.threads, running.slots, running.context_tokens, planned.needed_bytes)


def _check(settings: ProviderSettings) -> None:
    set_in_vain = [key for key in _NOT_FOR_LOCAL if getattr(settings, key)]
    if set_in_vain:
        raise ConfigError(
            f"Provider {settings.name!r} is local and takes no {' or '.join(set_in_vain)}. Nothing "
            'was started. For a server that runs already, set kind = "openai" and its base_url.'
        )
    if importlib.util.find_spec(LIBRARY) is None:
        raise ConfigError(
            f"Provider {settings.name!r} needs the package {LIBRARY}, which is not installed. "
            "Nothing was started. Install it with: pip install 'gradeq[local]'"
        )


def _check_fits(settings: ProviderSettings, running: Notice) -> None:
    wanted = settings.context_tokens
    if wanted is not None and wanted > running.context_tokens:
        raise ConfigError(
            f"Process {running.pid} runs this model for another gradeq already, with "
            f"context_tokens = {running.context_tokens}, and provider {settings.name!r} wants "
            f"{wanted}; one copy in memory serves both. Nothing was started. Set the same in "
            "both, or stop the other one first."
        )


def for_slots(limits: Limits, slots: int) -> Limits:
    """More calls than slots would only wait inside the server, and their time run out."""
    most = min(limits.max_concurrency, slots)
    asked = min(limits.concurrency, most if limits.auto else slots)
    return replace(limits, concurrency=asked, max_concurrency=most)
