"""Who works batches off: one background task for each, closed with the server."""

from __future__ import annotations

import asyncio
import hashlib
import random
from typing import Protocol

from gradeq.clock import Clock
from gradeq.providers.simulated.account import NO_CACHE
from gradeq.providers.simulated.batches.batch import Asked, Batch, Ending, Result
from gradeq.providers.simulated.call import Call, Complaint, Refused, produce
from gradeq.providers.simulated.dialect import Moment
from gradeq.providers.simulated.faults import Fault, FaultPlan
from gradeq.providers.simulated.http1 import Request
from gradeq.providers.simulated.settings import SimulatorSettings
from gradeq.providers.simulated.stats import Tally

_AT_ONCE = 20
"""Entries answered before anybody else has a turn."""
_MOST_STEPS = 100
_RETRY_SECONDS = 1.0


class House(Protocol):
    """What a batch needs of the provider around it."""

    tally: Tally

    @property
    def settings(self) -> SimulatorSettings: ...

    def moment(self) -> Moment: ...


class Works:
    """Answers the entries of batches as a live call would be answered, without its limits."""

    def __init__(self, house: House, clock: Clock, rng: random.Random) -> None:
        self._house = house
        self._clock = clock
        self._rng = rng
        self._started = clock.monotonic()
        self._at_work: dict[asyncio.Task[None], Batch] = {}

    def take(self, batch: Batch) -> None:
        """Begin to work `batch` off."""
        task = asyncio.get_running_loop().create_task(self._work(batch))
        self._at_work[task] = batch
        task.add_done_callback(self._at_work.pop)

    def hurry(self) -> None:
        """The settings have changed: look at every open batch again."""
        for batch in self._at_work.values():
            batch.changed.set()

    async def close(self) -> None:
        """Stop work, and wait until all of it is gone."""
        tasks = tuple(self._at_work)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, batch: Batch) -> None:
        while len(batch.results) < len(batch.asked):
            batch.changed.clear()
            await self._answer_those_due(batch)
            if batch.cancelled_ms is not None:
                _cancel_the_rest(batch)
            elif len(batch.results) < len(batch.asked):
                await self._clock.wait_for(batch.changed, self._pause(batch))
        batch.ended_ms = self._clock.now_ms()

    async def _answer_those_due(self, batch: Batch) -> None:
        due = batch.due(self._clock.monotonic(), self._house.settings.batch_seconds)
        while len(batch.results) < due and batch.cancelled_ms is None:
            batch.results.append(self._result(batch, batch.asked[len(batch.results)]))
            if len(batch.results) % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _pause(self, batch: Batch) -> float:
        return self._house.settings.batch_seconds / min(len(batch.asked), _MOST_STEPS)

    def _result(self, batch: Batch, asked: Asked) -> Result:
        plan = FaultPlan.parse(self._house.settings.batch_fail)
        fault = plan.draw(self._clock.monotonic() - self._started, self._rng)
        if fault is not None:
            self._house.tally.failed(fault)
        if fault is Fault.HANG:
            return Result(asked.custom_id, Ending.EXPIRED)
        request = Request(headers=dict(batch.headers), body=asked.body)
        try:
            call = batch.dialect.read(request, self._house.settings)
        except Refused as refused:
            return self._errored(batch, asked, refused.complaint)
        if fault is not None and not fault.is_admitted:
            complaint = batch.dialect.fault(fault, _RETRY_SECONDS, call.model, self._house.moment())
            return self._errored(batch, asked, complaint)
        return self._answered(batch, asked, call, fault)

    def _errored(self, batch: Batch, asked: Asked, complaint: Complaint) -> Result:
        _, request_id = batch.dialect.id_header()
        body = batch.dialect.error_body(complaint, request_id)
        return Result(asked.custom_id, Ending.ERRORED, body, complaint.status)

    def _answered(self, batch: Batch, asked: Asked, call: Call, fault: Fault | None) -> Result:
        output = produce(call, fault)
        body = batch.dialect.body(call, output, NO_CACHE, self._house.moment())
        paper = hashlib.sha256(call.paper.encode(errors="replace")).digest()
        self._house.tally.answered_in_batch(paper)
        damaged = fault is Fault.DROP_BODY
        return Result(asked.custom_id, Ending.SUCCEEDED, body, is_damaged=damaged)


def _cancel_the_rest(batch: Batch) -> None:
    rest = batch.asked[len(batch.results) :]
    batch.results.extend(Result(asked.custom_id, Ending.CANCELED) for asked in rest)
