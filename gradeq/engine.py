"""The engine: composes store, graders, pools and dispatchers, and is what applications hold."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Literal, Self

from gradeq.assembly import Assembly, Registration
from gradeq.bell import Bell
from gradeq.clock import Clock, SystemClock
from gradeq.config import Config, ProviderSettings, load_config
from gradeq.dispatcher import Dispatcher
from gradeq.errors import (
    ConfigError,
    ConflictError,
    NoPricesError,
    NoRubricError,
    NotFoundError,
    StoreError,
)
from gradeq.handlers.base import GraderFacts, Handler
from gradeq.handlers.coded import GraderFunction, JobFunction
from gradeq.limiter.names import find_pool
from gradeq.limiter.pool import Pool
from gradeq.model import (
    DEFAULT_GRADER,
    DEFAULT_OWNER,
    GRADING,
    Grade,
    NewSubmission,
)
from gradeq.money import Caps, checked_cap
from gradeq.outcome import MAX_ATTEMPTS
from gradeq.overnight.shift import NightShift
from gradeq.overnight.times import fallback_at
from gradeq.parked import Resumed, go_on, known_pools, read_states
from gradeq.results import Result
from gradeq.rubrics import RubricShelf
from gradeq.store.base import (
    Added,
    Backlog,
    Badges,
    Event,
    GradeRow,
    Seen,
    Skipped,
    Store,
    SubmitOrder,
    Submitted,
)
from gradeq.streams import Streams
from gradeq.upkeep import PoolSaver, Upkeep
from gradeq.worker import Worker

When = Literal["now", "overnight"]
"""Call by call as fast as the limits allow, or through the provider's batch API."""


class Engine:
    """A durable grading queue in one SQLite file. Constructing it does no I/O.

    `providers` are models behind APIs; the grader "llm" asks the first of them, or the one named
    `default_provider`. `work=False` accepts work and grades nothing. `grace_seconds` is how long
    calls on their way may take when the engine stops. `pseudonyms=False` sends names as they are.
    The caps are in the currency of the providers' prices; a day is this machine's local date.
    Raises ConfigError for a cap that is not above 0.
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
        grace_seconds: float = 30.0,
        clock: Clock | None = None,
        rng: Random | None = None,
        environ: Mapping[str, str] | None = None,
        store: Store | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._rng = rng or Random()  # noqa: S311 - jitter, not secrets
        self._works = work
        self._caps = Caps(
            checked_cap(cost_cap_per_batch, "cost_cap_per_batch"),
            checked_cap(cost_cap_per_day, "cost_cap_per_day"),
        )
        self._grace_seconds = grace_seconds
        self._pseudonyms = pseudonyms
        self._store = store or _default_store(path, self._clock)
        self._rubrics = RubricShelf(self._store)
        self._worker = Worker(self._store, self._clock, self._rng)
        self._assembly = Assembly(
            tuple(providers),
            default_provider,
            pseudonyms=pseudonyms,
            caps=self._caps,
            clock=self._clock,
            rng=self._rng,
            environ=os.environ if environ is None else environ,
        )
        self._saver = PoolSaver(self._store, self._clock, self._assembly.pools)
        self._bell = Bell()
        self._dispatchers: list[Dispatcher] = []
        self._is_claiming = False
        self._dispatching: list[asyncio.Task[None]] = []
        self._night: NightShift | None = None
        self._tasks: list[asyncio.Task[None]] = []
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
        }
        return cls(loaded.store.path, **{**chosen, **options})

    # Graders ------------------------------------------------------------------------------------

    def grader(
        self,
        name: str,
        *,
        max_attempts: int = MAX_ATTEMPTS,
        timeout: float = 120.0,
        concurrency: int = 5,
        requests_per_minute: float | None = None,
    ) -> Callable[[GraderFunction], GraderFunction]:
        """Register a coroutine `Job -> Grade`; it may raise Snooze(seconds) or Reject(why).

        `timeout` in seconds bounds each call, `concurrency` and `requests_per_minute` all of them.
        """
        register = self.job_kind(
            name,
            kind=GRADING,
            max_attempts=max_attempts,
            timeout=timeout,
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
        )

        def decorate(function: GraderFunction) -> GraderFunction:
            register(function)
            return function

        return decorate

    def job_kind(
        self,
        name: str,
        *,
        kind: str | None = None,
        max_attempts: int = MAX_ATTEMPTS,
        timeout: float = 120.0,
        concurrency: int = 5,
        requests_per_minute: float | None = None,
    ) -> Callable[[JobFunction], JobFunction]:
        """Register a coroutine `Job -> anything JSON can hold` for jobs with payloads."""
        if self._stack is not None:
            raise ConflictError("register graders before the engine is opened")

        def decorate(function: JobFunction) -> JobFunction:
            self._assembly.register(
                Registration(
                    name,
                    kind or name,
                    function,
                    max_attempts,
                    timeout,
                    concurrency,
                    requests_per_minute,
                )
            )
            return function

        return decorate

    # Life ---------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open the store and start work. Raises StoreError or ConfigError; then nothing runs."""
        if self._stack is not None:
            raise ConflictError("this engine is open already")
        async with AsyncExitStack() as stack:
            await self._store.open()
            stack.push_async_callback(self._store.close)
            await stack.enter_async_context(self._assembly.opened(self._store, self._pool_changed))
            await self._assembly.build_handlers(self._store, self._rubrics.get)
            if self._works:
                stack.push_async_callback(self._stop_work)
                self._start_work()
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

    def lifespan(self, _app: object) -> AbstractAsyncContextManager[None]:
        """For `Starlette(lifespan=engine.lifespan)`: open with the application, stop with it."""
        return self._lifespan()

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        async with self:
            yield

    def _start_work(self) -> None:
        self._is_claiming = True
        for pool in self._assembly.pools.values():
            self._dispatch(pool)
            if not pool.is_untried:
                self._saver.note(pool)
        self._night = NightShift(
            self._assembly.batched,
            store=self._store,
            worker=self._worker,
            clock=self._clock,
            went_on=self._wake,
        )
        self._night.start()
        upkeep = Upkeep(self._store, self._worker, self._clock, self._wake)
        for chore in (
            upkeep.renew(),
            upkeep.prune(),
            upkeep.mind_parkings(self._saver, self._reread_keys),
            self._saver.run(),
        ):
            self._tasks.append(asyncio.create_task(chore))

    def _dispatch(self, pool: Pool) -> None:
        dispatcher = Dispatcher(
            pool,
            self._assembly.handlers,
            store=self._store,
            worker=self._worker,
            clock=self._clock,
            rng=self._rng,
        )
        self._dispatchers.append(dispatcher)
        self._dispatching.append(asyncio.create_task(dispatcher.run()))

    async def stop_claiming(self) -> None:
        """Take nothing new in hand; what is on its way goes on until `stop`."""
        self._is_claiming = False
        for dispatcher in self._dispatchers:
            dispatcher.stop()
        if self._night is not None:
            self._night.stop()
        await asyncio.gather(*self._dispatching)

    async def _stop_work(self) -> None:
        await self.stop_claiming()
        if self._night is not None:
            await self._night.ended(self._grace_seconds)
        self._assembly.returned += await self._worker.stop(self._grace_seconds)
        await _cancel(self._tasks)
        await self._saver.save()
        self._tasks.clear()
        self._dispatchers.clear()
        self._dispatching.clear()
        self._night = None

    def hurry(self) -> None:
        """While the engine stops: wait for no call any longer."""
        self._worker.hurry()
        if self._night is not None:
            self._night.hurry()

    def _pool_changed(self, pool: Pool) -> None:
        self._saver.note(pool)
        for dispatcher in self._dispatchers:
            if dispatcher.pool is pool:
                dispatcher.pool_changed()

    def _wake(self, *, reconsider: bool = False) -> None:
        """After what may give work to the dispatchers."""
        for dispatcher in self._dispatchers:
            dispatcher.wake(reconsider=reconsider)

    def _wake_all(self, *, reconsider: bool = False, try_again: bool = False) -> None:
        """After what a person did; `try_again` where it may have mended something."""
        self._wake(reconsider=reconsider)
        if self._night is not None:
            self._night.wake(try_again=try_again)

    # Work ---------------------------------------------------------------------------------------

    async def add(self, papers: Sequence[NewSubmission]) -> list[Added]:
        """Store papers without queueing them. A known id with a new text replaces the old one."""
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
        graded by live calls. Raises NotFoundError for an unknown grader, NoPricesError for a cap on
        a grader without prices, ConflictError where a grader that needs a rubric has none, where it
        has no batch API or the deadline leaves no time for the night, or the engine is not open.
        """
        if not self.is_open:
            raise ConflictError("the engine is not open; nothing was queued: async with engine: …")
        handler = self._assembly.handler(grader)
        cap = self._cap_of(handler, cost_cap)
        fallback = self._fallback(grader, when, deadline, run_at)
        ids = await self._ids(submissions)
        if self._assembly.needs_rubric(grader) and ids:
            rubric_id = await self._rubric_for(ids, rubric_id)
        # Only now: while the papers were stored, a new key may have come with a new pool.
        handler = self._assembly.handler(grader)
        order = SubmitOrder(
            submission_ids=ids,
            payloads=payloads,
            grader=grader,
            pool=handler.pool.name,
            kind=handler.kind,
            owner=owner,
            rubric_id=rubric_id,
            interactive=len(ids) + len(payloads) == 1 if interactive is None else interactive,
            priority=_checked_priority(priority),
            deadline=deadline,
            run_at=run_at,
            max_attempts=handler.max_attempts,
            idempotency_key=idempotency_key,
            again=again,
            cost_cap=cap,
            fallback_at=fallback,
        )
        submitted = await self._store.submit(order)
        self._wake_all(reconsider=order.interactive or priority < 5)
        return submitted

    def _cap_of(self, handler: Handler, told: float | None) -> float | None:
        """What was told, or the default where it can be held. Raises ConfigError."""
        if told is not None:
            _refuse_unpriced(handler)
            return checked_cap(told)
        return self._caps.per_batch if handler.is_priced else None

    def _fallback(
        self, grader: str, when: str, deadline: int | None, run_at: int | None
    ) -> int | None:
        """When an overnight order goes live; None for one that is live from the start."""
        if when == "now":
            return None
        if when != "overnight":
            raise ConfigError(f"when is {when!r}; choose 'now' or 'overnight'")
        if grader not in self._assembly.batched:
            raise ConflictError(
                f"the grader {grader!r} has no batch API to work through overnight; nothing was "
                "queued. Grade now (without when='overnight' or --overnight), or use a provider "
                "that has one: anthropic, openai, or another with batch_api = true"
            )
        return fallback_at(self._clock.now_ms(), run_at, deadline)

    async def _ids(self, submissions: Sequence[NewSubmission | int]) -> list[int]:
        new = [one for one in submissions if isinstance(one, NewSubmission)]
        added = iter(await self._store.add_submissions(new) if new else ())
        return [one if isinstance(one, int) else next(added).id for one in submissions]

    async def _rubric_for(self, ids: Sequence[int], rubric_id: int | None) -> int:
        if rubric_id is not None:
            await self._rubrics.get(rubric_id)
            return rubric_id
        assignments = await self._store.assignments_of(ids)
        if not assignments:
            raise NotFoundError("none of these submissions exists; nothing was queued")
        return _common_rubric(assignments)

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
            raise ConflictError(
                "this engine only takes work in (work=False); it would wait for ever"
            )
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
        if self._worker.trouble is not None and not self._worker.busy:
            raise self._worker.trouble
        backlog = await self._store.backlog()
        # Looked at last: a call that began meanwhile may be what parks its pool.
        return not self._worker.busy and all(one.is_idle or self._is_stuck(one) for one in backlog)

    def _is_stuck(self, work: Backlog) -> bool:
        """No grader here works through it, or only a person can end its parking.

        What goes through a batch API moves on, whatever the pool of the live calls does.
        """
        pool = self._assembly.pools.get(work.pool)
        if pool is None or work.overnight:
            return pool is None
        return work.processing == 0 and math.isinf(pool.reading().wait_seconds)

    # Control ------------------------------------------------------------------------------------

    async def cancel(self, batch_id: int | None = None, *, job_ids: Sequence[int] = ()) -> int:
        """Cancel a batch's open jobs, or these; how many. Answers on their way are kept."""
        count = await self._store.cancel(batch_id=batch_id, job_ids=job_ids)
        self._wake_all(reconsider=True)
        return count

    async def pause(self, batch_id: int, by: str = "someone", reason: str | None = None) -> None:
        """Claim nothing more of this batch until it is resumed."""
        await self._store.pause(batch_id, by, reason)
        self._wake_all(reconsider=True)

    async def resume(self, batch_id: int) -> None:
        """Go on with a paused batch; its pool, if parked, is tried again too."""
        batch = await self._store.batch(batch_id)
        if batch is None:
            raise NotFoundError(f"there is no batch {batch_id}")
        await self._store.resume(batch_id)
        pool = self._assembly.pools.get(batch.pool)
        if pool is not None:
            pool.resume()
        await self._store.unpark(batch.pool)
        await self._reread_keys()
        self._wake_all(try_again=True)

    async def resume_pool(self, name: str) -> Resumed:
        """Go on with a parked pool, and with the batches that gradeq paused for the same cause.

        `name` is the pool's, its provider's, or a part that means only one. Key files are read
        again, and a changed key is used. Raises NotFoundError, or ConflictError where several
        pools may be meant.
        """
        states = read_states(await self._store.pools())
        known = known_pools(states, self._assembly.pools, self._clock.now_ms())
        found = find_pool(name, known).name
        pool = self._assembly.pools.get(found)
        reason = states[found].parked_reason if pool is None else pool.parked_reason
        batch_ids = await go_on(self._store, found, pool)
        await self._reread_keys()
        return Resumed(found, reason, batch_ids, self._successor(pool))

    def _successor(self, retired: Pool | None) -> str | None:
        """The pool through which the work of a pool goes that was left just now."""
        if retired is None or retired.name in self._assembly.pools:
            return None
        providers = set(retired.setup.providers)
        pools = self._assembly.pools.values()
        return next((one.name for one in pools if providers & set(one.setup.providers)), None)

    async def _reread_keys(self) -> None:
        """Raises StoreError or ConfigError, see `Assembly.reread_keys`."""
        await self._assembly.reread_keys(self._store, self._rubrics.get)
        pools = self._assembly.pools
        for dispatcher in [one for one in self._dispatchers if one.pool.name not in pools]:
            dispatcher.stop()
            self._dispatchers.remove(dispatcher)
            self._saver.note(dispatcher.pool)
        if self._is_claiming:
            served = {dispatcher.pool.name for dispatcher in self._dispatchers}
            for name in pools.keys() - served:
                self._dispatch(pools[name])
        self._wake()

    async def set_cost_cap(self, batch_id: int, cap: float | None) -> None:
        """What the batch's calls may cost together, those made so far included; None: no cap.

        A batch that its cap has paused goes on with `resume`. Calls on their way were let in under
        the cap that held then. Raises NotFoundError, ConfigError for a cap that is not above 0,
        NoPricesError for one on a grader without prices.
        """
        checked_cap(cap)
        batch = await self._store.batch(batch_id)
        handler = self._assembly.handlers.get(batch.grader) if batch else None
        if cap is not None and handler is not None:
            _refuse_unpriced(handler)
        await self._store.set_cost_cap(batch_id, cap)
        self._wake()

    async def retry(self, batch_id: int | None = None, *, job_ids: Sequence[int] = ()) -> int:
        """Failed jobs of a batch, or these failed or cancelled ones, start anew; how many."""
        count = await self._store.retry(batch_id=batch_id, job_ids=job_ids)
        if any(one.pool not in self._assembly.pools for one in await self._store.backlog()):
            # A batch that was over when its provider got another key is open again.
            await self._assembly.move_work(self._store)
        self._wake_all()
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
        self._wake_all(reconsider=True)
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

    def about(self, grader: str) -> GraderFacts:
        """Its kind, its model, whether it works overnight. Raises NotFoundError."""
        return self._assembly.facts(grader)

    async def projected_cost(
        self, submission_ids: Sequence[int], grader: str, rubric_id: int
    ) -> float | None:
        """About what live calls for these papers will cost, going by a few of them.

        None for a grader without prices. Raises NotFoundError.
        """
        handler = self._assembly.handler(grader)
        if not handler.is_priced or not submission_ids:
            return None
        rubric = await self._rubrics.get(rubric_id)
        looked_at = await self._store.results(_sample(submission_ids))
        costs = [handler.probable_cost(row.submission, rubric) for row in looked_at]
        return sum(costs) * len(submission_ids) / max(1, len(costs))

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

    @property
    def graders(self) -> Sequence[str]:
        """The names that may be submitted to."""
        return tuple(self._assembly.names())

    def timeout_of(self, grader: str) -> float | None:
        """The seconds that one call of this grader may take; None for an unknown one."""
        return self._assembly.timeout(grader)


def _default_store(path: str | Path, clock: Clock) -> Store:
    from gradeq.store.sqlite import SqliteStore  # noqa: PLC0415 - only the store in use is loaded

    return SqliteStore(path, clock=clock)


def _common_rubric(assignments: Sequence[tuple[str, str, int | None]]) -> int:
    """One batch is graded by one rubric: a paper must not be judged by another assignment's."""
    for course, assignment, rubric_id in assignments:
        if rubric_id is None:
            raise NoRubricError(
                f"the assignment {course}/{assignment} has no rubric; nothing was "
                "queued. Give it one first (gradeq import --rubric FILE, or PUT …/rubric)"
            )
    found = {rubric_id for _, _, rubric_id in assignments if rubric_id is not None}
    if len(found) > 1:
        raise ConflictError(
            f"these papers belong to assignments with {len(found)} different rubrics; nothing was "
            "queued. Submit each assignment by itself, or name the rubric to use (rubric_id)"
        )
    return found.pop()


def _checked_priority(priority: int) -> int:
    if not 1 <= priority <= 10:
        raise ConfigError(f"priority {priority} is not between 1 (first) and 10 (last)")
    return priority


def _refuse_unpriced(handler: Handler) -> None:
    if not handler.is_priced:
        raise NoPricesError(
            f"the grader {handler.name!r} has no prices, so a cost cap could never hold it; "
            "nothing was changed. Set price_input and price_output of its provider, or leave the "
            "cap out"
        )


def _sample(ids: Sequence[int]) -> list[int]:
    """At most 20, evenly spread."""
    count = min(len(ids), 20)
    return [ids[n * len(ids) // count] for n in range(count)]


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
