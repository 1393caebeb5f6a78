"""The engine: composes store, graders, pools and dispatchers, and is what applications hold."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

from gradeq.arriving import refuse_unfit
from gradeq.assembly import Assembly
from gradeq.bell import Bell
from gradeq.clock import Clock, SystemClock
from gradeq.config import Config, ProviderSettings, load_config
from gradeq.errors import ConflictError, NotFoundError, StoreError
from gradeq.floor import Floor
from gradeq.graders import Graders
from gradeq.limiter.pool import Pool
from gradeq.model import DEFAULT_GRADER, DEFAULT_OWNER, Grade, NewSubmission
from gradeq.money import Caps, checked_cap, checked_currency
from gradeq.orders import Orders, When
from gradeq.parked import Resumed
from gradeq.results import Result
from gradeq.rubrics import RubricShelf
from gradeq.store.base import Store
from gradeq.store.orders import Added, Skipped, SubmitOrder, Submitted
from gradeq.store.rows import Badges, Event, GradeRow, Seen
from gradeq.streams import Streams
from gradeq.worker import Worker


class Engine(Graders):
    """A durable grading queue in one SQLite file. Constructing it does no I/O.

    `providers` are models behind APIs; the grader "llm" asks the first of them, or the one named
    `default_provider`. `work=False` accepts work and grades nothing. `grace_seconds` is how long
    calls on their way may take when the engine stops. `pseudonyms=False` sends names as they are.
    The caps are in the currency of the providers' prices, by its ISO 4217 code; a day is this
    machine's local date. Raises ConfigError for a cap that is not above 0 or another currency code.
    """

    def __init__(
        self,
        path: str | Path = "gradeq.db",
        *,
        providers: Sequence[ProviderSettings] = (),
        default_provider: str | None = None,
        work: bool = True,
        pseudonyms: bool = True,
        cost_cap_per_batch: float | None = None,
        cost_cap_per_day: float | None = None,
        currency: str = "USD",
        grace_seconds: float = 30.0,
        clock: Clock | None = None,
        rng: Random | None = None,
        environ: Mapping[str, str] | None = None,
        store: Store | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        rng = rng or Random()  # noqa: S311 - jitter, not secrets
        self._works = work
        self._caps = Caps(
            checked_cap(cost_cap_per_batch, "cost_cap_per_batch"),
            checked_cap(cost_cap_per_day, "cost_cap_per_day"),
            checked_currency(currency),
        )
        self._grace_seconds = grace_seconds
        self._pseudonyms = pseudonyms
        self._store = store or _default_store(path, self._clock)
        self._rubrics = RubricShelf(self._store)
        self._worker = Worker(self._store, self._clock, rng)
        assembly = Assembly(
            tuple(providers),
            default_provider,
            pseudonyms=pseudonyms,
            caps=self._caps,
            clock=self._clock,
            rng=rng,
            environ=os.environ if environ is None else environ,
        )
        super().__init__(assembly)
        self._orders = Orders(self._store, self._rubrics, assembly, self._caps, self._clock)
        self._floor = Floor(
            assembly, self._rubrics, self._worker, store=self._store, clock=self._clock, rng=rng
        )
        self._bell = Bell()
        self._stack: AsyncExitStack | None = None
        self._streams = Streams(self._store, self._bell, self._clock, lambda: self.is_open)
        self._store.subscribe(self._bell.ring)

    @classmethod
    def from_config(cls, config: str | Path | Config, **options: Any) -> Self:
        """An engine from gradeq.toml (and GRADEQ_… variables). Raises ConfigError."""
        loaded = config if isinstance(config, Config) else load_config(Path(config), os.environ)
        chosen = {
            "providers": loaded.providers,
            "default_provider": loaded.grading.default_provider,
            "pseudonyms": loaded.grading.pseudonyms,
            "cost_cap_per_batch": loaded.grading.cost_cap_per_batch,
            "cost_cap_per_day": loaded.grading.cost_cap_per_day,
            "currency": loaded.grading.currency,
        }
        return cls(loaded.store.path, **{**chosen, **options})

    # Life ---------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open the store and start work. Raises StoreError or ConfigError; then nothing runs."""
        if self._stack is not None:
            raise ConflictError("this engine is open already")
        async with AsyncExitStack() as stack:
            await self._store.open()
            stack.push_async_callback(self._store.close)
            opened = self._assembly.opened(self._store, self._floor.pool_changed)
            await stack.enter_async_context(opened)
            await self._assembly.build_handlers(self._store, self._rubrics.get)
            if self._works:
                stack.push_async_callback(lambda: self._floor.stop(self._grace_seconds))
                self._floor.start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self, grace_seconds: float | None = None) -> int:
        """Stop claiming, let calls finish, return the others uncounted; how many were returned."""
        if self._stack is None:
            return 0
        usual, before = self._grace_seconds, self._assembly.returned
        self._grace_seconds = usual if grace_seconds is None else grace_seconds
        stack, self._stack = self._stack, None
        try:
            await stack.aclose()
        finally:
            self._grace_seconds = usual
            self._bell.ring()
        return self._assembly.returned - before

    @property
    def is_open(self) -> bool:
        """Between entering the engine and its stop."""
        return self._stack is not None

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        """For `Starlette(lifespan=engine.lifespan)`: open with the application, stop with it."""
        async with self:
            yield

    async def stop_claiming(self) -> None:
        """Take nothing new in hand; what is on its way goes on until `stop`."""
        await self._floor.stop_claiming()

    def hurry(self) -> None:
        """While the engine stops: wait for no call any longer."""
        self._floor.hurry()

    # Work ---------------------------------------------------------------------------------------

    async def add(self, papers: Sequence[NewSubmission]) -> list[Added]:
        """Store papers without queueing them. A known id with a new text replaces the old one.

        Raises InputError for what is no paper; then none is stored.
        """
        refuse_unfit(papers)
        return await self._store.add_submissions(papers)

    async def submit(
        self,
        submissions: Sequence[NewSubmission | int] = (),
        *,
        payloads: Sequence[Mapping[str, Any]] = (),
        grader: str = DEFAULT_GRADER,
        rubric_id: int | None = None,
        owner: str = DEFAULT_OWNER,
        interactive: bool | None = None,
        priority: int = 5,
        deadline: int | None = None,
        run_at: int | None = None,
        idempotency_key: str | None = None,
        again: bool = True,
        cost_cap: float | None = None,
        when: When = "now",
    ) -> Submitted:
        """Queue papers (new ones, or ids of stored ones) or payloads; on disk when this returns.

        A single paper counts as interactive, unless said otherwise. `priority` 1 (first) to 10.
        `deadline` and `run_at` are wall milliseconds. Without `again`, papers that are graded by
        now are skipped. `cost_cap` is what the batch's calls may cost together, instead of the
        engine's own cap. `when="overnight"` goes through the provider's batch API: half the price,
        done within a day; what has no answer 20 hours later, or an hour before the deadline, is
        graded by live calls. Raises InputError for what is no paper, NotFoundError for an unknown
        grader, NoPricesError for a cap on a grader without prices, ConflictError where a grader
        that needs a rubric has none, where it has no batch API or the deadline leaves no time for
        the night, where there are both submissions and payloads, or the engine is not open.
        """
        if not self.is_open:
            raise ConflictError("the engine is not open; nothing was queued: async with engine: …")
        asked = SubmitOrder(
            payloads=payloads,
            grader=grader,
            rubric_id=rubric_id,
            owner=owner,
            priority=priority,
            deadline=deadline,
            run_at=run_at,
            idempotency_key=idempotency_key,
            again=again,
            cost_cap=cost_cap,
        )
        order = await self._orders.complete(asked, submissions, interactive, when)
        submitted = await self._store.submit(order)
        self._floor.wake_all(reconsider=order.interactive or priority < 5)
        return submitted

    def results(self, batch_id: int) -> AsyncIterator[Result]:
        """Each job's result as it ends, those that have ended first; until the batch is over.

        Raises NotFoundError, or ConflictError where the engine is stopped before the end.
        """
        return self._streams.results(batch_id)

    async def run(self, *, until_idle: bool = True) -> None:
        """Work until nothing moves without a person (or, with `until_idle=False`, for ever).

        Opens the engine where it is not open, and closes it again. Raises StoreError where
        results cannot be saved, ConflictError for an engine that was made with `work=False`.
        """
        if not self._works:
            raise ConflictError("this engine only takes work in (work=False): it would never end")
        if self._stack is None:
            async with self:
                await self.run(until_idle=until_idle)
            return
        while not (until_idle and await self.is_idle()):
            rings = self._bell.rings
            await self._bell.wait(rings, timeout=1.0)
            await self._clock.sleep(0.02)

    async def is_idle(self) -> bool:
        """True when no open job would move without a person. Raises StoreError, see `run`."""
        return await self._floor.is_idle()

    # Control ------------------------------------------------------------------------------------

    async def cancel(self, batch_id: int | None = None, *, job_ids: Sequence[int] = ()) -> int:
        """Cancel a batch's open jobs, or these; how many. Answers on their way are kept."""
        count = await self._store.cancel(batch_id=batch_id, job_ids=job_ids)
        self._floor.wake_all(reconsider=True)
        return count

    async def pause(self, batch_id: int, by: str = "someone", reason: str | None = None) -> None:
        """Claim nothing more of this batch until it is resumed."""
        await self._store.pause(batch_id, by, reason)
        self._floor.wake_all(reconsider=True)

    async def resume(self, batch_id: int) -> None:
        """Go on with a paused batch; its pool, if parked, is tried again too."""
        batch = await self._store.batch(batch_id)
        if batch is None:
            raise NotFoundError(f"there is no batch {batch_id}")
        await self._store.resume(batch_id)
        if batch.paused_at is not None:
            self._worker.tempo.restart(batch_id)
        await self._floor.try_pool_again(batch.pool)

    async def resume_pool(self, name: str) -> Resumed:
        """Go on with a parked pool, and with the batches that gradeq paused for the same cause.

        `name` is the pool's, its provider's, or a part that means only one. Key files are read
        again, and a changed key is used. Raises NotFoundError, or ConflictError where several
        pools may be meant.
        """
        return await self._floor.resume_pool(name)

    async def set_cost_cap(self, batch_id: int, cap: float | None) -> None:
        """What the batch's calls may cost together, those made so far included; None: no cap.

        A batch that its cap has paused goes on with `resume`. Calls on their way were let in under
        the cap that held then. Raises NotFoundError, ConfigError for a cap that is not above 0,
        NoPricesError for one on a grader without prices.
        """
        await self._orders.set_cost_cap(batch_id, cap)
        self._floor.wake()

    async def retry(self, batch_id: int | None = None, *, job_ids: Sequence[int] = ()) -> int:
        """Failed jobs of a batch, or these failed or cancelled ones, start anew; how many."""
        count = await self._store.retry(batch_id=batch_id, job_ids=job_ids)
        await self._floor.take_back()
        return count

    async def release(self, submission_ids: Sequence[int], by: str) -> list[Skipped]:
        """Graded papers become released in the name of `by`; those that could not."""
        return await self._store.release(submission_ids, by)

    async def take_back(self, submission_ids: Sequence[int], by: str) -> list[Skipped]:
        """Undo a release that `by` made within the last minute; those that could not be undone."""
        return await self._store.take_back(submission_ids, by)

    async def archive(self, submission_ids: Sequence[int]) -> list[Skipped]:
        """Put papers away; their open jobs are cancelled with them."""
        skipped = await self._store.archive(submission_ids)
        self._floor.wake_all(reconsider=True)
        return skipped

    async def unarchive(self, submission_ids: Sequence[int]) -> list[Skipped]:
        return await self._store.unarchive(submission_ids)

    async def edit_grade(
        self, submission_id: int, grade: Grade, by: str, seen: Seen | None = None
    ) -> GradeRow:
        """A person's grade; no model ever overwrites it.

        With what was `seen`, raises ChangedError where somebody changed text or grade since.
        """
        return await self._store.edit_grade(submission_id, grade, by, seen)

    async def review(self, submission_id: int, by: str, seen: Seen) -> None:
        """Keep on record that `by` found the grade right. Raises ChangedError, see `edit_grade`."""
        await self._store.review(submission_id, by, seen)

    # Reading ------------------------------------------------------------------------------------

    async def badges(self, course: str, assignment: str) -> Badges:
        """Raises NotFoundError for an assignment that has no submission yet."""
        found = await self._store.badges(course, assignment)
        if found is None:
            raise NotFoundError(f"there is no assignment {course}/{assignment}")
        return found

    async def projected_cost(
        self, submission_ids: Sequence[int], grader: str, rubric_id: int
    ) -> float | None:
        """About what live calls for these papers will cost, going by a few of them.

        None for a grader without prices. Raises NotFoundError.
        """
        return await self._orders.projected_cost(submission_ids, grader, rubric_id)

    def events(self, after: int | None = None) -> AsyncIterator[Event]:
        """Everything that happens, from event `after` on (None: from now on), until it stops."""
        return self._streams.events(after)

    @property
    def store(self) -> Store:
        """For reading whatever has no method here."""
        return self._store

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def rubrics(self) -> RubricShelf:
        return self._rubrics

    @property
    def pseudonyms(self) -> bool:
        """Whether students' names are replaced in what is sent."""
        return self._pseudonyms

    @property
    def currency(self) -> str:
        """That of the prices, by its ISO 4217 code."""
        return self._caps.currency

    def pace_of(self, batch_id: int) -> float | None:
        """How many jobs of a batch ended a second in the last three minutes; None: none did."""
        return self._worker.tempo.per_second(batch_id)

    @property
    def pools(self) -> Mapping[str, Pool]:
        """The limiters, by the name of what they limit."""
        return self._assembly.pools

    @property
    def caps(self) -> Caps:
        """What a batch and a local day may cost, as configured."""
        return self._caps

    @property
    def trouble(self) -> StoreError | None:
        """Why results cannot be saved at present, or None."""
        return self._worker.trouble


def _default_store(path: str | Path, clock: Clock) -> Store:
    from gradeq.store.sqlite import SqliteStore  # noqa: PLC0415 - only the store in use is loaded

    return SqliteStore(path, clock=clock)
