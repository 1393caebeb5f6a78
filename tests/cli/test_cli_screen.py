"""Progress for people: a bar on a terminal, lines in a log, and nothing told a hundred times."""

from __future__ import annotations

import asyncio
import io
import logging
import signal
from random import Random

import pytest
from rich.console import Console
from rich.live import Live

from gradeq.cli.logs import each_message_once
from gradeq.cli.say import counted, table
from gradeq.cli.screen import Bar, PlainLines, counts, pace
from gradeq.cli.session import limited_longest
from gradeq.cli.signals import stopping
from gradeq.cli.watch import Spent, Standing, Watch, Work
from gradeq.clock import ManualClock, SystemClock
from gradeq.limiter.base import LimitedBy, Limits
from gradeq.limiter.pool import Pool
from gradeq.limiter.reading import duration
from gradeq.model import NewSubmission
from gradeq.store.orders import SubmitOrder
from gradeq.store.sqlite import SqliteStore

STANDING = Standing(1200, 700, 3, 497, Spent(cost=0.0123), per_minute=112.4, seconds_left=265.0)


def test_a_bar_tells_everything_within_a_terminal():
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system=None)
    with Live(console=console, auto_refresh=False) as live:
        Bar(live, "EUR").show(STANDING, "requests: 60 of 60/min used; " + "very long " * 20)
        live.refresh()
    shown = file.getvalue()
    for told in ("703 of 1,200", "112 papers/min, 4 min left", "700 graded, 3 ungraded"):
        assert told in shown
    assert "497 waiting" in shown
    assert "cost so far 0.0123 EUR" in shown
    assert "limited by requests: 60 of 60/min used" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_a_log_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]):
    clock = ManualClock()
    lines = PlainLines(clock, "EUR")
    for _ in range(40):
        clock.advance(0.5)
        lines.show(STANDING, "concurrency: 5 of 5 in flight")
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert counts(STANDING, "EUR") in told[0]
    assert pace(STANDING) in told[0]
    assert told[0].endswith("limited by concurrency: 5 of 5 in flight")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.4, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (3599, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations(seconds: float, told: str):
    assert duration(seconds) == told


def test_words_and_columns():
    assert counted(1, "paper") == "1 paper"
    assert counted(2000, "criterion", "criteria") == "2,000 criteria"
    assert table([("a", "1"), ("bb", "10")], indent="", numbers=True) == "a    1\nbb  10"


async def test_a_watch_counts_what_happened_since_its_first_look(
    store: SqliteStore, clock: ManualClock
):
    papers = [NewSubmission(f"p{n}", "text") for n in range(4)]
    ids = [one.id for one in await store.add_submissions(papers)]
    batch = await store.submit(SubmitOrder(submission_ids=ids, pool="p"))
    watch = Watch(Work(10, (batch.batch_id,), graded=5, ungraded=1), clock)
    first = await watch.look(store)
    assert (first.graded, first.ungraded, first.waiting, first.seconds_left) == (5, 1, 4, None)
    clock.advance(6.0)
    await store.cancel(job_ids=batch.job_ids[:1])
    second = await watch.look(store)
    assert (second.graded, second.ungraded, second.waiting) == (5, 2, 3)
    assert second.per_minute == pytest.approx(10)
    assert second.seconds_left == pytest.approx(18)
    assert not second.is_over


async def test_what_limited_longest_is_told(clock: ManualClock):
    pool = Pool("p", Limits(concurrency=1, requests_per_minute=6), clock=clock, rng=Random(0))
    assert limited_longest([pool.reading()]) == "nothing"
    pool.room()
    clock.advance(1.0)
    pool.park("no credit")
    pool.room()
    clock.advance(60.0)
    assert limited_longest([pool.reading()]) == LimitedBy.PARKED


def test_one_trouble_is_told_once(caplog: pytest.LogCaptureFixture):
    log = logging.getLogger("gradeq")
    with each_message_once():
        for job in range(100):
            log.error("job %d: not saved: %s", job, "the disk is full")
        log.error("job %d: not saved: %s", 1, "the disk is gone")
        for _ in range(2):
            log.error("job %d: gradeq itself failed", 1, exc_info=ValueError("x"))
    assert len(caplog.records) == 4
    log.error("job %d: not saved: %s", 1, "the disk is full")
    assert len(caplog.records) == 5


async def test_the_first_signal_asks_the_second_hurries_and_old_handlers_return():
    before = signal.getsignal(signal.SIGINT)
    hurried: list[int] = []
    with stopping() as stop:
        stop.at_once(lambda: hurried.append(1))
        signal.raise_signal(signal.SIGINT)
        await SystemClock().wait_for(stop.asked, 5.0)
        assert stop.asked.is_set()
        assert not hurried
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert hurried == [1]
        with pytest.raises(KeyboardInterrupt):
            stop.note()
    assert signal.getsignal(signal.SIGINT) is before
