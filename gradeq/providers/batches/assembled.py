"""From settings to a batch provider, with everything that needs the HTTP library."""

from __future__ import annotations

from typing import Any

from gradeq.clock import Clock
from gradeq.config import ProviderSettings
from gradeq.providers.address import host_of
from gradeq.providers.batches import anthropic, openai
from gradeq.providers.batches.client import BatchClient
from gradeq.providers.batches.entries import Entries
from gradeq.providers.batching import BatchProvider
from gradeq.providers.client import request_headers
from gradeq.providers.credential import Credential
from gradeq.providers.http import HttpClient
from gradeq.providers.prices import Prices
from gradeq.providers.reasons import Caller


def assembled(
    settings: ProviderSettings,
    base_url: str,
    dialect: Any,
    *,
    clock: Clock,
    key_name: str,
    credential: Credential | None,
    prices: Prices,
) -> BatchProvider:
    """What speaks `dialect` in batches; OpenAI's form for the kind `openai`, else Anthropic's."""
    caller = Caller(host_of(base_url), base_url, settings.model, key_name, credential)
    headers = request_headers(dialect, credential, settings.auth)
    http = HttpClient(base_url, timeout=settings.timeout_seconds)
    client = BatchClient(http, headers, caller, clock)
    if settings.kind == "openai":
        entries = Entries(dialect, caller, clock, openai.written)
        return openai.OpenAIBatches(client, entries, prices)
    return anthropic.AnthropicBatches(
        client, Entries(dialect, caller, clock, anthropic.written), prices
    )
