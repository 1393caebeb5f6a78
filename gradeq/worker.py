"""The work on claimed jobs: run each to an outcome, settle it, share the transactions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from gradeq.clock import Clock
from gradeq.decision import Failed, decide
from gradeq.errors import StoreError
from gradeq.handlers.base import Ready, Tried
from gradeq.limiter.permit import Permit
from gradeq.model import JobState
from gradeq.outcome import ErrorClass
from gradeq.store.base import Work
from gradeq.store.claims import Claimed, Settlement
from gradeq.tempo import Tempo

log = logging.getLogger("gradeq")
LEASE_SECONDS = 60.0
"""How long a claimed job is ours without a renewal; a third of it passes between two."""
_SAVING_TRIES = 8
_LONGEST_SAVING_WAIT = 5.0


@dataclass(slots=True)
class _Waiting:
    settlement: Settlement
    applied: asyncio.Future[bool]


class Settler:
    """Gathers outcomes while a commit is on its way; they are settled together by the next one."""

    def __init__(self, store: Work) -> None:
        self._store = store
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def settle(self, settlement: Settlement) -> bool:
        """False where the lease was gone. Raises StoreError where the store cannot write."""
        waiting = _Waiting(settlement, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await asyncio.shield(waiting.applied)

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                together, self._waiting = self._waiting, []
                await self._write(together)
        finally:
            self._writing = None

    async def _write(self, together: list[_Waiting]) -> None:
        try:
            applied = await self._store.settle([one.settlement for one in together])
        except Exception as error:
            if isinstance(error, StoreError) or len(together) == 1:
                _fail(together, error)
            else:
                # One of them cannot be written at all; it must not hold up the others.
                for one in together:
                    await self._write([one])
        else:
            for one, is_applied in zip(together, applied, strict=True):
                one.applied.set_result(is_applied)


def _fail(together: Iterable[_Waiting], error: Exception) -> None:
    for one in together:
        one.applied.set_exception(error)
        one.applied.exception()


class Worker:
    """Runs jobs that have their permit. `trouble` is why results cannot be saved, or None; `tempo`
    counts what ends.
    """

    def __init__(self, store: Work, clock: Clock, rng: Random) -> None:
        self.trouble: StoreError | None = None
        self.tempo = Tempo(clock)
        self._settler = Settler(store)
        self._clock = clock
        self._rng = rng
        self._hurry = asyncio.Event()
        self._held: dict[int, Claimed] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        return bool(self._tasks)

    def leases(self) -> list[tuple[int, str]]:
        """What to renew: every job in hand."""
        return [(claimed.job.id, claimed.lease) for claimed in self._held.values()]

    def hold(self, claimed: Claimed) -> None:
        """A claimed job is in hand from now on."""
        self._held[claimed.job.id] = claimed

    def let_go(self, claims: Iterable[Claimed]) -> None:
        """Not in hand any more: a provider's batch holds them now."""
        for claimed in claims:
            self._held.pop(claimed.job.id, None)

    def start(self, claimed: Claimed, ready: Ready, permit: Permit) -> asyncio.Task[None]:
        return self._spawn(self._run_one(claimed, ready, permit))

    def finish(self, claimed: Claimed, tried: Tried) -> asyncio.Task[None]:
        """Settle a job that needed no call."""
        return self._spawn(self._settle(claimed, tried))

    async def give_back(self, claims: Iterable[Claimed]) -> None:
        """Pending again, uncounted: nothing was tried."""
        returned = [
            self._save(claimed, Settlement(claimed.job.id, claimed.lease, JobState.PENDING))
            for claimed in claims
        ]
        await asyncio.gather(*returned)

    async def stop(self, grace_seconds: float) -> int:
        """Let calls finish for `grace_seconds`, then return the rest uncounted; how many."""
        await self._wind_down(grace_seconds)
        left = list(self._held.values())
        await self.give_back(left)
        self._hurry.clear()
        return len(left)

    async def _wind_down(self, grace_seconds: float) -> None:
        finishing = asyncio.gather(*self._tasks, return_exceptions=True)
        hurried = asyncio.create_task(self._hurry.wait())
        await asyncio.wait(
            (finishing, hurried), timeout=grace_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        hurried.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, hurried, return_exceptions=True)

    def hurry(self) -> None:
        """Cut the grace of `stop` short."""
        self._hurry.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run_one(self, claimed: Claimed, ready: Ready, permit: Permit) -> None:
        began = self._clock.monotonic()
        settlement = self._settlement(claimed, await self._tried(claimed, ready, permit))
        await self._save(claimed, settlement)
        if settlement.state is not JobState.PENDING:
            self.tempo.note(claimed.job.batch_id, began)

    async def _tried(self, claimed: Claimed, ready: Ready, permit: Permit) -> Tried:
        try:
            return await ready.call(permit)
        except StoreError as error:
            log.error("job %d: %s", claimed.job.id, error)
            return Tried(failed=Failed(ErrorClass.CRASHED, f"its answer was not saved: {error}"))
        except Exception as error:
            log.exception("job %d: gradeq itself failed", claimed.job.id)
            why = f"gradeq itself failed: {type(error).__name__}: {error}"
            return Tried(failed=Failed(ErrorClass.CRASHED, why[:500]))

    async def _settle(self, claimed: Claimed, tried: Tried) -> None:
        await self._save(claimed, self._settlement(claimed, tried))

    def _settlement(self, claimed: Claimed, tried: Tried) -> Settlement:
        if tried.failed is None:
            return Settlement(
                claimed.job.id,
                claimed.lease,
                JobState.COMPLETED,
                grade=tried.grade,
                result=tried.result,
                attempt=tried.attempt,
                attempt_id=tried.attempt_id,
                request_key=tried.request_key,
            )
        now = self._clock.now_ms()
        decision = decide(tried.failed, claimed.counters, now, self._rng)
        return Settlement(
            claimed.job.id,
            claimed.lease,
            decision.state,
            counter=decision.counter,
            run_at=now + round(decision.delay * 1000) if decision.delay else None,
            error=tried.failed.error,
            reason=decision.reason,
            attempt=tried.attempt,
            attempt_id=tried.attempt_id,
            stuck_on=decision.stuck_on,
        )

    async def _save(self, claimed: Claimed, settlement: Settlement) -> None:
        """Try until it is on disk; a disk that stays full ends the engine, with the reason."""
        for tries in range(1, _SAVING_TRIES + 1):
            try:
                await self._settler.settle(settlement)
                self.trouble = None
                break
            except StoreError as error:
                self.trouble = error
                log.error("job %d: its outcome is not saved yet: %s", claimed.job.id, error)
                if tries < _SAVING_TRIES:
                    await self._clock.sleep(min(_LONGEST_SAVING_WAIT, 0.1 * 2**tries))
            except Exception as error:
                log.exception("job %d: its outcome cannot be written", claimed.job.id)
                settlement = _unwritable(settlement, error)
        self._held.pop(claimed.job.id, None)


def _unwritable(settlement: Settlement, error: Exception) -> Settlement:
    """The job fails for good instead: the same outcome would be as unwritable the next time."""
    return Settlement(
        settlement.job_id,
        settlement.lease,
        JobState.FAILED,
        error=ErrorClass.REJECTED,
        reason=f"its result cannot be stored: {type(error).__name__}: {error}"[:500],
        attempt_id=settlement.attempt_id,
    )
