"""Jobs graded by a model: prompt, call, paid answer stored, reply read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from gradeq.clock import Clock
from gradeq.decision import Failed
from gradeq.grading.prepared import Decided, Prepared, Unusable
from gradeq.grading.rubric import Rubric
from gradeq.handlers.base import Ready, Tried
from gradeq.handlers.purse import NoMoney, Paid, Purse
from gradeq.limiter.base import Signals, Usage
from gradeq.limiter.permit import Permit
from gradeq.limiter.pool import Pool
from gradeq.model import GRADING, Grade, Job, Submission
from gradeq.outcome import CONSEQUENCES, MAX_ATTEMPTS, ErrorClass, PoolEffect
from gradeq.providers.base import Answer, Failure, Prompt, Provider
from gradeq.store.base import Store
from gradeq.store.claims import Attempt, Claimed, PaidAnswer


class Grader(Protocol):
    """Knows what to ask about a paper, and what to make of the answer. Makes no call."""

    def prepare(self, job: Job, rubric: Rubric) -> Prepared | Decided: ...

    def read(self, answer: Answer, prepared: Prepared) -> Grade | Unusable: ...


@dataclass(frozen=True, slots=True)
class ModelHandler:
    """Grades papers through `provider`. `marks` are flags that every one of its grades carries."""

    name: str
    provider: Provider
    grader: Grader
    pool: Pool
    store: Store
    clock: Clock
    rubric: Callable[[int], Awaitable[Rubric]]
    purse: Purse
    marks: tuple[str, ...] = ()
    kind: str = GRADING
    max_attempts: int = MAX_ATTEMPTS

    @property
    def is_priced(self) -> bool:
        return self.provider.is_priced

    @property
    def model(self) -> str:
        return self.provider.model

    def probable_cost(self, paper: Submission, rubric: Rubric) -> float:
        prepared = self.grader.prepare(Job(0, 0, self.kind, self.name, 1, paper), rubric)
        if isinstance(prepared, Decided):
            return 0.0
        guess = self.provider.estimate(prepared.prompt)
        return self.provider.price(Usage(guess.input_tokens, guess.output_tokens))

    async def prepare(self, claimed: Claimed) -> Ready | Tried:
        prepared = await self.question(claimed)
        if isinstance(prepared, Tried):
            return prepared
        estimated = self.provider.estimate(prepared.prompt)
        cost = replace(estimated, like=f"rubric {claimed.job.rubric_id}")
        return Ready(cost, partial(self._ask, claimed, prepared))

    async def question(self, claimed: Claimed) -> Prepared | Tried:
        """What to ask; a Tried where it is decided without a call, or answered and paid for."""
        prepared = await self.prepared(claimed)
        if isinstance(prepared, Prepared) and claimed.has_unapplied_answer:
            assert claimed.job.submission is not None
            key = prepared.request_key
            paid = await self.store.unapplied_answer(claimed.job.submission.id, key)
            if paid is not None:
                return self.read(paid, prepared)
        return prepared

    async def prepared(self, claimed: Claimed) -> Prepared | Tried:
        """What would be asked, and all that is needed to read the answer."""
        job = claimed.job
        if job.submission is None or job.rubric_id is None:
            return _rejected("this job has no paper or no rubric to grade by")
        prepared = self.grader.prepare(job, await self.rubric(job.rubric_id))
        if isinstance(prepared, Decided):
            return _rejected(prepared.reason)
        is_roomier = claimed.counters.unusable > 0
        return replace(prepared, prompt=_roomier(prepared.prompt)) if is_roomier else prepared

    async def _ask(self, claimed: Claimed, prepared: Prepared, permit: Permit) -> Tried:
        bought = await self._bought(claimed, prepared.prompt, permit)
        if isinstance(bought, NoMoney):
            return Tried(failed=Failed(ErrorClass.COST_CAP, bought.reason))
        held, prepared = bought.held, replace(prepared, prompt=bought.prompt)
        started = self.clock.now_ms() if held is None else held.at
        try:
            came = await self.provider.complete(prepared.prompt)
        except BaseException:
            self.pool.failed(permit, keep_tokens=True)
            raise
        if isinstance(came, Failure):
            tell_pool(self.pool, permit, came)
            uncertain_cost = self.purse.may_have_cost(came, prepared.prompt, held)
            return self._failed(came, started, uncertain_cost)
        self.pool.answered(permit, came.usage, came.signals)
        paid = _paid(came, prepared)
        attempt = self._answered(came, started, prepared.request_key)
        attempt_id = await self.store.store_answer(claimed, attempt, paid)
        return self.read(replace(paid, attempt_id=attempt_id), prepared)

    async def _bought(self, claimed: Claimed, prompt: Prompt, permit: Permit) -> Paid | NoMoney:
        """Money for the call; without it the permit is given back."""
        bought: Paid | NoMoney = NoMoney("")
        try:
            bought = await self.purse.reserve(claimed, prompt)
        finally:
            if isinstance(bought, NoMoney):
                self.pool.release(permit)
        return bought

    def read(self, paid: PaidAnswer, prepared: Prepared) -> Tried:
        """The grade in an answer that is stored, or why there is none."""
        read = self.grader.read(_answer(paid), prepared)
        if isinstance(read, Unusable):
            return Tried(failed=Failed(read.error, read.reason), attempt_id=paid.attempt_id)
        flags = tuple(dict.fromkeys((*read.flags, *self.marks)))
        # The model as configured: what came with the answer stays with the attempt.
        grade = replace(read, flags=flags, model=self.provider.model)
        return Tried(grade=grade, attempt_id=paid.attempt_id, request_key=paid.request_key)

    def _answered(self, answer: Answer, started: int, request_key: str) -> Attempt:
        return Attempt(
            started,
            self.clock.now_ms(),
            model=answer.model,
            request_id=answer.request_id,
            http_status=200,
            usage=answer.usage,
            cost=self.provider.price(answer.usage),
            request_key=request_key,
        )

    def _failed(self, failure: Failure, started: int, uncertain_cost: float) -> Tried:
        attempt = Attempt(
            started,
            self.clock.now_ms(),
            error=failure.error,
            reason=failure.reason,
            model=self.provider.model,
            request_id=failure.request_id,
            http_status=failure.status,
            uncertain_cost=uncertain_cost,
        )
        passes = failure.parked_until_ms is not None
        return Tried(failed=Failed(failure.error, failure.reason, passes=passes), attempt=attempt)


def tell_pool(pool: Pool, permit: Permit, failure: Failure) -> None:
    """End the permit by the failure's row of the table."""
    match CONSEQUENCES[failure.error].pool:
        case PoolEffect.GATE if failure.error is ErrorClass.LOADING:
            pool.loading(permit, failure.signals)
        case PoolEffect.GATE:
            pool.refused(permit, failure.signals)
        case PoolEffect.GATE_AND_HALVE:
            pool.refused(permit, failure.signals, slow_down=True)
        case PoolEffect.BREAKER:
            pool.overloaded(permit, failure.signals)
        case PoolEffect.PARK:
            pool.unmendable(
                permit, failure.reason, failure.parked_until_ms, cause=failure.error.value
            )
        case effect:
            # After a timeout or in mid-answer the provider may have done, and charged, the work.
            lost = failure.error in (ErrorClass.TIMEOUT, ErrorClass.CONNECTION_LOST)
            server_error = effect is PoolEffect.BREAKER_IF_HALF
            pool.failed(permit, keep_tokens=lost, server_error=server_error)


def _rejected(reason: str) -> Tried:
    return Tried(failed=Failed(ErrorClass.REJECTED, reason))


def _roomier(prompt: Prompt) -> Prompt:
    """Twice the room for the answer: the last one may have been cut."""
    return replace(prompt, max_output_tokens=2 * prompt.max_output_tokens)


def _paid(answer: Answer, prepared: Prepared) -> PaidAnswer:
    return PaidAnswer(
        request_key=prepared.request_key,
        prefix=prepared.prompt.system,
        sent=prepared.prompt.user,
        text=answer.text,
        stop=answer.stop,
        raw=answer.raw,
        model=answer.model,
        usage=answer.usage,
    )


def _answer(paid: PaidAnswer) -> Answer:
    return Answer(paid.text, paid.raw, paid.model, paid.usage, paid.stop, signals=Signals())
