"""How each pool stands: those of this process, and others that the database knows of."""

from __future__ import annotations

from gradeq.limiter.pool import Pool
from gradeq.standing import Standing
from gradeq.store.rows import Backlog
from gradeq.web.site import Site


async def standings(site: Site) -> list[Standing]:
    """The pools of this process first, then the others of which there is something to see."""
    now_ms = site.engine.clock.now_ms()
    stored = {one.name: one for one in await Standing.stored(site.store, now_ms)}
    live = site.engine.pools
    own = [_live(pool, stored.get(name), now_ms) for name, pool in sorted(live.items())]
    return own + [one for name, one in stored.items() if name not in live and _is_of_interest(one)]


def _live(pool: Pool, stored: Standing | None, now_ms: int) -> Standing:
    backlog = Backlog(pool.name) if stored is None else stored.backlog
    return Standing(pool.name, pool.state(), backlog, pool.reading(), now_ms, is_live=True)


def _is_of_interest(one: Standing) -> bool:
    return bool(one.parked_reason is not None or one.reading or one.open_jobs)
