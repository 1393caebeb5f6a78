"""The providers in use: opened from their settings, and opened anew when a key file changes."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from gradeq.clock import Clock
from gradeq.config import ProviderSettings
from gradeq.errors import ConfigError, NoPricesError
from gradeq.limiter.state import Setup
from gradeq.model import BLEND_GRADER, DEFAULT_GRADER, Flag
from gradeq.money import Caps
from gradeq.providers.base import Provider
from gradeq.providers.batching import BatchProvider

log = logging.getLogger("gradeq")


@dataclass(frozen=True, slots=True)
class Supplier:
    """A provider in use, and the settings that it was built from."""

    settings: ProviderSettings
    provider: Provider
    batching: BatchProvider | None

    @property
    def marks(self) -> tuple[str, ...]:
        """The flags that every grade of it carries."""
        return (Flag.SIMULATED.value,) if self.settings.kind == "simulated" else ()


class Suppliers:
    """Those that are configured, by name; there is something to take while `opened` lasts."""

    def __init__(
        self,
        settings: tuple[ProviderSettings, ...],
        default: str | None,
        *,
        caps: Caps,
        clock: Clock,
        environ: Mapping[str, str],
    ) -> None:
        self._settings = _by_name(settings)
        self._default = _default_of(tuple(self._settings), default)
        self._caps = caps
        self._clock = clock
        self._environ = environ
        self._opened: dict[str, Supplier] = {}
        self._stack = AsyncExitStack()

    def __getitem__(self, name: str) -> Supplier:
        return self._opened[name]

    def graders(self) -> dict[str, str]:
        """Grader name to provider name: "llm" is the default provider's, "llm:NAME" each one's.

        "blend" and "blend:NAME" are there for those that tell how probable their tokens are.
        """
        named = {}
        for one in self._settings.values():
            for grader in (DEFAULT_GRADER, BLEND_GRADER)[: 2 if one.tells_chances else 1]:
                named[f"{grader}:{one.name}"] = one.name
                if one.name == self._default:
                    named[grader] = one.name
        return named

    def timeout(self, name: str) -> float:
        """The seconds that one call may take."""
        return self._settings[name].timeout_seconds

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Providers live as long as this context. Raises ConfigError."""
        async with AsyncExitStack() as self._stack:
            try:
                for name, settings in self._settings.items():
                    self._opened[name] = await self._open(settings)
                yield
            finally:
                self._opened.clear()

    async def reopen(self, name: str) -> None:
        """With the key as it is now; calls of the one before it go on. Raises ConfigError."""
        self._opened[name] = await self._open(self._opened[name].settings)

    def put_back(self, name: str, supplier: Supplier) -> None:
        """Undo `reopen`."""
        self._opened[name] = supplier

    def rekeyed(self) -> list[str]:
        """Those whose key file holds another key by now."""
        return [name for name, one in self._opened.items() if self._has_new_key(one)]

    def setups(self) -> dict[str, Setup]:
        """What each pool depends on: the providers that share it, all together."""
        from gradeq.providers.build import fingerprint_of  # noqa: PLC0415 - loads no HTTP client

        sharing: dict[str, list[str]] = {}
        prints: dict[str, list[str]] = {}
        for name, one in sorted(self._opened.items()):
            sharing.setdefault(one.provider.pool, []).append(name)
            fingerprint = fingerprint_of(one.settings, one.provider)
            prints.setdefault(one.provider.pool, []).append(fingerprint)
        return {pool: Setup(tuple(sharing[pool]), " ".join(prints[pool])) for pool in sharing}

    async def _open(self, settings: ProviderSettings) -> Supplier:
        from gradeq.providers import build  # noqa: PLC0415 - loads no HTTP client

        if settings.kind == "simulated" and settings.base_url is None:
            settings = replace(settings, base_url=await _simulate(settings, self._stack))
        _check_prices(settings, self._caps)
        provider = build.build_provider(settings, self._clock, self._environ)
        self._stack.push_async_callback(provider.aclose)
        batching = build.build_batch_provider(settings, self._clock, self._environ)
        if batching is not None:
            self._stack.push_async_callback(batching.aclose)
        return Supplier(settings, provider, batching)

    def _has_new_key(self, supplier: Supplier) -> bool:
        from gradeq.providers.build import pool_of  # noqa: PLC0415 - loads no HTTP client

        if supplier.settings.api_key_file is None:
            return False
        try:
            return pool_of(supplier.settings, self._environ) != supplier.provider.pool
        except ConfigError as error:
            log.warning("the key is used as before: %s", error)
            return False


def _check_prices(settings: ProviderSettings, caps: Caps) -> None:
    """Raises NoPricesError where a cap could never bind. This machine's own models are free."""
    from gradeq.providers.address import on_this_machine  # noqa: PLC0415 - loads no HTTP client

    is_free = settings.kind == "local" or (
        settings.base_url is not None and on_this_machine(settings.base_url)
    )
    if not caps.any or settings.price_input or settings.price_output or is_free:
        return
    raise NoPricesError(
        f"Provider {settings.name!r} has no prices, so no cost cap could hold it; nothing was "
        f"started. Set price_input and price_output (per million tokens) of "
        f"[provider.{settings.name}], or take cost_cap_per_batch and cost_cap_per_day away."
    )


def _by_name(settings: tuple[ProviderSettings, ...]) -> dict[str, ProviderSettings]:
    named: dict[str, ProviderSettings] = {}
    for one in settings:
        if one.name in named:
            raise ConfigError(f"two providers are named {one.name!r}; give each its own name")
        named[one.name] = one
    return named


def _default_of(names: tuple[str, ...], wanted: str | None) -> str | None:
    if wanted is None:
        return names[0] if names else None
    if wanted not in names:
        known = ", ".join(names) or "none"
        raise ConfigError(f"default_provider is {wanted!r}, but the providers are: {known}")
    return wanted


async def _simulate(settings: ProviderSettings, stack: AsyncExitStack) -> str:
    """Start the simulated provider, on a free port of this machine, for as long as the engine."""
    from gradeq.providers.simulated.server import Simulator  # noqa: PLC0415 - few need it
    from gradeq.providers.simulated.settings import SimulatorSettings  # noqa: PLC0415 - the same

    simulator = Simulator(
        SimulatorSettings(
            requests_per_minute=settings.requests_per_minute or 0,
            input_tokens_per_minute=settings.input_tokens_per_minute or 0,
            output_tokens_per_minute=settings.output_tokens_per_minute or 0,
        )
    )
    await stack.enter_async_context(simulator)
    return simulator.url
