"""Processes asked to end at random moments while papers are handed in, graded and released."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from crash_kit import Work, ended_and_finished

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process as a kill"),
]


@pytest.mark.timeout(600)
async def test_thirty_soft_stops(tmp_path: Path) -> None:
    work = Work(tmp_path, chunks=50, size=40, concurrency=20)
    await ended_and_finished(work, deaths=30, longest=0.8, latency="0.1-0.4", seed=3, soft=True)
