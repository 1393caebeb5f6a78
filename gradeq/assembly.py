"""The engine's parts by name: which grader works through which pool."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from gradeq.clock import Clock
from gradeq.config import ProviderSettings
from gradeq.errors import ConflictError, NotFoundError
from gradeq.grading.rubric import Rubric
from gradeq.handlers.base import GraderFacts, Handler
from gradeq.handlers.coded import CodedHandler, JobFunction
from gradeq.limiter.base import Limits
from gradeq.limiter.pool import Pool
from gradeq.limiter.state import PoolState, Setup, outdated
from gradeq.model import GRADING, LEXICAL_GRADER, is_blend
from gradeq.money import Caps
from gradeq.outcome import MAX_ATTEMPTS
from gradeq.parked import go_on, read_states
from gradeq.providers.batching import BatchProvider
from gradeq.store.base import Store
from gradeq.store.costs import DAY_CAP
from gradeq.suppliers import Supplier, Suppliers

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
        self._suppliers = Suppliers(
            settings, default_provider, caps=caps, clock=clock, environ=environ
        )
        self._pseudonyms = pseudonyms
        self._caps = caps
        self._clock = clock
        self._rng = rng
        self._registered: dict[str, Registration] = {}
        self._lexical: Registration | None = None
        self._states: dict[str, PoolState] = {}
        self._setups: dict[str, Setup] = {}
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
        yield from self._suppliers.graders()
        yield LEXICAL_GRADER
        yield from self._registered

    def needs_rubric(self, grader: str) -> bool:
        return grader == LEXICAL_GRADER or grader in self._suppliers.graders()

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
        provider = self._suppliers.graders().get(grader)
        return None if provider is None else self._suppliers.timeout(provider)

    def facts(self, grader: str) -> GraderFacts:
        """Raises NotFoundError."""
        if grader == LEXICAL_GRADER:
            return GraderFacts(grader, GRADING, None, None, None)
        handler = self.handler(grader)
        batched = self.batched.get(grader)
        return GraderFacts(
            grader,
            handler.kind,
            self._suppliers.graders().get(grader),
            handler.model,
            batched.share_of_price() if batched else None,
        )

    @asynccontextmanager
    async def opened(self, store: Store, note: Callable[[Pool], None]) -> AsyncIterator[None]:
        """Providers live as long as this context. Raises ConfigError."""
        self._note = note
        stored = read_states(await store.pools())
        self._states = {name: _under_todays_cap(state) for name, state in stored.items()}
        async with self._suppliers.opened():
            self._setups = self._suppliers.setups()
            try:
                yield
            finally:
                self._note = None
                self._lexical = None
                self.handlers.clear()
                self.batched.clear()
                self.pools.clear()

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
        await self._build_model_handlers(store, rubric)
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
            for name in self._suppliers.rekeyed():
                await self._rekey(name, store, rubric)
            self._retire()

    async def _rekey(
        self, provider: str, store: Store, rubric: Callable[[int], Awaitable[Rubric]]
    ) -> None:
        old = self._suppliers[provider]
        try:
            await self._suppliers.reopen(provider)
            self._setups = self._suppliers.setups()
            await self._build_model_handlers(store, rubric, only=provider)
            await go_on(store, old.provider.pool, self.pools.get(old.provider.pool))
            await self.move_work(store)
        except BaseException:
            self._suppliers.put_back(provider, old)
            raise
        log.info("provider %s: its key file holds another key, which is used now", provider)

    def _retire(self) -> None:
        """Forget the pools that no grader uses any more."""
        used = {handler.pool.name for handler in self.handlers.values()}
        for name in self.pools.keys() - used:
            self._states[name] = self.pools.pop(name).state()

    async def _build_model_handlers(
        self,
        store: Store,
        rubric: Callable[[int], Awaitable[Rubric]],
        only: str | None = None,
    ) -> None:
        for name, provider in self._suppliers.graders().items():
            if only in (None, provider):
                supplier = self._suppliers[provider]
                handler = await self._model_handler(name, supplier, store, rubric)
                self.handlers[name] = handler
                if supplier.batching is not None and not is_blend(name):
                    self.batched[name] = self._batched_handler(handler, supplier.batching)

    async def _model_handler(
        self,
        name: str,
        supplier: Supplier,
        store: Store,
        rubric: Callable[[int], Awaitable[Rubric]],
    ) -> ModelHandler:
        from gradeq.handlers.model import ModelHandler  # noqa: PLC0415 - loads what only models need
        from gradeq.handlers.purse import Purse  # noqa: PLC0415 - the same

        provider = supplier.provider
        pool = self._pool(provider.pool, provider.limits)
        return ModelHandler(
            name=name,
            provider=provider,
            grader=self._model_grader(name, provider.model, await store.secret()),
            pool=pool,
            store=store,
            clock=self._clock,
            rubric=rubric,
            purse=Purse(
                provider, pool, store, self._clock, self._caps.per_day, self._caps.currency
            ),
            marks=supplier.marks,
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


def _under_todays_cap(state: PoolState) -> PoolState:
    """The cap may be higher by now: the first call finds out."""
    if state.parked_reason is None or not state.parked_reason.startswith(DAY_CAP):
        return state
    return state.unparked()
