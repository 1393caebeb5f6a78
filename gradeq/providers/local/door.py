"""The server's side of the door: who uses the model, and when the last one has gone.

Each user keeps one connection on loopback open as long as it wants the model: the system closes it
when a process ends, however it ends. Lines of JSON go over it. A user begins with the token; it
hears `{"url": …}` once the model is loaded, or `{"failed": …}`; where it says `bye`, it hears
`{"others": n}` and is gone.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import threading
import time
from typing import Any

NOBODY_CAME_SECONDS = 20.0
"""So long a server waits for its first user."""

_LONGEST_LINE = 4096


class Door(threading.Thread):
    """Ends when the last user has gone, or when nobody came."""

    def __init__(self, token: str) -> None:
        super().__init__(daemon=True)
        self._token = token
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._news: bytes | None = None
        self._users: set[socket.socket] = set()
        self._received: dict[socket.socket, bytes] = {}
        self._was_used = False

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    def tell(self, **news: Any) -> None:
        """What every user hears, those who come later too."""
        line = json.dumps(news).encode() + b"\n"
        with self._lock:
            self._news = line
            for user in self._users:
                _send(user, line)

    def run(self) -> None:
        with self._listening, self._selector:
            self._keep()
            for visitor in tuple(self._received):
                self._see_off(visitor)

    def _keep(self) -> None:
        self._selector.register(self._listening, selectors.EVENT_READ)
        closes_at = time.monotonic() + NOBODY_CAME_SECONDS
        while self._users or not self._was_used:
            ready = self._selector.select(None if self._users else closes_at - time.monotonic())
            if not ready and not self._users and time.monotonic() >= closes_at:
                return
            for key, _ in ready:
                self._attend(key.fileobj)

    def _attend(self, visitor: Any) -> None:
        if visitor is self._listening:
            with contextlib.suppress(OSError):
                self._let_in(self._listening.accept()[0])
        else:
            self._hear(visitor)

    def _let_in(self, visitor: socket.socket) -> None:
        visitor.settimeout(1.0)
        self._received[visitor] = b""
        self._selector.register(visitor, selectors.EVENT_READ)

    def _hear(self, visitor: socket.socket) -> None:
        try:
            heard = visitor.recv(_LONGEST_LINE)
        except OSError:
            heard = b""
        *lines, rest = (self._received[visitor] + heard).split(b"\n")
        self._received[visitor] = rest
        if not heard or len(rest) > _LONGEST_LINE or not all(self._obeys(visitor, lines)):
            self._see_off(visitor)

    def _obeys(self, visitor: socket.socket, lines: list[bytes]) -> list[bool]:
        """For each line whether the visitor may stay."""
        return [self._answer(visitor, line.decode("utf-8", "replace")) for line in lines]

    def _answer(self, visitor: socket.socket, line: str) -> bool:
        if visitor in self._users:
            others = len(self._users) - 1
            _send(visitor, json.dumps({"others": others}).encode() + b"\n")
            return False
        if line != self._token:
            return False
        with self._lock:
            self._users.add(visitor)
            self._was_used = True
            if self._news is not None:
                _send(visitor, self._news)
        return True

    def _see_off(self, visitor: socket.socket) -> None:
        self._selector.unregister(visitor)
        del self._received[visitor]
        with self._lock:
            self._users.discard(visitor)
        visitor.close()


def _send(user: socket.socket, line: bytes) -> None:
    """A user that does not read is as good as gone; its connection tells when it is."""
    with contextlib.suppress(OSError):
        user.sendall(line)
