"""The parts that need no network: buckets, plans, latencies, settings, the statistics' rule."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.providers.simulated import Fault, FaultPlan, SimulatorSettings
from gradeq.providers.simulated.account import Account, Charge, Meter, Prefix, PromptCache
from gradeq.providers.simulated.batches.multipart import Field, read_form
from gradeq.providers.simulated.buckets import TokenBucket
from gradeq.providers.simulated.call import find_paper
from gradeq.providers.simulated.latency import Latency
from gradeq.providers.simulated.openai_wire import go_duration

RATES = st.floats(0.01, 1e5)


def test_a_bucket_starts_full_and_refills_continuously() -> None:
    bucket = TokenBucket(rate=2.0, capacity=10.0, now=100.0)
    bucket.take(10.0, 100.0)
    assert bucket.wait(1.0, 100.0) == 0.5
    assert bucket.level(100.25) == 0.5
    assert bucket.level(101.0) == 2.0
    assert bucket.until_full(101.0) == 4.0
    assert bucket.level(1000.0) == 10.0


@given(RATES, st.floats(1, 1e6), st.floats(0, 1))
def test_who_waits_as_told_is_let_in(rate: float, capacity: float, share: float) -> None:
    bucket, need = TokenBucket(rate, capacity, 0.0), share * capacity
    bucket.take(capacity, 0.0)
    wait = bucket.wait(need, 0.0)
    assert bucket.wait(need, wait) == 0.0


@given(RATES, st.floats(1, 100), st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 50))))
def test_nobody_gets_more_than_capacity_and_rate(
    rate: float, capacity: float, calls: list[tuple[float, float]]
) -> None:
    bucket, now, taken = TokenBucket(rate, capacity, 0.0), 0.0, 0.0
    for pause, amount in calls:
        now += pause
        if bucket.wait(amount, now) == 0.0:
            bucket.take(amount, now)
            taken += amount
    assert taken <= (capacity + rate * now) * (1 + 1e-6)


def test_a_bucket_in_debt_makes_wait_for_the_debt_too() -> None:
    bucket = TokenBucket(rate=1.0, capacity=10.0, now=0.0)
    bucket.take(15.0, 0.0)
    assert bucket.wait(1.0, 0.0) == 6.0


def test_what_never_fits_waits_for_ever() -> None:
    assert math.isinf(TokenBucket(1.0, 10.0, 0.0).wait(10.5, 0.0))


def test_giving_back_stops_at_the_capacity_and_draining_at_empty() -> None:
    bucket = TokenBucket(rate=1.0, capacity=10.0, now=0.0)
    bucket.give(5.0, 0.0)
    assert bucket.level(0.0) == 10.0
    bucket.take(9.5, 0.0)
    bucket.drain(1.0, 0.0)
    assert bucket.level(0.0) == 0.0
    bucket.take(3.0, 0.0)
    bucket.drain(1.0, 0.0)
    assert bucket.level(0.0) == -3.0


def test_a_lower_limit_keeps_what_is_there_as_far_as_it_fits() -> None:
    bucket = TokenBucket(rate=1.0, capacity=60.0, now=0.0)
    bucket.resize(0.1, 6.0, 0.0)
    assert (bucket.level(0.0), bucket.rate) == (6.0, 0.1)


def test_a_call_is_charged_in_every_bucket_or_in_none() -> None:
    account = Account(now=0.0)
    limits = {Meter.REQUESTS: 60.0, Meter.INPUT: 600.0}
    account.adopt(limits, SimulatorSettings(), 0.0)
    shortage = account.admit([Charge(Meter.REQUESTS, 1, 1), Charge(Meter.INPUT, 601, 601)], 0.0)
    assert shortage is not None
    assert shortage.meter is Meter.INPUT
    assert account.buckets[Meter.REQUESTS].level(0.0) == 60.0
    assert account.admit([Charge(Meter.REQUESTS, 1, 1), Charge(Meter.INPUT, 600, 600)], 0.0) is None
    assert account.buckets[Meter.REQUESTS].level(0.0) == 59.0


def test_only_who_could_have_known_arrives_inside_a_wait() -> None:
    account = Account(now=0.0)
    assert not account.is_told_to_wait(0.0)
    account.tell_to_wait(2.0, now=10.0)
    assert not account.is_told_to_wait(10.05)
    assert account.is_told_to_wait(10.1)
    assert account.is_told_to_wait(11.9)
    assert not account.is_told_to_wait(12.0)


def test_a_second_429_prolongs_the_wait_without_a_new_grace() -> None:
    account = Account(now=0.0)
    account.tell_to_wait(1.0, now=10.0)
    account.tell_to_wait(1.0, now=10.5)
    assert account.is_told_to_wait(10.55)
    assert account.is_told_to_wait(11.4)


def test_a_prefix_is_read_only_after_it_was_written_and_until_it_expires() -> None:
    cache, prefix = PromptCache(), Prefix(b"rubric", 2000, lifetime=300.0)
    assert (cache.use((prefix,), 0.0).read, cache.use((prefix,), 0.0).written) == (0, 2000)
    cache.write((prefix,), 0.0)
    assert (cache.use((prefix,), 299.0).read, cache.use((prefix,), 299.0).written) == (2000, 0)
    assert cache.use((prefix,), 300.0).read == 0
    longer = Prefix(b"rubric and examples", 2500, lifetime=300.0)
    assert (cache.use((prefix, longer), 1.0).read, cache.use((prefix, longer), 1.0).written) == (
        2000,
        500,
    )


def test_a_plan_is_read_in_all_its_forms() -> None:
    plan = FaultPlan.parse(["429:0.1, 529@10-40", "hang:.01@0-60", "drop@5-"])
    forms = [(rule.fault, rule.rate, rule.start, rule.end) for rule in plan.rules]
    assert forms == [
        (Fault.RATE_LIMITED, 0.1, 0.0, math.inf),
        (Fault.OVERLOADED, 1.0, 10.0, 40.0),
        (Fault.HANG, 0.01, 0.0, 60.0),
        (Fault.DROP, 1.0, 5.0, math.inf),
    ]
    assert FaultPlan.parse("").rules == ()


def test_a_rate_of_nothing_never_strikes() -> None:
    plan = FaultPlan.parse("500:0")
    assert {plan.draw(0.0, random.Random(n)) for n in range(50)} == {None}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("52", "choose from 400, 401"),
        ("drob", "did you mean 'drop'?"),
        ("500:2", "from 0 to 1"),
        ("500@40-10", "ends before it begins"),
        ("500@10", "KIND[:RATE][@START-END]"),
        ("500:often", "KIND[:RATE][@START-END]"),
    ],
)
def test_a_bad_plan_is_explained(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="failure") as caught:
        FaultPlan.parse(text)
    assert says in str(caught.value)


def test_a_plan_strikes_in_its_window_with_its_rate_and_the_same_each_time() -> None:
    plan = FaultPlan.parse("500:0.25@10-20")
    assert plan.draw(9.9, random.Random(1)) is None
    assert plan.draw(20.0, random.Random(1)) is None

    def drawn(seed: int) -> list[Fault | None]:
        rng = random.Random(seed)
        return [plan.draw(15.0, rng) for _ in range(400)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 60 <= sum(fault is Fault.SERVER_ERROR for fault in drawn(1)) <= 140


@pytest.mark.parametrize(
    ("text", "low", "high"), [("0.2", 0.2, 0.2), ("0.5-2.0", 0.5, 2.0), (3, 3, 3), (".5", 0.5, 0.5)]
)
def test_latencies_stay_in_their_range(text: str | float, low: float, high: float) -> None:
    latency, rng = Latency.parse(text), random.Random(7)
    drawn = [latency.sample(rng) for _ in range(200)]
    assert all(low <= each <= high for each in drawn)


def test_a_lognormal_latency_has_its_median() -> None:
    latency, rng = Latency.parse("1.2~0.4"), random.Random(7)
    drawn = sorted(latency.sample(rng) for _ in range(2001))
    assert 1.1 < drawn[1000] < 1.3
    assert drawn[-1] > 2.4


@pytest.mark.parametrize("text", ["fast", "2-1", "-1", "1~", "nan", ""])
def test_a_bad_latency_is_explained(text: str) -> None:
    with pytest.raises(ValueError, match="latency"):
        Latency.parse(text)


@pytest.mark.parametrize(
    "values",
    [
        {"requests_per_minute": -1},
        {"requests_per_minute": "many"},
        {"output_accounting": "later"},
        {"fail": "nothing"},
        {"latency": "soon"},
        {"burst_seconds": 0},
    ],
)
def test_settings_that_cannot_be_used_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(values)) if "fail" not in values else "failure"):
        SimulatorSettings(**values)


def test_settings_are_patched_by_name() -> None:
    settings = SimulatorSettings(requests_per_minute=10)
    assert settings.patched({"fail": ["529", "hang:0.5"]}).fail == ("529", "hang:0.5")
    with pytest.raises(ValueError, match="no setting 'rpm'"):
        settings.patched({"rpm": 1})
    with pytest.raises(ValueError, match="seed is fixed"):
        settings.patched({"seed": 1})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.012, "12ms"),
        (0.0001, "1ms"),
        (1, "1s"),
        (8.64, "8.64s"),
        (360, "6m0s"),
        (90.5, "1m30.5s"),
        (3600, "1h0m0s"),
    ],
)
def test_durations_look_like_those_of_go(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "paper"),
    [
        ("=== PAPER ab12 BEGIN ===\nHello\n=== PAPER ab12 END ===", "Hello"),
        ("Read:\n=== PAPER ab12 BEGIN ===\nA\n\nB\n=== PAPER ab12 END ===\nThanks", "A\n\nB"),
        ("=== PAPER ab12 BEGIN ===\n=== PAPER ab12 END ===", ""),
        (
            "=== PAPER ab BEGIN ===\nx\n=== PAPER cd END ===\ny\n=== PAPER ab END ===",
            "x\n=== PAPER cd END ===\ny",
        ),
        ("No fences at all", "No fences at all"),
        ("=== PAPER ab BEGIN ===\ncut off", "=== PAPER ab BEGIN ===\ncut off"),
    ],
)
def test_the_paper_is_what_stands_between_its_own_fences(text: str, paper: str) -> None:
    assert find_paper(text) == paper


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        ("application/json", b"{}", "no boundary"),
        ("multipart/form-data; boundary=b", b"--b\r\n", "no end"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n", "no name"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="x"\r\n--b--\r\n',
            "no name",
        ),
    ],
)
def test_what_is_no_form(kind: str, body: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_form(kind, body)


@given(st.binary(max_size=50).filter(lambda data: b"--b" not in data))
def test_a_form_gives_its_file_back(data: bytes) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
    form = read_form('multipart/form-data; boundary="b"', head + data + b"\r\n--b--\r\n")
    assert form == {"file": Field(data, "a.jsonl")}
