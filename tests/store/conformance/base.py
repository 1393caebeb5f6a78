from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gradeq.store.base import Store

from .helpers import StoreMaker, sound


class Suite:
    @pytest.fixture
    async def store(self, make_store: StoreMaker) -> AsyncIterator[Store]:
        """An open, empty store; after the test its counters must equal a recount."""
        store = await make_store()
        yield store
        await sound(store)
