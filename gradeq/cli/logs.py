"""What the engine logs while somebody looks at a progress bar."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def each_message_once() -> Iterator[None]:
    """One trouble that hits a hundred papers is told once; what nobody expected, always.

    Of parked pools the bar and the last lines tell.
    """
    logger, pools = logging.getLogger("gradeq"), logging.getLogger("gradeq.pools")
    once = _Once()
    logger.addFilter(once)
    pools.disabled = True
    try:
        yield
    finally:
        logger.removeFilter(once)
        pools.disabled = False


class _Once(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._told: set[tuple[str, str]] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            return True
        cause = str(record.args[-1]) if isinstance(record.args, tuple) and record.args else ""
        if (record.msg, cause) in self._told:
            return False
        self._told.add((record.msg, cause))
        return True
