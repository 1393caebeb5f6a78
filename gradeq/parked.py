"""Pools that stand still: which they are, and how they go on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gradeq.limiter.names import KnownPool
from gradeq.limiter.pool import Pool
from gradeq.limiter.state import PoolState
from gradeq.store.base import Store

log = logging.getLogger("gradeq")


@dataclass(frozen=True, slots=True)
class Resumed:
    """What came of resuming `pool`.

    `reason` is why it stood still, None where it did not. `batch_ids` are the batches that
    gradeq had paused and that go on with it. `moved_to` is the pool that its work goes through
    now, where the provider's key file held another key.
    """

    pool: str
    reason: str | None = None
    batch_ids: tuple[int, ...] = ()
    moved_to: str | None = None
    gate_opened: bool = False
    """True where the provider had asked to wait longer, parked or not."""


def read_states(stored: Mapping[str, Mapping[str, Any]]) -> dict[str, PoolState]:
    """A state that cannot be read is left out: its pool starts as one that was never used."""
    states = {}
    for name, state in stored.items():
        try:
            states[name] = PoolState.from_dict(state)
        except ValueError as error:
            log.warning("pool %s: its stored state cannot be read: %s", name, error)
    return states


def known_pools(
    states: Mapping[str, PoolState], live: Mapping[str, Pool], now_ms: int
) -> list[KnownPool]:
    """Everything that can be resumed by name: the pools of this process, then stored ones."""
    known = [
        KnownPool(pool.name, pool.setup.providers, pool.parked_reason is not None, is_live=True)
        for pool in live.values()
    ]
    return known + [
        KnownPool(name, state.providers, state.is_parked(now_ms))
        for name, state in states.items()
        if name not in live
    ]


async def go_on(store: Store, name: str, pool: Pool | None = None) -> tuple[int, ...]:
    """End a parking, here and in the store, and the pauses that gradeq made for the same cause;
    the ids of those batches.
    """
    if pool is not None:
        pool.resume()
    await store.unpark(name)
    return tuple(await store.resume_stuck(name))
