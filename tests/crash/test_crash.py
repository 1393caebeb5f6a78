"""Processes killed at random moments while papers are handed in, graded, edited and released."""

from __future__ import annotations

from pathlib import Path

import pytest
from crash_kit import Work, ended_and_finished

pytestmark = pytest.mark.slow


@pytest.mark.timeout(600)
async def test_fifty_kills(tmp_path: Path) -> None:
    work = Work(tmp_path, chunks=75, size=40, concurrency=20)
    await ended_and_finished(work, deaths=50, longest=1.0, latency="0.1-0.4", seed=2)
    assert len(work.acknowledged("edit")) > 100
    assert len(work.acknowledged("release")) > 100
