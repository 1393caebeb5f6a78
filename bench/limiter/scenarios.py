"""What a limiter meets: a provider, what is configured of it, and a class of papers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any

from bench.limiter.bound import Change
from bench.limiter.server import Others, Paper, StrictServer, papers
from gradeq.limiter.base import Limits, Usage

Work = Callable[[Random], list[Paper]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`server` and `work` make new ones from a seed's generator. Times in seconds.

    `restart_at`: the process is killed then, and the next one starts from what was stored at most
    a second before.
    """

    name: str
    about: str
    limits: Limits
    server: Callable[[Random], StrictServer]
    work: Work
    changes: tuple[Change, ...] = ()
    restart_at: float | None = None
    wishes: Callable[[Random], StrictServer] | None = None
    """The provider that the bound is computed for, where the user wants less than there is."""


def _class_of(
    count: int, tokens: tuple[int, int] = (2000, 400), seconds: float = 5.0, bias: float = 1.0
) -> Work:
    return lambda rng: papers(count, rng, tokens=tokens, seconds=seconds, bias=bias)


def _with_long_ones(count: int) -> Work:
    """Every fifth paper is six times as long as the others, and takes longer."""

    def make(rng: Random) -> list[Paper]:
        short = papers(count - count // 5, rng, tokens=(1200, 300), seconds=4.0)
        mixed = short + papers(count // 5, rng, tokens=(7200, 600), seconds=8.0)
        rng.shuffle(mixed)
        return mixed

    return make


def _strict(requests: float, **options: Any) -> Callable[[Random], StrictServer]:
    return lambda _: StrictServer(requests=requests, **options)


def _shared(requests: float, **options: Any) -> Callable[[Random], StrictServer]:
    def make(rng: Random) -> StrictServer:
        others = Others(0.5, Usage(400, 80), Random(rng.random()))
        return StrictServer(requests=requests, others=others, **options)

    return make


_ALL = (
    Scenario(
        "requests",
        "600 requests a minute bind",
        Limits(100, 600),
        _strict(600),
        _class_of(6000),
    ),
    Scenario(
        "input tokens",
        "100,000 input tokens a minute bind; the estimates are 40 % too low",
        Limits(50, 1000, 100_000, 90_000),
        _strict(1000, input_tokens=100_000, output_tokens=90_000),
        _class_of(1000, bias=0.6),
    ),
    Scenario(
        "output tokens",
        "20,000 output tokens a minute bind",
        Limits(30, 1000, 450_000, 20_000),
        _strict(1000, input_tokens=450_000, output_tokens=20_000),
        _class_of(2000),
    ),
    Scenario(
        "reserved output",
        "max_tokens is charged at admission, the unused part comes back at the end",
        Limits(50, 1000, 450_000, 20_000, reserves_output=True),
        _strict(1000, input_tokens=450_000, output_tokens=20_000, reserves_output=True),
        _class_of(1000),
    ),
    Scenario(
        "concurrency",
        "5 calls at once, far below what the provider allows",
        Limits(5),
        _strict(1000, input_tokens=450_000, output_tokens=90_000),
        _class_of(600),
    ),
    Scenario(
        "small account",
        "50 requests, 30,000 input and 8,000 output tokens a minute",
        Limits(20, 50, 30_000, 8000),
        _strict(50, input_tokens=30_000, output_tokens=8000),
        _class_of(400),
    ),
    Scenario(
        "large account",
        "1,000 requests, 450,000 input and 90,000 output tokens a minute",
        Limits(100, 1000, 450_000, 90_000),
        _strict(1000, input_tokens=450_000, output_tokens=90_000),
        _class_of(8000, tokens=(400, 80)),
    ),
    Scenario(
        "per second",
        "600 a minute, enforced as 10 a second, while headers tell of minutes",
        Limits(100, 600),
        _strict(600, per_second=True),
        _class_of(4000),
    ),
    Scenario(
        "no headers",
        "the limits are configured rightly, and no response tells of them",
        Limits(100, 600, 450_000, 90_000),
        _strict(600, input_tokens=450_000, output_tokens=90_000, headers="none"),
        _class_of(6000, tokens=(400, 80)),
    ),
    Scenario(
        "no headers, per second",
        "as before, enforced each second",
        Limits(100, 600),
        _strict(600, per_second=True, headers="none"),
        _class_of(4000),
    ),
    Scenario(
        "nothing known",
        "no limit is configured and no response tells of one",
        Limits(100),
        _strict(600, headers="none"),
        _class_of(8000),
    ),
    Scenario(
        "failed calls count",
        "a refused call is charged too",
        Limits(100, 600),
        _strict(600, refusals_count=True),
        _class_of(4000),
    ),
    Scenario(
        "shared key",
        "somebody else uses half of it, at random moments",
        Limits(100, 600, 450_000, 90_000),
        _shared(600, input_tokens=450_000, output_tokens=90_000),
        _class_of(4000, tokens=(400, 80)),
    ),
    Scenario(
        "shared key, no headers",
        "as before, and nothing tells of it but refusals",
        Limits(100, 600),
        _shared(600, headers="none"),
        _class_of(6000),
    ),
    Scenario(
        "limits halved",
        "the provider halves the limits in mid-run, and its headers say so",
        Limits(100, 600),
        _strict(600),
        _class_of(4000),
        changes=(Change(150.0, 0.5),),
    ),
    Scenario(
        "limits doubled",
        "the provider doubles the limits in mid-run, and its headers say so",
        Limits(200),
        _strict(600),
        _class_of(6000),
        changes=(Change(150.0, 2.0),),
    ),
    Scenario(
        "set twice too high",
        "the configured limits are double the real ones, which headers tell",
        Limits(100, 1200, 900_000, 180_000),
        _strict(600, input_tokens=450_000, output_tokens=90_000),
        _class_of(6000, tokens=(400, 80)),
    ),
    Scenario(
        "set twice too high, no headers",
        "the configured limits are double the real ones, and nothing tells of it",
        Limits(100, 1200),
        _strict(600, headers="none"),
        _class_of(6000),
    ),
    Scenario(
        "set to half",
        "the user wants half of what the provider allows, and gets it",
        Limits(100, 300),
        _strict(600),
        _class_of(3000),
        wishes=_strict(300, starts_full=False),
    ),
    Scenario(
        "outage",
        "a minute of 529 in mid-run",
        Limits(100, 600),
        _strict(600, down=(120.0, 180.0)),
        _class_of(12_000),
    ),
    Scenario(
        "restart",
        "the process is killed in mid-run and started again",
        Limits(100, 600, 450_000, 90_000),
        _strict(600, input_tokens=450_000, output_tokens=90_000),
        _class_of(6000, tokens=(400, 80)),
        restart_at=150.3,
    ),
    Scenario(
        "long papers",
        "every fifth paper is six times as long",
        Limits(20, 50, 30_000, 8000),
        _strict(50, input_tokens=30_000, output_tokens=8000),
        _with_long_ones(400),
    ),
    Scenario(
        "gemini",
        "150 requests and 250,000 input tokens a minute, no headers",
        Limits(50, 150, 250_000),
        _strict(150, input_tokens=250_000, headers="none"),
        _class_of(3000),
    ),
    Scenario(
        "calls at once",
        "the provider refuses more than 20 calls at once, and tells of it by 429 alone",
        Limits(100, 600),
        _strict(600, concurrency=20),
        _class_of(3000),
    ),
    Scenario(
        "auto",
        "600 requests a minute; the concurrency is to be found",
        Limits(5, 600, auto=True),
        _strict(600),
        _class_of(6000),
    ),
    Scenario(
        "auto, output tokens",
        "20,000 output tokens a minute; nothing is configured",
        Limits(5, auto=True, max_concurrency=30),
        _strict(1000, input_tokens=450_000, output_tokens=20_000),
        _class_of(2000),
    ),
    Scenario(
        "auto, one slot",
        "a model on this machine answers one call at a time",
        Limits(5, auto=True),
        lambda _: StrictServer(slots=1),
        _class_of(400, seconds=8.0),
    ),
    Scenario(
        "auto, 32 slots",
        "a server answers 32 calls at a time, and queues the others",
        Limits(5, auto=True),
        lambda _: StrictServer(slots=32),
        _class_of(12_000, seconds=8.0),
    ),
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType({one.name: one for one in _ALL})
