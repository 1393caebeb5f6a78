"""What the server asks of a dialect: how a provider reads, charges, answers and complains."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from gradeq.providers.simulated.account import Account, CacheUse, Charge, Meter, Shortage
from gradeq.providers.simulated.call import Call, Complaint, Output
from gradeq.providers.simulated.faults import Fault
from gradeq.providers.simulated.http1 import Request
from gradeq.providers.simulated.settings import DEFAULT_MODEL, SimulatorSettings


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, on both clocks: monotonic seconds, and wall milliseconds since 1970 UTC."""

    monotonic: float
    wall_ms: int


class Dialect(Protocol):
    """One provider's way of speaking. Holds no limits and counts nothing but its own ids."""

    @property
    def name(self) -> str: ...

    def authenticate(self, request: Request, settings: SimulatorSettings) -> str:
        """The API key. Raises Refused (401) without one, or with one that is not known."""
        ...

    def read(self, request: Request, settings: SimulatorSettings) -> Call:
        """What is asked for. Raises Refused (400, 404, 413) for what the provider would refuse."""
        ...

    def limits(self, settings: SimulatorSettings) -> Mapping[Meter, float | None]:
        """Per minute; `Meter.DAY` per day."""
        ...

    def charges(self, call: Call, cache: CacheUse, /) -> tuple[Charge, ...]:
        """What `call` must find in the buckets."""
        ...

    def limit_headers(self, account: Account, moment: Moment) -> bytes:
        """Header lines about the limits, each ending with CR LF."""
        ...

    def id_header(self) -> tuple[bytes, str]:
        """The header line that names a response, if one does, and the same id for its body."""
        ...

    def told_to_wait(self, seconds: float) -> float:
        """`seconds`, rounded up to what the headers can say."""
        ...

    def retry_headers(self, seconds: float) -> bytes:
        """Header lines that tell to wait `seconds`, as rounded by `told_to_wait`."""
        ...

    def body(self, call: Call, output: Output, cache: CacheUse, moment: Moment, /) -> bytes:
        """The body of a 200."""
        ...

    def models(self, settings: SimulatorSettings) -> bytes:
        """The body of GET /v1/models."""
        ...

    def shortage(self, shortage: Shortage, account: Account, model: str) -> Complaint:
        """The complaint about a limit."""
        ...

    def too_many(self, seconds: float) -> Complaint:
        """The complaint about too many calls at once."""
        ...

    def fault(self, fault: Fault, seconds: float, model: str, moment: Moment, /) -> Complaint:
        """The complaint that a failure of the plan consists in."""
        ...

    def error_body(self, complaint: Complaint, request_id: str, /) -> bytes:
        """The body of an error."""
        ...


def bearer(request: Request) -> str:
    """The key of `authorization: Bearer KEY`, or ""."""
    scheme, _, key = request.headers.get(b"authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def known_models(settings: SimulatorSettings) -> tuple[str, ...]:
    return settings.models or (DEFAULT_MODEL,)


def rfc3339(wall_ms: float) -> str:
    """Wall time in whole seconds, rounded up: a bucket is not full before it is."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(-(-wall_ms // 1000)))


def first_of_next_month(wall_ms: int) -> str:
    """YYYY-MM-DD: when a month's spend limit ends."""
    today = datetime.datetime.fromtimestamp(wall_ms / 1000, datetime.UTC).date()
    return (today.replace(day=1) + datetime.timedelta(days=32)).replace(day=1).isoformat()
