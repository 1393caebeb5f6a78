"""Why work does not move, in the reader's language."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pytest
from web_kit import Desk, Service

from gradeq.limiter.base import Bucket, LimitedBy
from gradeq.limiter.reading import Gauge, LastMinute, Reading
from gradeq.model import BatchMode, BatchStatus, Cancelled
from gradeq.outcome import ErrorClass
from gradeq.store.rows import BatchRow
from gradeq.web import why
from gradeq.web.why import Why
from gradeq.web.wording import Languages, Wording

READING = Reading(
    limited_by=LimitedBy.OUTPUT_TOKENS,
    in_flight=4,
    room=0,
    concurrency=5,
    concurrency_needed=3,
    wait_seconds=0.0,
    last_minute=LastMinute(requests=30, output_tokens=8_950, answered=28),
    levels=(
        Gauge(Bucket.OUTPUT_TOKENS, 50.0, 9_000.0, 60.0),
        Gauge(Bucket.REQUESTS, 700.0, 1_000.0, 86_400.0),
    ),
    limited_for={},
)
BATCH = BatchRow(
    **dict.fromkeys(BatchRow.__dataclass_fields__),
)


def words_of(language: str) -> Wording:
    return next(one for one in Languages() if one.language == language)


@pytest.fixture(params=["en", "de"])
def words(request: pytest.FixtureRequest) -> Wording:
    return words_of(request.param)


def test_every_cause_of_a_failure_has_words_and_keeps_its_own(words: Wording) -> None:
    for error in ErrorClass:
        told = why.of_error(words, error, "429 rate_limit_error")
        assert told.text.endswith("."), error
        assert told.original == "429 rate_limit_error"


def test_a_cause_that_nobody_knows_is_told_as_it_came(words: Wording) -> None:
    assert why.of_error(words, "from another version", "Because.") == Why("", "Because.")
    assert why.of_error(words, None, None) == Why("")


def test_every_limit_is_told_in_words_and_figures(words: Wording) -> None:
    for limit in LimitedBy:
        reading = replace(READING, limited_by=limit, parked_reason="no credit")
        assert words.text(f"progress.by.{limit}")
        told = why.of_reading(words, reading)
        assert told.text or told.original == "no credit", limit


TOLD: list[tuple[dict[str, Any], str, str]] = [
    (
        {},
        "8,950 of 9,000 used in the last minute; 3 calls at a time would suffice",
        "8.950 von 9.000 in der letzten Minute verbraucht; 3 Aufrufe gleichzeitig würden reichen",
    ),
    (
        {"limited_by": LimitedBy.REQUESTS, "concurrency_needed": None},
        "700 of 1,000 left per 24 hours",
        "700 von 1.000 pro 24 Stunden übrig",
    ),
    (
        {"limited_by": LimitedBy.CONCURRENCY, "concurrency_needed": 12, "is_auto": True},
        "4 of 5 (found by itself), the provider allows about 12",
        "4 von 5 (selbst gefunden), der Anbieter erlaubt etwa 12",
    ),
    (
        {"limited_by": LimitedBy.RETRY_AFTER, "wait_seconds": 90.0},
        "2 minutes left",
        "noch 2 Minuten",
    ),
    (
        {"limited_by": LimitedBy.OVERLOAD, "wait_seconds": 40.0},
        "next try in 40 seconds",
        "nächster Versuch in 40 Sekunden",
    ),
    (
        {"limited_by": LimitedBy.NOTHING, "room": 3},
        "4 calls on their way, 3 more could start",
        "4 Aufrufe unterwegs, 3 weitere könnten beginnen",
    ),
    (
        {"limited_by": LimitedBy.PARKED, "wait_seconds": math.inf, "parked_cause": "quota"},
        "The quota or the budget at the provider is used up.",
        "Das Kontingent oder das Guthaben beim Anbieter ist aufgebraucht.",
    ),
]


@pytest.mark.parametrize(("values", "english", "german"), TOLD)
def test_a_reading_says_how_much(values: dict[str, Any], english: str, german: str) -> None:
    reading = replace(READING, **values)
    told = [why.of_reading(words_of(one), reading).text for one in ("en", "de")]
    assert [one.replace("\xa0", " ") for one in told] == [english, german]


def batch(**values: Any) -> BatchRow:
    return replace(BATCH, status=BatchStatus.PENDING, mode=BatchMode.LIVE, posted=0, **values)


def test_what_a_person_wrote_stays_as_it_is() -> None:
    row = batch(paused_by="Ms Lee", pause_reason="Erst nach den Ferien")
    for one in ("en", "de"):
        assert why.of_batch(words_of(one), row, "paused", None) == Why("Erst nach den Ferien")


def test_what_gradeq_paused_by_itself_is_told_anew() -> None:
    row = batch(paused_by="gradeq", pause_cause="bad_key", pause_reason="401 invalid x-api-key")
    assert why.of_batch(words_of("de"), row, "paused", None) == Why(
        "Der Anbieter nimmt den Schlüssel nicht an.", "401 invalid x-api-key"
    )


def test_a_batch_that_waits_for_money_or_a_grader(words: Wording) -> None:
    assert words.money(5) in why.of_batch(words, batch(cost_cap=5.0), "cost_cap", READING).text
    assert "pool-x" in why.of_batch(words, batch(pool="pool-x"), "no_grader", None).text


def test_a_night_is_told_by_how_far_it_is() -> None:
    night = replace(batch(answered=0), mode=BatchMode.OVERNIGHT, fallback_at=1_750_000_000_000)
    german = words_of("de")
    when = german.moment(1_750_000_000_000)
    told = [
        why.of_batch(german, one, "overnight", None).text
        for one in (
            night,
            replace(night, posted=30),
            replace(night, posted=30, answered=7),
            replace(night, posted=30, answered=7, mode=BatchMode.LIVE),
        )
    ]
    assert told == [
        f"noch nicht an den Anbieter geschickt, macht am {when} mit einzelnen Aufrufen weiter",
        f"30 Arbeiten beim Anbieter, macht am {when} mit einzelnen Aufrufen weiter",
        f"7 von 30 Arbeiten beantwortet, macht am {when} mit einzelnen Aufrufen weiter",
        "7 von 30 Arbeiten beantwortet, zurückgerufen, um mit einzelnen Aufrufen weiterzumachen",
    ]


def test_every_way_of_being_cancelled_has_words(words: Wording) -> None:
    told = {words.text(f"why.is_{one.name.lower()}") for one in Cancelled}
    assert len(told) == len(Cancelled)


async def test_german_pages_say_it_in_german(service: Service, desk: Desk) -> None:
    desk.go.set()
    [failed, cancelled, other] = await service.add("refuse", "hold", "x")
    await service.grade(submission_ids=[failed], grader="desk")
    await service.batch_ended(1)
    desk.go.clear()
    await service.grade(submission_ids=[cancelled], grader="desk")
    await desk.busy.wait()
    await service.client.post("/api/batches/2/cancel", json={"by": "Ms Lee"})
    await service.client.post("/api/submissions/archive", json={"submission_ids": [other]})
    pages = {
        "/batches/1": ["kann diese Arbeit nicht bewerten.", 'lang="en">it cannot be read<'],
        "/batches/2": ["Abgebrochen."],
        "/queue": ["kann diese Arbeit nicht bewerten.", ">it cannot be read<"],
        "/courses/biology/assignments/sleep": ["kann diese Arbeit nicht bewerten."],
        f"/submissions/{failed}": ["kann diese Arbeit nicht bewerten.", "it cannot be read"],
        f"/submissions/{cancelled}": ["Abgebrochen."],
        f"/submissions/{other}": ["Im Archiv."],
    }
    for path, texts in pages.items():
        page = (await service.client.get(path, headers={"Accept-Language": "de"})).text
        for text in texts:
            assert text in re.sub(r"\s+", " ", page), (path, text)


async def test_a_text_that_was_kept_is_told_in_german(resting: Service) -> None:
    [paper] = await resting.add("x")
    await resting.client.post("/api/submissions/archive", json={"submission_ids": [paper]})
    answer = await resting.client.post(
        "/courses/biology/assignments/sleep/add",
        files={"files": ("class.csv", b"id,text\np1,other\n")},
        headers={"Accept-Language": "de"},
    )
    assert "sie liegt im Archiv; der gespeicherte Text bleibt" in answer.text
