"""A model behind HTTP: one attempt per call, and every way it can end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

import msgspec

from gradeq.clock import Clock
from gradeq.limiter.base import Cost, Level, Limits, Signals, Usage
from gradeq.outcome import ErrorClass
from gradeq.providers.address import host_of, pool_name
from gradeq.providers.base import Answer, Failure, Prompt
from gradeq.providers.classify import classify, request_id, should_retry
from gradeq.providers.complaint import Complaint
from gradeq.providers.credential import Credential, redact
from gradeq.providers.http import HttpClient, HttpResponse, HttpTrouble, Trouble
from gradeq.providers.learning import Learner
from gradeq.providers.measured import Measured
from gradeq.providers.prices import Prices, most_tokens
from gradeq.providers.reasons import Caller
from gradeq.providers.retry_after import from_headers
from gradeq.providers.tokens import guess_cost

Form = TypeVar("Form")

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading an answer raises where it is none."""

_AUTHORIZATION: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "bearer": ("authorization", "Bearer "),
        "x-api-key": ("x-api-key", ""),
        "api-key": ("api-key", ""),
        "x-goog-api-key": ("x-goog-api-key", ""),
    }
)


class Dialect(Protocol[Form]):
    """How one kind of API is spoken; pure, so that every form of it can be tested as bytes.

    A form is what this server and model are known to take of the dialect. Each step that `adapt`
    makes leaves something out for good, so there are only a few.
    """

    path: str
    default_auth: str
    extra_headers: tuple[tuple[bytes, bytes], ...]
    first_form: Form

    def encode(self, prompt: Prompt, form: Form) -> bytes: ...

    def read(
        self, body: bytes, prompt: Prompt, request_id: str | None, signals: Signals
    ) -> Answer | None: ...

    def most_output(self, prompt: Prompt, form: Form) -> int:
        """Tokens that a request allows the answer, all that is charged as such included."""
        ...

    def levels(self, headers: Mapping[str, str]) -> tuple[Level, ...]: ...

    def adapt(self, form: Form, complaint: Complaint) -> Form | None: ...


class HttpProvider(Generic[Form]):
    """A `Provider` that speaks `dialect` to `base_url`."""

    def __init__(
        self,
        name: str,
        model: str,
        base_url: str,
        dialect: Dialect[Form],
        http: HttpClient,
        *,
        clock: Clock,
        key_name: str,
        credential: Credential | None = None,
        auth: str | None = None,
        limits: Limits | None = None,
        prices: Prices | None = None,
    ) -> None:
        self._name = name
        self._model = model
        self._dialect = dialect
        self._learner = Learner(dialect.first_form, dialect.adapt)
        self._http = http
        self._clock = clock
        self._limits = limits or Limits()
        self._prices = prices or Prices()
        self._measured = Measured()
        self._caller = Caller(host_of(base_url), base_url, model, key_name, credential)
        self._headers = request_headers(dialect, credential, auth)
        fingerprint = credential.fingerprint if credential else None
        self._pool = pool_name(base_url, fingerprint, model)

    @property
    def name(self) -> str:
        return self._name

    @property
    def model(self) -> str:
        return self._model

    @property
    def pool(self) -> str:
        return self._pool

    @property
    def limits(self) -> Limits:
        return self._limits

    def estimate(self, prompt: Prompt) -> Cost:
        return guess_cost(prompt)

    def price(self, usage: Usage) -> float:
        return self._prices.of(usage)

    @property
    def is_priced(self) -> bool:
        return self._prices.are_set

    def worst_price(self, prompt: Prompt) -> float:
        if not self._prices.are_set:
            return 0.0
        form = self._learner.form
        tokens = most_tokens(len(self._dialect.encode(prompt, form)))
        if (measured := self._measured.most_input(prompt, form)) is not None:
            tokens = min(tokens, measured)
        return self._prices.at_most(tokens, self._dialect.most_output(prompt, form))

    def trimmed(self, prompt: Prompt) -> Prompt:
        usual = self._measured.usual_output(prompt, self._learner.form)
        room = prompt.max_output_tokens
        return prompt if usual is None else replace(prompt, max_output_tokens=min(room, usual))

    async def complete(self, prompt: Prompt) -> Answer | Failure:
        """One HTTP attempt. A refusal that teaches which parts of the dialect to leave out comes
        back as SNOOZED with `retry_after` 0: no attempt is used, and the next call differs."""
        form = self._learner.form
        body = self._dialect.encode(prompt, form)
        reply = await self._http.post_json(self._dialect.path, self._headers, body)
        if isinstance(reply, HttpTrouble):
            return without_response(reply, self._caller)
        if reply.status == 200 and (answer := self._read(reply, prompt)):
            if self._prices.are_set and not answer.is_guessed:
                self._measured.learn(prompt, form, answer.usage)
            return answer
        failure = self._failure(reply, prompt)
        return self._learner.learned(failure, reply.body, form) or failure

    async def aclose(self) -> None:
        await self._http.aclose()

    def _read(self, reply: HttpResponse, prompt: Prompt) -> Answer | None:
        try:
            return self._dialect.read(
                reply.body, prompt, request_id(reply.headers), self._signals(reply)
            )
        except UNREADABLE:
            return None

    def _signals(self, reply: HttpResponse) -> Signals:
        return Signals(
            levels=self._dialect.levels(reply.headers),
            retry_after=from_headers(reply.headers, self._clock.now_ms()),
            should_retry=should_retry(reply.headers),
        )

    def _failure(self, reply: HttpResponse, prompt: Prompt) -> Failure:
        return classify(
            reply.status,
            reply.headers,
            reply.body,
            self._caller,
            now_ms=self._clock.now_ms(),
            levels=self._dialect.levels(reply.headers),
            private=prompt.user,
        )


def without_response(trouble: HttpTrouble, caller: Caller) -> Failure:
    """The failure that a call without a whole response is."""
    error, sentence = _TROUBLES[trouble.kind]
    detail = redact(trouble.detail, caller.credential)
    return Failure(error, sentence.format(host=caller.host, detail=detail))


_TROUBLES: Mapping[Trouble, tuple[ErrorClass, str]] = MappingProxyType(
    {
        Trouble.CONNECT: (
            ErrorClass.OVERLOADED,
            "{host} cannot be reached: {detail}. gradeq tries again by itself; if it goes on, "
            "check the network, a proxy or firewall, and base_url.",
        ),
        Trouble.TIMEOUT: (
            ErrorClass.TIMEOUT,
            "{host} gave {detail}. gradeq asks again a limited number of times; if it goes on, "
            "raise timeout_seconds or lower the concurrency.",
        ),
        Trouble.LOST: (
            ErrorClass.CONNECTION_LOST,
            "The connection to {host} ended before the whole answer had come: {detail}. "
            "gradeq asks again, a limited number of times.",
        ),
        Trouble.TOO_BIG: (
            ErrorClass.SERVER_ERROR,
            "{host} sent too much: {detail}. gradeq asks again, a limited number of times; "
            "if it goes on, check base_url.",
        ),
    }
)


def request_headers(
    dialect: Dialect[Form], credential: Credential | None, auth: str | None
) -> list[tuple[bytes, bytes]]:
    """What every request to the provider carries; `auth` is how the key is sent."""
    headers = [
        (b"content-type", b"application/json"),
        (b"accept", b"application/json"),
        (b"accept-encoding", b"identity"),
        (b"user-agent", b"gradeq"),
        *dialect.extra_headers,
    ]
    if credential is not None:
        name, prefix = _AUTHORIZATION[auth or dialect.default_auth]
        headers.append((name.encode(), (prefix + credential.reveal()).encode()))
    return headers
