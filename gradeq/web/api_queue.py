"""How the whole stands: pools, totals, health."""

from __future__ import annotations

import logging
from dataclasses import asdict, fields

from msgspec import structs

from gradeq.days import day_of
from gradeq.limiter.pool import Pool
from gradeq.limiter.reading import finite
from gradeq.store.rows import Backlog, Badges
from gradeq.web.answers import (
    told,
)
from gradeq.web.answers_work import (
    DayAnswer,
    Health,
    LevelReading,
    MinuteAnswer,
    PoolAnswer,
    PoolResumed,
    QueueAnswer,
    StatsAnswer,
)
from gradeq.web.bodies import By, Name
from gradeq.web.problems import Problem
from gradeq.web.site import Site

log = logging.getLogger("gradeq")


async def queue(site: Site) -> QueueAnswer:
    """What limits each pool now, what it did in the last minute, and what waits for it."""
    backlogs = {one.pool: one for one in await site.store.backlog()}
    pools = site.engine.pools
    return QueueAnswer(
        pools=[
            _pool(pool, backlogs.get(name, Backlog(name))) for name, pool in sorted(pools.items())
        ],
        running=sum(one.processing for one in backlogs.values()),
        strays=[one for name, one in sorted(backlogs.items()) if name not in pools],
        today=await _today(site),
    )


async def _today(site: Site) -> DayAnswer:
    engine = site.engine
    row = await site.store.day(day_of(engine.clock.now_ms()))
    answer = told(DayAnswer, row)
    return structs.replace(answer, currency=engine.currency, cost_cap=engine.caps.per_day)


def _pool(pool: Pool, backlog: Backlog) -> PoolAnswer:
    reading = pool.reading()
    return PoolAnswer(
        name=pool.name,
        providers=pool.setup.providers,
        limited_by=reading.limited_by.value,
        text=reading.text,
        in_flight=reading.in_flight,
        room=reading.room,
        concurrency=reading.concurrency,
        is_auto=reading.is_auto,
        concurrency_needed=reading.concurrency_needed,
        wait_seconds=finite(reading.wait_seconds),
        eta_seconds=reading.eta_seconds(backlog.moving),
        parked_reason=reading.parked_reason,
        refused_last_hour=reading.refused_last_hour,
        refused_total=reading.refused_total,
        requests_total=reading.requests_total,
        levels=[told(LevelReading, gauge) for gauge in reading.levels],
        last_minute=told(MinuteAnswer, reading.last_minute),
        backlog=backlog,
    )


async def resume(site: Site, pool: Name, body: By) -> PoolResumed:
    """Go on with a parked pool, and with the batches that gradeq paused for the same cause. `pool`
    is its name, its provider's, or a part that means only one. A key file is read again.
    """
    resumed = await site.engine.resume_pool(pool)
    log.info("pool %s resumed by %s", resumed.pool, body.by)
    return told(PoolResumed, resumed)


async def stats(site: Site) -> StatsAnswer:
    """Totals: papers by status, jobs, calls, tokens and cost of all batches there ever were."""
    rows = await site.store.assignments()
    return StatsAnswer(
        courses=len({course for course, _, _ in rows}),
        assignments=len(rows),
        submissions=_summed([badges for _, _, badges in rows]),
        work=await site.store.totals(),
        today=await _today(site),
        events=await site.store.last_event(),
    )


def _summed(badges: list[Badges]) -> Badges:
    counts = [asdict(one) for one in badges]
    return Badges(**{one.name: sum(c[one.name] for c in counts) for one in fields(Badges)})


async def healthz(site: Site) -> Health:  # noqa: ARG001 - as every endpoint
    """The process lives and answers. Open to everybody."""
    return Health("ok")


async def readyz(site: Site) -> Health:
    """The store can be read and results can be saved; 503 with the reason where not."""
    trouble = site.engine.trouble
    if trouble is not None:
        raise Problem(503, "not_ready", str(trouble), headers={"Retry-After": "5"})
    if not site.engine.is_open or site.feed.is_over:
        raise Problem(503, "not_ready", "gradeq is starting or stopping")
    await site.store.last_event()
    return Health("ready")
