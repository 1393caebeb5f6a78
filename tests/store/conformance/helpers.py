"""Short ways to say what most store tests say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gradeq.limiter.base import Usage
from gradeq.model import CriterionGrade, Evidence, Flag, Grade, JobState, NewSubmission
from gradeq.outcome import Counter, ErrorClass
from gradeq.store.base import Store
from gradeq.store.claims import Attempt, Claimed, PaidAnswer, Settlement
from gradeq.store.orders import SubmitOrder, Submitted
from gradeq.store.rows import Badges

COURSE, ASSIGNMENT, POOL = "biology", "essay-1", "anthropic:claude"
LEASE = 60.0
KEY = "paper, rubric and model"
USAGE = Usage(input_tokens=1200, output_tokens=300, cache_read_tokens=1000)
GRADE = Grade(
    3.5,
    4.0,
    (CriterionGrade("claim", "good", 3.5, "Clear.", (Evidence("Cells", 0, 5, True),)),),
    "Well argued; say more about osmosis – “why”?",
    (Flag.CANARY,),
    "claude-1",
    confidence=0.75,
)
BETTER = Grade(4.0, 4.0, feedback="Better than the model thought.")


class StoreMaker(Protocol):
    """One database, and the processes that open it, one after the other."""

    async def __call__(self, *, pause_after: int = 5) -> Store:
        """The open store of a new process. The one before must be closed or killed."""
        ...

    async def kill(self, store: Store) -> None:
        """End the store's process as SIGKILL would: nothing is settled, nothing said goodbye."""
        ...


def paper(external_id: str, text: str | None = None, **fields: Any) -> NewSubmission:
    fields = {"course": COURSE, "assignment": ASSIGNMENT, **fields}
    return NewSubmission(external_id, text or f"Cells and osmosis, by {external_id}.", **fields)


async def add(store: Store, *external_ids: str, **fields: Any) -> list[int]:
    papers = [paper(external_id, **fields) for external_id in external_ids]
    return [one.id for one in await store.add_submissions(papers)]


async def submit(store: Store, ids: Sequence[int], **order: Any) -> Submitted:
    return await store.submit(SubmitOrder(ids, **{"pool": POOL, **order}))


async def queued(store: Store, *external_ids: str, **order: Any) -> Submitted:
    """New papers, queued together."""
    return await submit(store, await add(store, *external_ids), **order)


async def items(store: Store, count: int = 1, **order: Any) -> Submitted:
    """Jobs that have no paper."""
    payloads = [{"n": n} for n in range(count)]
    order = {"kind": "item", "grader": "item", "pool": POOL, **order}
    return await store.submit(SubmitOrder(payloads=payloads, **order))


async def claim(store: Store, limit: int = 100, pool: str = POOL) -> list[Claimed]:
    return await store.claim(pool, limit, LEASE)


async def claim_one(store: Store) -> Claimed:
    [claimed] = await claim(store, 1)
    return claimed


def attempt(error: ErrorClass | None = None, **fields: Any) -> Attempt:
    told = {"model": "claude-1", "usage": USAGE, "cost": 0.25, "http_status": 200}
    return Attempt(1, 2, error, None if error is None else f"it was {error}", **{**told, **fields})


def answer(text: str = '{"criteria": []}', key: str = KEY) -> PaidAnswer:
    return PaidAnswer(
        key, "The rubric.", "The paper.", text, "end_turn", "{raw}", "claude-1", USAGE
    )


def done(claimed: Claimed, grade: Grade | None = GRADE, **fields: Any) -> Settlement:
    return Settlement(claimed.job.id, claimed.lease, JobState.COMPLETED, grade, **fields)


def failed(claimed: Claimed, reason: str = "no such file", **fields: Any) -> Settlement:
    told = {"error": ErrorClass.REJECTED, "reason": reason, **fields}
    return Settlement(claimed.job.id, claimed.lease, JobState.FAILED, **told)


def again(claimed: Claimed, counter: Counter = Counter.NONE, **fields: Any) -> Settlement:
    """Pending again: a retry, a snooze or a return."""
    return Settlement(claimed.job.id, claimed.lease, JobState.PENDING, counter=counter, **fields)


def parked(claimed: Claimed, cause: ErrorClass = ErrorClass.BAD_KEY) -> Settlement:
    """A failure that no retry can mend."""
    reason = f"the provider says {cause}"
    return again(claimed, Counter.SNOOZE, error=cause, reason=reason, stuck_on=cause)


async def settle(store: Store, *settlements: Settlement) -> list[bool]:
    return await store.settle(settlements)


async def answered(store: Store, claimed: Claimed, text: str = "{}") -> int:
    """A paid answer is stored; its attempt's id."""
    return await store.store_answer(claimed, attempt(request_key=KEY), answer(text))


async def graded(store: Store, *external_ids: str, grade: Grade = GRADE) -> list[int]:
    """New papers that went the whole way; their ids."""
    ids = await add(store, *external_ids)
    await submit(store, ids)
    await store.settle([done(one, grade) for one in await claim(store, len(ids))])
    return ids


async def badges(store: Store) -> Badges:
    found = await store.badges(COURSE, ASSIGNMENT)
    assert found is not None
    return found


async def states(store: Store, batch_id: int) -> list[str]:
    return [str(job.state) for job in await store.jobs(batch_id=batch_id)]


async def state(store: Store, job_id: int) -> str:
    job = await store.job(job_id)
    assert job is not None
    return str(job.state)


async def status(store: Store, batch_id: int) -> str:
    batch = await store.batch(batch_id)
    assert batch is not None
    return str(batch.status)


async def current(store: Store, submission_id: int) -> Grade | None:
    """The grade that counts; fails where there are two."""
    found = [row.grade for row in await store.grades(submission_id) if row.current]
    assert len(found) <= 1
    return found[0] if found else None


async def kinds_since(store: Store, seq: int) -> list[str]:
    return [event.kind for event in await store.events(seq)]


async def sound(store: Store) -> None:
    """Everything is as it must be: integrity, references, every counter against a recount."""
    assert await store.check() == []
