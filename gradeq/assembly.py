"""The engine's parts by name: which grader works through which pool."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from gradeq.clock import Clock
from gradeq.config import ProviderSettings
from gradeq.errors import ConfigError, ConflictError, NoPricesError, NotFoundError
from gradeq.grading.rubric import Rubric
from gradeq.handlers.base import GraderFacts, Handler
from gradeq.handlers.coded import CodedHandler, JobFunction
from gradeq.limiter.base import Limits
from gradeq.limiter.pool import Pool
from gradeq.limiter.state import PoolState, Setup, outdated
from gradeq.model import BLEND_GRADER, DEFAULT_GRADER, GRADING, LEXICAL_GRADER, Flag, is_blend
from gradeq.money import Caps
from gradeq.outcome import MAX_ATTEMPTS
from gradeq.parked import go_on, read_states
from gradeq.providers.base import Provider
from gradeq.providers.batching import BatchProvider
from gradeq.store.base import Store
from gradeq.store.costs import DAY_CAP

if TYPE_CHECKING:
    from gradeq.handlers.batched import BatchedHandler
    from gradeq.handlers.model import Grader, ModelHandler

_LEXICAL_SECONDS = 60.0
"""For one paper: it takes a thousandth of one, and must not hang the queue all the same."""

log = logging.getLogger("gradeq")


@dataclass(frozen=True, slots=True)
class Registration:
    """An application's own grader or job kind, before the engine is opened."""

    name: str
    kind: str
    function: JobFunction
    max_attempts: int
    timeout: float
    concurrency: int
    requests_per_minute: float | None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A provider in use, and the settings that it was built from."""

    settings: ProviderSettings
    provider: Provider
    batching: BatchProvider | None


class Assembly:
    """Builds pools, providers and handlers when the engine opens; names are unique."""

    def __init__(
        self,
        settings: tuple[ProviderSettings, ...],
        default_provider: str | None,
        *,
        pseudonyms: bool,
        caps: Caps,
        clock: Clock,
        rng: Random,
        environ: Mapping[str, str],
    ) -> None:
        self.handlers: dict[str, Handler] = {}
        self.pools: dict[str, Pool] = {}
        self.batched: dict[str, BatchedHandler] = {}
        self.returned = 0
        self._settings = settings
        self._default = _default_of(settings, default_provider)
        self._pseudonyms = pseudonyms
        self._caps = caps
        self._clock = clock
        self._rng = rng
        self._environ = environ
        self._registered: dict[str, Registration] = {}
        self._lexical: Registration | None = None
        self._opened: dict[str, _Opened] = {}
        self._marks: dict[str, tuple[str, ...]] = {}
        self._states: dict[str, PoolState] = {}
        self._setups: dict[str, Setup] = {}
        self._stack = AsyncExitStack()
        self._rereading = asyncio.Lock()
        self._note: Callable[[Pool], None] | None = None

    def register(self, registration: Registration) -> None:
        if registration.name in self.names():
            raise ConflictError(f"a grader named {registration.name!r} is registered already")
        self._registered[registration.name] = registration

    def refuse_when_open(self) -> None:
        """What comes now would not be built. Raises ConflictError."""
        if self._note is not None:
            raise ConflictError("register graders before the engine is opened")

    def names(self) -> Iterator[str]:
        yield from self._model_names()
        yield LEXICAL_GRADER
        yield from self._registered

    def needs_rubric(self, grader: str) -> bool:
        return grader == LEXICAL_GRADER or grader in self._model_names()

    def handler(self, grader: str) -> Handler:
        """Raises NotFoundError, naming the graders there are."""
        if grader == LEXICAL_GRADER:
            self._take_up_lexical()
        try:
            return self.handlers[grader]
        except KeyError:
            known = ", ".join(sorted(self.names()))
            raise NotFoundError(f"there is no grader {grader!r} here (known: {known})") from None

    def timeout(self, grader: str) -> float | None:
        """The seconds that one call of this grader may take; None for an unknown one."""
        if grader in self._registered:
            return self._registered[grader].timeout
        if grader == LEXICAL_GRADER:
            return _LEXICAL_SECONDS
        provider = self._model_names().get(grader)
        return next((one.timeout_seconds for one in self._settings if one.name == provider), None)

    def facts(self, grader: str) -> GraderFacts:
        """Raises NotFoundError."""
        if grader == LEXICAL_GRADER:
            return GraderFacts(grader, GRADING, None, None, None)
        handler = self.handler(grader)
        batched = self.batched.get(grader)
        return GraderFacts(
            grader,
            handler.kind,
            self._model_names().get(grader),
            handler.model,
            batched.share_of_price() if batched else None,
        )

    @asynccontextmanager
    async def opened(self, store: Store, note: Callable[[Pool], None]) -> AsyncIterator[None]:
        """Providers live as long as this context. Raises ConfigError."""
        self._note = note
        stored = read_states(await store.pools())
        self._states = {name: _under_todays_cap(state) for name, state in stored.items()}
        async with AsyncExitStack() as self._stack:
            for settings in self._settings:
                await self._open_provider(settings)
            self._setups = _setups(self._opened)
            try:
                yield
            finally:
                self._note = None
                self._lexical = None
                self.handlers.clear()
                self.batched.clear()
                self.pools.clear()
                self._opened.clear()

    async def _open_provider(self, settings: ProviderSettings) -> None:
        from gradeq.providers import build  # noqa: PLC0415 - loads no HTTP client

        if settings.kind == "simulated":
            self._marks[settings.name] = (Flag.SIMULATED.value,)
            if settings.base_url is None:
                settings = replace(settings, base_url=await _simulate(settings, self._stack))
        _check_prices(settings, self._caps)
        provider = build.build_provider(settings, self._clock, self._environ)
        self._stack.push_async_callback(provider.aclose)
        batching = build.build_batch_provider(settings, self._clock, self._environ)
        if batching is not None:
            self._stack.push_async_callback(batching.aclose)
        self._opened[settings.name] = _Opened(settings, provider, batching)

    async def build_handlers(
        self, store: Store, rubric: Callable[[int], Awaitable[Rubric]]
    ) -> None:
        """Handlers and pools for every name; open work moves to the pool its grader uses now.

        A parking that another key or configuration was the fault of ends here.
        """
        for name in outdated(self._states, self._setups):
            log.info("pool %s: the parking is over, its provider is configured otherwise now", name)
            self._states[name] = self._states[name].unparked()
            await go_on(store, name)
        await self._build_model_handlers(store, rubric, self._opened)
        self._lexical = _lexical(store, rubric)
        for registration in self._registered.values():
            self.handlers[registration.name] = self._coded_handler(registration)
        await self.move_work(store)

    async def move_work(self, store: Store) -> None:
        """Open work of each grader goes through the pool that the grader uses now."""
        if any(one.pool == _pool_of(LEXICAL_GRADER) for one in await store.backlog()):
            self._take_up_lexical()
        for name, handler in self.handlers.items():
            await store.move_pool(name, handler.pool.name)

    def _take_up_lexical(self) -> None:
        """Only where it has work: a pool that nobody uses is nothing to look at."""
        if self._lexical is not None and LEXICAL_GRADER not in self.handlers:
            self.handlers[LEXICAL_GRADER] = self._coded_handler(self._lexical)

    async def reread_keys(self, store: Store, rubric: Callable[[int], Awaitable[Rubric]]) -> None:
        """Providers whose key file holds another key go on with that one, in another pool.

        What is on its way with the old key ends as usual. Raises StoreError or ConfigError; then
        that provider goes on as it was.
        """
        async with self._rereading:
            for name in [name for name, one in self._opened.items() if self._has_new_key(one)]:
                await self._rekey(name, store, rubric)
            self._retire()

    async def _rekey(
        self, provider: str, store: Store, rubric: Callable[[int], Awaitable[Rubric]]
    ) -> None:
        old = self._opened[provider]
        try:
            await self._open_provider(old.settings)
            self._setups = _setups(self._opened)
            await self._build_model_handlers(store, rubric, (provider,))
            await go_on(store, old.provider.pool, self.pools.get(old.provider.pool))
            await self.move_work(store)
        except BaseException:
            self._opened[provider] = old
            raise
        log.info("provider %s: its key file holds another key, which is used now", provider)

    def _has_new_key(self, opened: _Opened) -> bool:
        from gradeq.providers.build import pool_of  # noqa: PLC0415 - loads no HTTP client

        if opened.settings.api_key_file is None:
            return False
        try:
            return pool_of(opened.settings, self._environ) != opened.provider.pool
        except ConfigError as error:
            log.warning("the key is used as before: %s", error)
            return False

    def _retire(self) -> None:
        """Forget the pools that no grader uses any more."""
        used = {handler.pool.name for handler in self.handlers.values()}
        for name in self.pools.keys() - used:
            self._states[name] = self.pools.pop(name).state()

    async def _build_model_handlers(
        self,
        store: Store,
        rubric: Callable[[int], Awaitable[Rubric]],
        providers: Container[str],
    ) -> None:
        for name, provider in self._model_names().items():
            if provider in providers:
                handler = await self._model_handler(name, provider, store, rubric)
                self.handlers[name] = handler
                if (batching := self._opened[provider].batching) is not None and not is_blend(name):
                    self.batched[name] = self._batched_handler(handler, batching)

    async def _model_handler(
        self,
        name: str,
        provider_name: str,
        store: Store,
        rubric: Callable[[int], Awaitable[Rubric]],
    ) -> ModelHandler:
        from gradeq.handlers.model import ModelHandler  # noqa: PLC0415 - loads what only models need
        from gradeq.handlers.purse import Purse  # noqa: PLC0415 - the same

        provider = self._opened[provider_name].provider
        pool = self._pool(provider.pool, provider.limits)
        return ModelHandler(
            name=name,
            provider=provider,
            grader=self._model_grader(name, provider.model, await store.secret()),
            pool=pool,
            store=store,
            clock=self._clock,
            rubric=rubric,
            purse=Purse(provider, pool, store, self._clock, self._caps.per_day),
            marks=self._marks.get(provider_name, ()),
        )

    def _model_grader(self, name: str, model: str, secret: bytes) -> Grader:
        if is_blend(name):
            from gradeq.grading.blend.grader import BlendGrader  # noqa: PLC0415 - few need it

            return BlendGrader(model=model, secret=secret, pseudonyms=self._pseudonyms)
        from gradeq.grading.llm import LLMGrader  # noqa: PLC0415 - graders without a model skip it

        return LLMGrader(model=model, secret=secret, pseudonyms=self._pseudonyms)

    def _batched_handler(self, live: ModelHandler, batching: BatchProvider) -> BatchedHandler:
        from gradeq.handlers.batched import BatchedHandler  # noqa: PLC0415 - few need it

        return BatchedHandler(live, batching)

    def _coded_handler(self, registration: Registration) -> Handler:
        limits = Limits(
            concurrency=registration.concurrency,
            requests_per_minute=registration.requests_per_minute,
            keeps_pace=True,
        )
        return CodedHandler(
            name=registration.name,
            kind=registration.kind,
            function=registration.function,
            pool=self._pool(_pool_of(registration.name), limits),
            clock=self._clock,
            max_attempts=registration.max_attempts,
            timeout=registration.timeout,
        )

    def _pool(self, name: str, limits: Limits) -> Pool:
        """One pool per name: graders that share a key and a model share its limits."""
        if name not in self.pools:
            self.pools[name] = Pool(
                name,
                limits,
                clock=self._clock,
                rng=self._rng,
                state=self._states.get(name),
                setup=self._setups.get(name),
                on_change=self._note,
            )
        return self.pools[name]

    def _model_names(self) -> dict[str, str]:
        """Grader name to provider name: "llm" is the default provider's, "llm:NAME" each one's.

        "blend" and "blend:NAME" are there for those that tell how probable their tokens are.
        """
        named = {}
        for one in self._settings:
            for grader in (DEFAULT_GRADER, BLEND_GRADER)[: 2 if one.tells_chances else 1]:
                named[f"{grader}:{one.name}"] = one.name
                if one.name == self._default:
                    named[grader] = one.name
        return named


def _pool_of(grader: str) -> str:
    """The pool of a grader that asks no provider."""
    return f"grader:{grader}"


def _lexical(store: Store, rubric: Callable[[int], Awaitable[Rubric]]) -> Registration:
    """The grader that is always there: it needs no provider."""
    from gradeq.handlers.lexical import LexicalWork  # noqa: PLC0415 - few need it

    return Registration(
        LEXICAL_GRADER,
        GRADING,
        LexicalWork(store, rubric),
        max_attempts=MAX_ATTEMPTS,
        timeout=_LEXICAL_SECONDS,
        concurrency=5,
        requests_per_minute=None,
    )


def _setups(opened: Mapping[str, _Opened]) -> dict[str, Setup]:
    """What each pool depends on: the providers that share it, all together."""
    from gradeq.providers.build import fingerprint_of  # noqa: PLC0415 - loads no HTTP client

    sharing: dict[str, list[str]] = {}
    prints: dict[str, list[str]] = {}
    for name, one in sorted(opened.items()):
        sharing.setdefault(one.provider.pool, []).append(name)
        fingerprint = fingerprint_of(one.settings, one.provider)
        prints.setdefault(one.provider.pool, []).append(fingerprint)
    return {pool: Setup(tuple(sharing[pool]), " ".join(prints[pool])) for pool in sharing}


def _under_todays_cap(state: PoolState) -> PoolState:
    """The cap may be higher by now: the first call finds out."""
    if state.parked_reason is None or not state.parked_reason.startswith(DAY_CAP):
        return state
    return state.unparked()


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


def _default_of(settings: tuple[ProviderSettings, ...], wanted: str | None) -> str | None:
    names = [one.name for one in settings]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"two providers are named {twice!r}; give each a name of its own")
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
