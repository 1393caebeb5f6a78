"""Jobs done by the application's own coroutine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from inspect import isawaitable
from typing import Any

import msgspec

from gradeq.clock import Clock
from gradeq.decision import Failed
from gradeq.grading.rubric import Rubric
from gradeq.handlers.base import Ready, Tried
from gradeq.limiter.base import Cost, Signals, Usage
from gradeq.limiter.permit import Permit
from gradeq.limiter.pool import Pool
from gradeq.model import GRADING, Grade, GradeSource, Job, Submission
from gradeq.outcome import ErrorClass, Reject, Snooze
from gradeq.store.claims import Attempt, Claimed

_NO_TOKENS = Cost(input_tokens=0, output_tokens=0)

GraderFunction = Callable[[Job], Awaitable[Grade]]
JobFunction = Callable[[Job], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class CodedHandler:
    """Calls `function` with the job; `timeout` in seconds bounds each call."""

    name: str
    kind: str
    function: JobFunction
    pool: Pool
    clock: Clock
    max_attempts: int
    timeout: float
    is_priced: bool = False
    model: str | None = None

    def probable_cost(self, paper: Submission, rubric: Rubric) -> float:  # noqa: ARG002 - as every handler
        return 0.0

    async def prepare(self, claimed: Claimed) -> Ready | Tried:
        return Ready(_NO_TOKENS, partial(self._call, claimed))

    async def _call(self, claimed: Claimed, permit: Permit) -> Tried:
        started = self.clock.now_ms()
        try:
            tried = await self._outcome(claimed.job)
        except BaseException:
            self.pool.failed(permit, keep_tokens=True)
            raise
        if tried.failed is None:
            self.pool.answered(permit, Usage(), Signals())
        else:
            self.pool.failed(permit, keep_tokens=False)
        return replace(tried, attempt=self._attempt(started, tried))

    async def _outcome(self, job: Job) -> Tried:
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                answer = self.function(job)
                if isawaitable(answer):
                    return self._checked(await answer)
            return self._refused(f"{type(answer).__name__} at once: write it as async def")
        except asyncio.CancelledError:
            if _is_being_stopped():
                raise
            why = f"the grader {self.name!r} waited for a task that was cancelled"
            return Tried(failed=Failed(ErrorClass.CRASHED, why))
        except Exception as error:
            return Tried(failed=self._failed(error, is_late=limit.expired()))

    def _failed(self, error: Exception, *, is_late: bool) -> Failed:
        if isinstance(error, Snooze):
            return Failed(ErrorClass.SNOOZED, str(error), asked=error.seconds)
        if isinstance(error, Reject):
            return Failed(ErrorClass.REJECTED, error.why)
        if is_late:
            why = f"the grader {self.name!r} did not answer within {self.timeout:g} s"
            return Failed(ErrorClass.TIMEOUT, why)
        why = f"the grader {self.name!r} raised {type(error).__name__}: {error}"
        return Failed(ErrorClass.CRASHED, why[:500])

    def _checked(self, answer: Any) -> Tried:
        if self.kind == GRADING and not isinstance(answer, Grade):
            return self._refused(f"{type(answer).__name__}, not a gradeq.Grade")
        fault = _why_not_stored(answer)
        if fault is not None:
            return self._refused(f"what cannot be stored: {fault}")
        if self.kind != GRADING:
            return Tried(result=answer)
        source = GradeSource.CODE if answer.model is None else GradeSource.MODEL
        return Tried(grade=replace(answer, source=source))

    def _refused(self, returned: str) -> Tried:
        told = f"the grader {self.name!r} returned {returned}"
        return Tried(failed=Failed(ErrorClass.REJECTED, told[:500]))

    def _attempt(self, started: int, tried: Tried) -> Attempt:
        failed = tried.failed
        return Attempt(
            started,
            self.clock.now_ms(),
            error=None if failed is None else failed.error,
            reason=None if failed is None else failed.reason,
        )


def _is_being_stopped() -> bool:
    """Whether the engine cancels this job, and not somebody a task that its grader waits for."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _why_not_stored(answer: Any) -> str | None:
    """What stands against keeping an answer as JSON, before it meets a transaction of many."""
    try:
        plain = _plain(answer) if isinstance(answer, Grade) else answer
        json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def _plain(grade: Grade) -> Any:
    """Raises ValueError or TypeError, with the path, where a field holds what it must not."""
    plain = msgspec.to_builtins(grade)
    msgspec.convert(plain, Grade)
    if grade.max_score < 0:
        raise ValueError(f"a maximum of {grade.max_score:g} points")
    if grade.confidence is not None and not 0 <= grade.confidence <= 1:
        raise ValueError(f"a confidence of {grade.confidence:g}, which is not from 0 to 1")
    return plain
