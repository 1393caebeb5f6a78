"""What a page weighs over the wire: its answer and every file that it names, as they are sent."""

from __future__ import annotations

import gzip
import http.client
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

MOST_BYTES = 100_000
"""Of a first visit."""
_HEADERS = {"Accept-Encoding": "gzip", "Accept": "text/html"}


@dataclass(frozen=True, slots=True)
class Weight:
    """In bytes, headers included. A second visit asks for the page alone."""

    page: int
    files: int

    @property
    def first_visit(self) -> int:
        return self.page + self.files


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer as it came over the wire."""

    status: int
    wire_bytes: int
    body: bytes
    may_be_kept: bool


class _Named(HTMLParser):
    """The files that a browser fetches for a page without being asked."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        address = told.get("href") if tag == "link" else told.get("src")
        if address:
            self.addresses.append(address)


def fetch(connection: http.client.HTTPConnection, path: str) -> Fetched:
    """GET over a connection that stays open, with the answer read to its end."""
    connection.request("GET", path, headers=_HEADERS)
    answer = connection.getresponse()
    raw = answer.read()
    head = f"HTTP/1.1 {answer.status} {answer.reason}\r\n\r\n"
    head_bytes = len(head) + sum(len(name) + len(value) + 4 for name, value in answer.getheaders())
    is_packed = answer.getheader("Content-Encoding") == "gzip"
    kept = "immutable" in (answer.getheader("Cache-Control") or "")
    body = gzip.decompress(raw) if is_packed else raw
    return Fetched(answer.status, head_bytes + len(raw), body, kept)


def files_of(page: bytes) -> Iterator[str]:
    """Each once, in the order in which the page names them."""
    named = _Named()
    named.feed(page.decode("utf-8"))
    return iter(dict.fromkeys(named.addresses))


class Scales:
    """Weighs pages. A file that several of them name is fetched once and counts for each.

    Raises AssertionError for an answer that is no page, or a file that must be sent again.
    """

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._files: dict[str, int] = {}

    def weigh(self, path: str) -> Weight:
        page = fetch(self._connection, path)
        assert page.status == 200, f"{path}: {page.status}"
        return Weight(page.wire_bytes, sum(map(self._file, files_of(page.body))))

    def _file(self, address: str) -> int:
        if address not in self._files:
            file = fetch(self._connection, address)
            assert file.status == 200, f"{address}: {file.status}"
            assert file.may_be_kept, f"{address} would be fetched at every visit"
            self._files[address] = file.wire_bytes
        return self._files[address]
