"""What happens to a request: who asks, what fails, whether the limits let it in, what it gets."""

from __future__ import annotations

import email.utils
import hashlib
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gradeq.clock import Clock
from gradeq.providers.parking import midnight_pacific
from gradeq.providers.simulated.account import Account, CacheUse, Meter
from gradeq.providers.simulated.answers import Marker
from gradeq.providers.simulated.anthropic import Anthropic
from gradeq.providers.simulated.batches.desk import PATHS as BATCH_PATHS
from gradeq.providers.simulated.batches.desk import BatchDesk
from gradeq.providers.simulated.buckets import TokenBucket
from gradeq.providers.simulated.call import Call, Complaint, Output, Refused, produce
from gradeq.providers.simulated.dialect import Dialect, Moment
from gradeq.providers.simulated.faults import Fault, FaultPlan
from gradeq.providers.simulated.gemini import GENERATE, Gemini
from gradeq.providers.simulated.http1 import Reply, Request, response
from gradeq.providers.simulated.latency import Latency
from gradeq.providers.simulated.openai import OpenAI
from gradeq.providers.simulated.settings import SimulatorSettings
from gradeq.providers.simulated.stats import Standing, Tally

_CLOSE = b""
"""No bytes at all: the connection is closed without a response."""
_LOADING = response(
    503, b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}'
)
_GATEWAY_PAGE = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>"
)
_GATEWAY_TEXT = b"upstream connect error or disconnect/reset before headers. reset reason: overflow"


class Service:
    """The provider without its sockets."""

    def __init__(self, settings: SimulatorSettings, clock: Clock, rng: random.Random) -> None:
        marker = Marker(settings.seed, glances=settings.glance)
        self.tally = Tally()
        self._clock = clock
        self._rng = rng
        # A stream of its own, so that waiting times do not shift which calls fail.
        self._latency_rng = random.Random(rng.random())  # noqa: S311 - made-up times, not secrets
        self._started = clock.monotonic()
        self._date = (-1, b"")
        self._anthropic = Anthropic(marker)
        self._openai = OpenAI(marker, settings.seed)
        self._gemini = Gemini(marker)
        self._dialects: dict[str, Dialect] = {
            each.name: each for each in (self._anthropic, self._openai, self._gemini)
        }
        self._accounts: dict[tuple[str, str, str], Account] = {}
        self._shared: dict[tuple[str, str], dict[Meter, TokenBucket]] = {}
        # Another stream of its own: what happens in batches shifts nothing outside them.
        batch_rng = random.Random(f"batches {settings.seed}")  # noqa: S311 - made-up times, not secrets
        self._batches = BatchDesk(self, self._anthropic, self._openai, clock, batch_rng)
        self._adopt(settings)

    @property
    def settings(self) -> SimulatorSettings:
        return self._settings

    def change(self, changes: Mapping[str, Any]) -> None:
        """Behave differently from now on. Raises ValueError, and changes nothing, for bad ones."""
        self._adopt(self._settings.patched(changes))
        self._batches.hurry()

    async def close(self) -> None:
        """Stop what goes on in the background."""
        await self._batches.close()

    def _adopt(self, settings: SimulatorSettings) -> None:
        self._settings = settings
        self._plan = FaultPlan.parse(settings.fail)
        self._latency = Latency.parse(settings.latency)
        now = self._clock.monotonic()
        for (name, _, _), account in self._accounts.items():
            account.adopt(self._dialects[name].limits(settings), settings, now)

    def handle(self, request: Request) -> bytes | Reply:
        """Answer any request."""
        if request.path.startswith(BATCH_PATHS):
            return self._batch_call(request)
        return self._live_call(request)

    def _live_call(self, request: Request) -> bytes | Reply:
        route = (request.method, request.path)
        if dialect := self._completing(request):
            return self._complete(dialect, request)
        if route in ((b"GET", b"/v1/models"), (b"GET", b"/v1beta/models")):
            return self._models(request)
        return self._control(request) or self._nowhere(request)

    def _control(self, request: Request) -> bytes | None:
        """What only a simulated provider has: a look inside, and a hand on its settings."""
        match request.method, request.path:
            case b"GET", b"/simulated/stats":
                return response(200, msgspec.json.encode(self.tally.snapshot()))
            case b"GET", b"/simulated/accounts":
                return response(200, msgspec.json.encode(self.standings()))
            case b"POST", b"/simulated/settings":
                return self._change(request)
        return None

    def _completing(self, request: Request) -> Dialect | None:
        """The dialect in which a completion is asked for, if one is."""
        if request.method != b"POST":
            return None
        if request.path == b"/v1/messages":
            return self._anthropic
        if request.path == b"/v1/chat/completions":
            return self._openai
        return self._gemini if GENERATE.fullmatch(request.path) else None

    def _complete(self, dialect: Dialect, request: Request) -> bytes | Reply:
        self.tally.requests += 1
        try:
            key = dialect.authenticate(request, self._settings)
            call = dialect.read(request, self._settings)
        except Refused as refused:
            self.tally.bad_requests += 1
            return self._error(dialect, refused.complaint)
        moment = Moment(self._clock.monotonic(), self._clock.now_ms())
        account = self._account(dialect, key, call.model, moment)
        inside = account.is_told_to_wait(moment.monotonic)
        account.requests += 1
        account.arrived_inside_retry_after += inside
        self.tally.arrived_inside_retry_after += inside
        refused_before = self.tally.refused_429
        answer = self._decide(dialect, account, call, moment)
        self.tally.refused_inside_retry_after += inside and self.tally.refused_429 > refused_before
        return answer

    def _account(self, dialect: Dialect, key: str, model: str, moment: Moment) -> Account:
        name = (dialect.name, key, model)
        account = self._accounts.get(name)
        if account is None:
            now, rest_of_day = moment.monotonic, midnight_pacific(moment.wall_ms) - moment.wall_ms
            account = self._accounts[name] = Account(
                now, now + rest_of_day / 1000, self._buckets(dialect.name, model)
            )
            account.adopt(dialect.limits(self._settings), self._settings, now)
        return account

    def _buckets(self, dialect: str, model: str) -> dict[Meter, TokenBucket] | None:
        if not self._settings.shared_limits:
            return None
        return self._shared.setdefault((dialect, model), {})

    def standings(self) -> list[Standing]:
        """Each key's standing with each model it has asked for."""
        now = self._clock.monotonic()
        return [
            Standing(
                key,
                model,
                account.requests,
                account.refused_429,
                account.arrived_inside_retry_after,
                account.in_flight,
                {meter.value: bucket.level(now) for meter, bucket in account.buckets.items()},
            )
            for (_, key, model), account in self._accounts.items()
        ]

    def _decide(
        self, dialect: Dialect, account: Account, call: Call, moment: Moment
    ) -> bytes | Reply:
        fault = self._plan.draw(moment.monotonic - self._started, self._rng)
        if fault is not None and not fault.is_admitted:
            return self._fail(dialect, account, fault, call.model, moment)
        most = self._settings.concurrency
        if most and account.in_flight >= most:
            complaint = dialect.too_many(self._settings.retry_after_seconds)
            return self._refuse(dialect, account, complaint, moment)
        cache = account.cache.use(call.prefixes, moment.monotonic)
        shortage = account.admit(dialect.charges(call, cache), moment.monotonic)
        if shortage is not None:
            complaint = dialect.shortage(shortage, account, call.model)
            return self._refuse(dialect, account, complaint, moment)
        if fault is not None:
            self.tally.failed(fault)
        return Exchange(self, dialect, account, call, cache, produce(call, fault), fault)

    def _fail(
        self, dialect: Dialect, account: Account, fault: Fault, model: str, moment: Moment
    ) -> bytes:
        self.tally.failed(fault)
        if fault is Fault.DROP:
            return _CLOSE
        if fault is Fault.LOADING:
            return _LOADING
        if fault is Fault.HTML:
            return self._gateway_error()
        seconds = self._settings.retry_after_seconds
        complaint = dialect.fault(fault, seconds, model, moment)
        return self._refuse(dialect, account, complaint, moment)

    def _gateway_error(self) -> bytes:
        if self._rng.random() < 0.5:
            return response(502, _GATEWAY_PAGE, kind=b"text/html")
        return response(502, _GATEWAY_TEXT, kind=b"text/plain")

    def _refuse(
        self, dialect: Dialect, account: Account, complaint: Complaint, moment: Moment
    ) -> bytes:
        """An error that is no fault of the request: with the headers about limits."""
        if self._settings.failed_calls_count:
            account.count_failure(moment.monotonic)
        if complaint.status == 429:
            self.tally.refused_429 += 1
            account.refused_429 += 1
        headers = self.limit_headers(dialect, account, moment)
        if complaint.retry_after is not None:
            told = dialect.told_to_wait(complaint.retry_after)
            account.tell_to_wait(told, moment.monotonic)
            headers += dialect.retry_headers(told)
        return self._error(dialect, complaint, headers)

    def _batch_call(self, request: Request) -> bytes | Reply:
        """A call to a batch API: it goes wrong by the same plan, and counts against no limit."""
        self.tally.batch_calls += 1
        dialect, moment = self._batches.dialect(request), self.moment()
        fault = self._plan.draw(moment.monotonic - self._started, self._rng)
        if fault is not None and not fault.is_admitted:
            return self._fail(dialect, Account(moment.monotonic), fault, "a batch", moment)
        try:
            page = self._batches.handle(dialect.authenticate(request, self._settings), request)
        except Refused as refused:
            self.tally.bad_requests += 1
            return self._error(dialect, refused.complaint)
        line, _ = dialect.id_header()
        data = response(200, page.body, self.date_line() + line, page.kind)
        if fault not in (Fault.HANG, Fault.DROP_BODY):
            return data
        self.tally.failed(fault)
        return Lost(data[: len(data) - len(page.body) // 2], hangs=fault is Fault.HANG)

    def limit_headers(self, dialect: Dialect, account: Account, moment: Moment) -> bytes:
        return dialect.limit_headers(account, moment) if self._settings.headers else b""

    def _error(self, dialect: Dialect, complaint: Complaint, headers: bytes = b"") -> bytes:
        line, request_id = dialect.id_header()
        body = dialect.error_body(complaint, request_id)
        return response(complaint.status, body, self.date_line() + line + headers)

    def date_line(self) -> bytes:
        """The `date` header, by which clients correct their clocks; made once a second."""
        second = self._clock.now_ms() // 1000
        if second != self._date[0]:
            text = email.utils.formatdate(second, usegmt=True)
            self._date = (second, b"date: %b\r\n" % text.encode())
        return self._date[1]

    def delay(self, output: Output) -> float:
        """Seconds until an answer is due."""
        per_token = self._settings.seconds_per_output_token
        return self._latency.sample(self._latency_rng) + per_token * output.tokens

    def moment(self) -> Moment:
        return Moment(self._clock.monotonic(), self._clock.now_ms())

    def _models(self, request: Request) -> bytes:
        dialect = self._spoken_by(request)
        try:
            dialect.authenticate(request, self._settings)
        except Refused as refused:
            return self._error(dialect, refused.complaint)
        return response(200, dialect.models(self._settings), dialect.id_header()[0])

    def _change(self, request: Request) -> bytes:
        try:
            self.change(msgspec.json.decode(request.body, type=dict[str, Any]))
        except (ValueError, TypeError) as error:
            return response(400, msgspec.json.encode({"error": str(error)}))
        return response(200, msgspec.json.encode(self._settings))

    def _nowhere(self, request: Request) -> bytes:
        what = f"{request.method.decode()} {request.path.decode('latin-1')}"
        complaint = Complaint(404, "not_found_error", f"No such endpoint here: {what}")
        return self._error(self._spoken_by(request), complaint)

    def _spoken_by(self, request: Request) -> Dialect:
        """The dialect of a client that asks for no completion."""
        if b"anthropic-version" in request.headers:
            return self._anthropic
        return self._gemini if b"x-goog-api-key" in request.headers else self._openai


@dataclass(frozen=True, slots=True)
class Lost:
    """What was done, and is never heard of, or not to the end."""

    data: bytes
    hangs: bool
    closes = True

    @property
    def delay(self) -> float:
        return math.inf if self.hangs else 0.0

    def finish(self) -> bytes:
        return self.data

    def abandon(self) -> None:
        """Nobody has to be told."""


@dataclass(slots=True)
class Exchange:
    """A call that was let in, until its answer is written or its client is gone."""

    service: Service
    dialect: Dialect
    account: Account
    call: Call
    cache: CacheUse
    output: Output
    fault: Fault | None
    delay: float = field(init=False)

    def __post_init__(self) -> None:
        self.delay = math.inf if self.fault is Fault.HANG else self.service.delay(self.output)
        self.account.in_flight += 1
        paper = self.call.paper.encode(errors="replace")
        self.service.tally.entered(hashlib.sha256(paper).digest())

    @property
    def closes(self) -> bool:
        return self.fault is Fault.DROP_BODY

    def finish(self) -> bytes:
        moment = self.service.moment()
        self._leave(moment)
        self.account.cache.write(self.call.prefixes, moment.monotonic)
        body = self.dialect.body(self.call, self.output, self.cache, moment)
        line, _ = self.dialect.id_header()
        headers = self.service.limit_headers(self.dialect, self.account, moment)
        data = response(200, body, self.service.date_line() + line + headers)
        if self.closes:
            return data[: len(data) - len(body) // 2]
        self.service.tally.answered += 1
        return data

    def abandon(self) -> None:
        """The model goes on writing for nobody: the tokens are spent all the same."""
        self._leave(self.service.moment())
        self.service.tally.abandoned += 1

    def _leave(self, moment: Moment) -> None:
        used = self.output.tokens - self.call.reserved_output
        self.account.settle(Meter.OUTPUT, used, moment.monotonic)
        self.account.in_flight -= 1
        tally = self.service.tally
        tally.in_flight -= 1
        tally.input_tokens += self.call.input_tokens - self.cache.read
        tally.output_tokens += self.output.tokens
        tally.cache_read_tokens += self.cache.read
        tally.cache_creation_tokens += self.cache.written
