"""Several people with a browser each, who look at a page for a moment before they open another."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from bench.pages.visits import EVENTS, Address
from bench.pages.weight import fetch

Connect = Callable[[], http.client.HTTPConnection]
Seconds = Mapping[str, Sequence[float]]


def watched(
    connect: Connect,
    pages: Mapping[str, Address],
    *,
    clients: int,
    requests: int,
    pause_seconds: float,
) -> Seconds:
    """How long each page took, by its name: `requests` times each, in a mixed order.

    `clients` ask at the same time; between two pages each rests `pause_seconds` on average. Each
    also listens to the events of the large assignment, as its page does. Raises AssertionError for
    an answer other than 200.
    """
    visits = [(name, address(n)) for name, address in pages.items() for n in range(requests)]
    random.Random(1).shuffle(visits)
    run = _Run(connect, visits, pause_seconds)
    threads = [threading.Thread(target=run.visit, args=(n,)) for n in range(clients)]
    listeners = [threading.Thread(target=run.listen, daemon=True) for _ in range(clients)]
    for one in (*listeners, *threads):
        one.start()
    for one in threads:
        one.join()
    run.is_over.set()
    assert not run.complaints, run.complaints[0]
    return run.seconds


class _Run:
    def __init__(
        self, connect: Connect, visits: list[tuple[str, str]], pause_seconds: float
    ) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.complaints: list[str] = []
        self.is_over = threading.Event()
        self._connect = connect
        self._visits = visits
        self._pause = pause_seconds
        self._lock = threading.Lock()

    def visit(self, client: int) -> None:
        """Take pages from what is left to visit, until nothing is."""
        rng = random.Random(client)
        connection = self._connect()
        try:
            while (chosen := self._next()) is not None:
                time.sleep(rng.uniform(0, 2 * self._pause))
                self._open(connection, *chosen)
        except Exception as error:
            self.complaints.append(repr(error))
        finally:
            connection.close()

    def _next(self) -> tuple[str, str] | None:
        with self._lock:
            return self._visits.pop() if self._visits and not self.complaints else None

    def _open(self, connection: http.client.HTTPConnection, name: str, path: str) -> None:
        began = time.perf_counter()
        answer = fetch(connection, path)
        took = time.perf_counter() - began
        assert answer.status == 200, f"{path}: {answer.status}"
        with self._lock:
            self.seconds[name].append(took)

    def listen(self) -> None:
        """Hold the stream of events open and read it, as every page does."""
        connection = self._connect()
        connection.request("GET", EVENTS)
        answer = connection.getresponse()
        while not self.is_over.is_set() and answer.readline():
            pass
        connection.close()
