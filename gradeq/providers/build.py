"""From settings to a provider. Importing this loads no HTTP library; building one does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec

from gradeq.clock import Clock
from gradeq.config import AUTO, ProviderSettings
from gradeq.errors import ConfigError
from gradeq.limiter.base import Limits
from gradeq.providers.address import host_of, on_this_machine, pool_name, with_version
from gradeq.providers.base import Provider
from gradeq.providers.batching import BatchProvider
from gradeq.providers.credential import Credential, load_credential
from gradeq.providers.prices import Prices

KINDS = ("anthropic", "openai", "gemini", "local", "simulated")
LOCAL = "local"
"""The kind whose model runs on this machine, in a process that gradeq starts."""
BATCH_KINDS = ("anthropic", "openai", "simulated")
"""Those whose batch API is spoken here; the simulated provider speaks Anthropic's."""
LOCAL_KEYS = ("context_tokens", "threads", "slots")
AUTH_STYLES = ("bearer", "x-api-key", "api-key", "x-goog-api-key")

KEY_VARIABLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "anthropic": ("ANTHROPIC_API_KEY",),
        "openai": ("OPENAI_API_KEY",),
        "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    }
)
"""Where a kind's key is looked for; the first variable is the one to name to people."""
DEFAULT_BASE_URL: Mapping[str, str] = MappingProxyType(
    {
        "anthropic": "https://api.anthropic.com",
        "openai": "https://api.openai.com/v1",
        "gemini": "https://generativelanguage.googleapis.com",
    }
)

AUTO_STARTS_WITH = 5
"""Calls in flight at first, where the concurrency is to be found."""

ANTHROPIC_CACHE_READ = 0.1
ANTHROPIC_CACHE_WRITE = 1.25
"""Of the input price (Anthropic, "Prompt caching"). OpenAI's discount differs by model and is
not counted, so that a price is never too low."""
GEMINI_CACHE_READ = 0.25
"""Of the input price, at most (Google Cloud, "Context caching overview": 90 % off, 75 % for the
oldest models that have it)."""


def build_provider(
    settings: ProviderSettings, clock: Clock, environ: Mapping[str, str]
) -> Provider:
    """A provider ready to be asked; nothing is sent yet.

    The key comes from `environ` or from a file. Raises ConfigError, which names the setting or
    the variable to mend.
    """
    if settings.kind == LOCAL:
        from gradeq.providers.local.assembled import local_provider  # noqa: PLC0415

        check_settings(settings)
        return local_provider(settings, clock, environ, _limits(settings, reserves_output=False))
    reach = _reach(settings, environ)
    return _assembled(
        settings,
        reach.base_url,
        clock=clock,
        key_name=reach.key_name,
        credential=reach.credential,
    )


def build_batch_provider(
    settings: ProviderSettings, clock: Clock, environ: Mapping[str, str]
) -> BatchProvider | None:
    """The batch API of the same provider; None where it has none. Nothing is sent yet.

    Raises ConfigError as `build_provider` does.
    """
    if settings.kind == LOCAL:
        return None
    reach = _reach(settings, environ)
    if not _has_batch_api(settings, reach.base_url):
        return None
    from gradeq.providers.batches.assembled import assembled  # noqa: PLC0415 - loads httpx

    return assembled(
        settings,
        reach.base_url,
        _dialect(settings, reach.base_url)[0],
        clock=clock,
        key_name=reach.key_name,
        credential=reach.credential,
        prices=_prices(settings),
    )


def _has_batch_api(settings: ProviderSettings, base_url: str) -> bool:
    if settings.kind not in BATCH_KINDS:
        return False
    if settings.batch_api is not None:
        return settings.batch_api
    return settings.kind != "openai" or host_of(base_url) == host_of(DEFAULT_BASE_URL["openai"])


@dataclass(frozen=True, slots=True)
class _Reach:
    """Where a provider is and by what key; `key_name` is for people."""

    base_url: str
    key_name: str
    credential: Credential | None


def _reach(settings: ProviderSettings, environ: Mapping[str, str]) -> _Reach:
    check_settings(settings)
    base_url = base_url_of(settings)
    key_name = settings.api_key_file or key_variable(settings, environ)
    credential = _credential(settings, base_url, environ)
    return _Reach(base_url, key_name or "the simulated provider", credential)


def base_url_of(settings: ProviderSettings) -> str:
    """Where the provider is, with the version of its API. Raises ConfigError for no address."""
    version = "v1beta" if settings.kind == "gemini" else "v1"
    return with_version(settings.base_url or DEFAULT_BASE_URL.get(settings.kind, ""), version)


def key_variable(settings: ProviderSettings, environ: Mapping[str, str]) -> str:
    """The variable that the key comes from, or is to be put in; "" where none is needed."""
    names = (settings.api_key_env,) if settings.api_key_env else KEY_VARIABLES.get(settings.kind)
    if not names:
        return ""
    return next((name for name in names if environ.get(name, "").strip()), names[0])


def pool_of(settings: ProviderSettings, environ: Mapping[str, str]) -> str:
    """The pool of a provider that is built now; another one where its key has changed.

    Raises ConfigError where there is no key that can be used.
    """
    reach = _reach(settings, environ)
    fingerprint = reach.credential.fingerprint if reach.credential else None
    return pool_name(reach.base_url, fingerprint, settings.model)


def fingerprint_of(settings: ProviderSettings, provider: Provider) -> str:
    """Changes with everything that the parking of a provider's pool may be the fault of: address,
    key, model, limits, and how the key is sent.
    """
    made_of = (settings.kind, settings.base_url, settings.model, settings.auth)
    told = msgspec.json.encode((provider.pool, made_of, provider.limits))
    return hashlib.sha256(told).hexdigest()[:16]


def _assembled(
    settings: ProviderSettings,
    base_url: str,
    *,
    clock: Clock,
    key_name: str,
    credential: Credential | None,
) -> Provider:
    from gradeq.providers.client import HttpProvider  # noqa: PLC0415 - loads httpx
    from gradeq.providers.http import HttpClient  # noqa: PLC0415 - as above

    dialect, reserves_output = _dialect(settings, base_url)
    return HttpProvider(
        settings.name,
        settings.model,
        base_url,
        dialect,
        HttpClient(base_url, timeout=settings.timeout_seconds),
        clock=clock,
        key_name=key_name,
        credential=credential,
        auth=settings.auth,
        limits=_limits(settings, reserves_output),
        prices=_prices(settings),
    )


def _dialect(settings: ProviderSettings, base_url: str) -> tuple[Any, bool]:
    """The dialect, and whether whoever speaks it charges `max_tokens` at admission."""
    if settings.kind == "openai":
        from gradeq.providers.openai import OpenAIDialect, is_openai  # noqa: PLC0415 - only the one in use

        return OpenAIDialect(settings.model, base_url), is_openai(base_url)
    if settings.kind == "gemini":
        from gradeq.providers.gemini import GeminiDialect  # noqa: PLC0415 - only the one in use

        return GeminiDialect(settings.model), False
    from gradeq.providers.anthropic import AnthropicDialect  # noqa: PLC0415 - only the one in use

    return AnthropicDialect(settings.model), False


def _limits(settings: ProviderSettings, reserves_output: bool) -> Limits:
    asked, most = settings.concurrency, settings.max_concurrency
    return Limits(
        concurrency=min(AUTO_STARTS_WITH, most) if asked == AUTO else asked,
        auto=asked == AUTO,
        max_concurrency=most,
        requests_per_minute=settings.requests_per_minute,
        input_tokens_per_minute=settings.input_tokens_per_minute,
        output_tokens_per_minute=settings.output_tokens_per_minute,
        reserves_output=reserves_output,
        tokens_per_minute=settings.tokens_per_minute,
        counts_cache_reads=_counts_cache_reads(settings),
        caches_prompts=settings.kind in ("anthropic", "simulated"),
    )


def _counts_cache_reads(settings: ProviderSettings) -> bool:
    """All but Anthropic's, except for its oldest models (Anthropic, "Rate limits"; Gemini API,
    "Context caching": "token limits include cached tokens")."""
    return settings.kind in ("openai", "gemini", LOCAL) or settings.model.startswith(
        ("claude-3-haiku", "claude-3-5-haiku")
    )


def _prices(settings: ProviderSettings) -> Prices:
    if settings.kind == "openai":
        return Prices(settings.price_input, settings.price_output)
    if settings.kind == "gemini":
        return Prices(settings.price_input, settings.price_output, GEMINI_CACHE_READ)
    return Prices(
        settings.price_input, settings.price_output, ANTHROPIC_CACHE_READ, ANTHROPIC_CACHE_WRITE
    )


def _credential(
    settings: ProviderSettings, base_url: str, environ: Mapping[str, str]
) -> Credential | None:
    """The key; None only for a server on this machine, which may need none."""
    if settings.kind == "simulated":
        return Credential("simulated", "the simulated provider")
    variable = key_variable(settings, environ)
    credential = load_credential(variable, settings.api_key_file, environ)
    if credential is None and not on_this_machine(base_url):
        raise ConfigError(
            f"Provider {settings.name!r} needs an API key, and {variable} is not set. Nothing was "
            f"sent. Set {variable}, name another variable with api_key_env, or a file with "
            "api_key_file."
        )
    return credential


def check_settings(settings: ProviderSettings) -> None:
    """Raises ConfigError for what cannot be, whatever the key and the machine."""
    name = settings.name
    if settings.kind not in KINDS:
        raise ConfigError(
            f"Provider {name!r} has the kind {settings.kind!r}. Choose one of: {', '.join(KINDS)}."
        )
    if settings.kind == "simulated" and not settings.base_url:
        raise ConfigError(f"Provider {name!r} is simulated, and its server was not started.")
    if not settings.model.strip():
        raise ConfigError(f"Provider {name!r} names no model. Set model.")
    told = [key for key in LOCAL_KEYS if getattr(settings, key) is not None]
    if told and settings.kind != LOCAL:
        raise ConfigError(
            f"Provider {name!r} sets {' and '.join(told)}, which only the kind {LOCAL!r} has."
        )
    if settings.auth is not None and settings.auth not in AUTH_STYLES:
        raise ConfigError(
            f"Provider {name!r} has auth = {settings.auth!r}. Choose: {', '.join(AUTH_STYLES)}."
        )
    if not _is_count(settings.concurrency) and settings.concurrency != AUTO:
        raise ConfigError(
            f"Provider {name!r} has concurrency = {settings.concurrency!r}. "
            'It must be a whole number, 1 or more, or "auto".'
        )
    if not _is_count(settings.max_concurrency) or not settings.timeout_seconds > 0:
        raise ConfigError(
            f"Provider {name!r}: max_concurrency must be 1 or more and timeout_seconds above 0."
        )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 1
