from __future__ import annotations

import pytest

from gradeq.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
