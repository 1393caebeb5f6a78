from __future__ import annotations

from typing import Any

import pytest
from engine_kit import Desk, with_desk

from gradeq import Engine


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def engine(tmp_path: Any, desk: Desk) -> Engine:
    return with_desk(tmp_path, desk)
