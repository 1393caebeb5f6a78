"""What people are told of an overnight batch."""

from __future__ import annotations

from datetime import datetime

from gradeq.model import BatchMode
from gradeq.store.rows import BatchRow


def told_overnight(batch: BatchRow) -> str | None:
    """How an open batch stands with the provider's batch API; None for one that is live alone."""
    if batch.finished_at is not None:
        return None
    if batch.mode is BatchMode.OVERNIGHT:
        until = _clock(batch.fallback_at)
        return f"overnight: {_at_the_provider(batch)}, falls back to live calls at {until}"
    if batch.posted:
        return f"overnight: {_at_the_provider(batch)}, called back to go on with live calls"
    return None


def _at_the_provider(batch: BatchRow) -> str:
    if not batch.posted:
        return "not posted to the provider yet"
    if not batch.answered:
        # Anthropic counts only when all of it has ended.
        return f"{batch.posted:,} with the provider"
    return f"{batch.answered:,} of {batch.posted:,} answered"


def _clock(wall_ms: int | None) -> str:
    at = datetime.fromtimestamp((wall_ms or 0) / 1000).astimezone()
    return at.strftime("%Y-%m-%d %H:%M")
