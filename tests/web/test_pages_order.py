"""From ticked papers to an order: what will be graded, by whom, for how much."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest
from assignment_kit import (
    BLANK,
    PAGE,
    confirmed,
    graded,
    hidden,
    jobs,
    left_out,
    many,
    post,
    told,
    ways,
)
from web_kit import (
    ESSAY,
    Desk,
    Service,
    make_engine,
    serving,
    simulated,
)

from gradeq import Grade
from gradeq.grading.normalise import is_blank, normalise
from gradeq.store.sqlite.papers import has_words


async def test_what_will_not_be_graded_is_told_with_the_reason(
    service: Service, desk: Desk
) -> None:
    good, queued, blank, person, machine, released, away = await service.add(
        "x", "hold", BLANK, "x", "x", "x", "x"
    )
    [draft] = await service.add("x", first=8, status="in_progress")
    await graded(service, [machine, released])
    await service.engine.edit_grade(person, Grade(1.0, 2.0), "Ms Lee")
    await service.engine.release([released], "Ms Lee")
    await service.engine.archive([away])
    await service.grade(submission_ids=[queued], grader="desk")
    ids = [good, queued, blank, person, machine, released, away, draft]
    page = await confirmed(service, paper=ids, tab="submitted")
    assert left_out(page) == dict.fromkeys(
        ("queued", "blank", "person", "graded", "released", "archived", "in_progress"), 1
    )
    assert hidden(page, "papers") == str(good)
    # From the tab of the graded ones it is meant to be graded again.
    again = await confirmed(service, paper=[machine, person], tab="graded")
    assert hidden(again, "papers") == str(machine)
    desk.go.set()


async def test_all_of_a_search_are_meant_on_every_page(resting: Service) -> None:
    ids = await many(resting, 130)
    page = await confirmed(resting, all="1", tab="submitted", find="p01")
    assert hidden(page, "papers") == " ".join(map(str, ids[100:]))
    assert "30 papers will be graded." in page
    whole = await confirmed(resting, all="1", tab="submitted")
    assert 'data-count="130"' in whole


async def test_a_double_click_orders_once(resting: Service) -> None:
    ids = await many(resting, 7)
    page = await confirmed(resting, paper=ids[:6])
    form = {name: hidden(page, name) for name in ("papers", "key")} | {"way": "now:desk"}
    first = await post(resting, "order", **form, by="Ms Lee")
    second = await post(resting, "order", **form, by="Ms Lee")
    assert told(first) == told(second)
    assert told(first).startswith("6 papers are queued.")
    [batch] = (await resting.get("/api/batches"))["batches"]
    assert (batch["owner"], batch["total"], batch["grader"]) == ("Ms Lee", 6, "desk")


async def test_five_can_be_tried_first(resting: Service) -> None:
    ids = await many(resting, 7)
    page = await confirmed(resting, paper=ids)
    assert "Try 5 first" in page
    form = {name: hidden(page, name) for name in ("papers", "key")}
    await post(resting, "order", **form, way="now:desk", first="5")
    assert [one["submission_id"] for one in await jobs(resting)] == ids[:5]
    assert "Try 5 first" not in await confirmed(resting, paper=ids[5:])


async def test_without_a_rubric_no_model_is_offered(resting: Service) -> None:
    await resting.add(ESSAY)
    page = await confirmed(resting, all="1")
    assert f'href="{PAGE}/rubric"' in page
    assert "has no rubric yet" in page
    assert ways(page) == ["now:desk"]
    await resting.put_rubric()
    assert ways(await confirmed(resting, all="1")) == ["now:llm", "overnight:llm", "now:desk"]


async def test_the_cost_is_projected_and_half_overnight(tmp_path: Path) -> None:
    priced = simulated(price_input=3.0, price_output=15.0)
    async with serving(make_engine(tmp_path, work=False, providers=[priced])) as service:
        ids = await many(service, 40)
        rubric_id = await service.put_rubric()
        cost = await service.engine.projected_cost(ids, "llm", rubric_id)
        assert cost is not None
        one = await service.engine.projected_cost(ids[:1], "llm", rubric_id)
        assert one == pytest.approx(cost / 40)
        page = await confirmed(service, all="1")
        costs = re.findall(r"about \$([\d.]+)", page)
        assert [float(told) for told in costs] == pytest.approx([cost, cost / 2], rel=0.01)
        form = {name: hidden(page, name) for name in ("papers", "key")}
        await post(service, "order", **form, way="overnight:llm")
        assert (await service.get("/api/batches/1"))["mode"] == "overnight"


async def test_prices_that_are_not_known_are_said_to_be_so(resting: Service) -> None:
    [paper] = await resting.add(ESSAY)
    rubric_id = await resting.put_rubric()
    assert await resting.engine.projected_cost([paper], "llm", rubric_id) is None
    assert await resting.engine.projected_cost([paper], "desk", rubric_id) is None
    assert "the cost is not known" in await confirmed(resting, all="1")


async def test_nothing_ticked_orders_nothing(resting: Service) -> None:
    await resting.add(ESSAY)
    for what in ("grade", "archive", "unarchive"):
        assert told(await post(resting, what)).startswith("No paper was chosen")
    assert told(await post(resting, "release", by="L")).startswith("No paper was chosen")
    assert (await resting.client.get(f"{PAGE}/grade")).status_code == 303
    assert (await post(resting, "order", way="now:desk")).status_code == 422
    assert (await post(resting, "order", way="now:nobody", papers="1")).status_code == 404
    assert (await resting.get("/api/batches"))["batches"] == []


async def test_what_a_colleague_had_graded_meanwhile_is_not_graded_again(service: Service) -> None:
    """Both have the confirmation before them; the second presses when the first is done."""
    ids = await service.add("x", "x", "x")
    pages = [await confirmed(service, paper=ids, tab="submitted") for _ in range(2)]
    first, second = (
        {name: hidden(page, name) for name in ("papers", "key", "way")} | {"tab": "submitted"}
        for page in pages
    )
    await post(service, "order", **first)
    await service.batch_ended(1)
    answer = await post(service, "order", **second)
    assert told(answer).startswith("Nothing was queued: these papers")
    assert [len(await service.engine.store.grades(one)) for one in ids] == [1, 1, 1]


async def test_of_two_who_order_the_same_at_once_each_is_told_the_truth(resting: Service) -> None:
    """Both have the confirmation before them; some papers only one of them chose."""
    ids = await many(resting, 5)
    forms = []
    for chosen, by in ((ids[:3], "Ms Lee"), (ids, "Mr May")):
        page = await confirmed(resting, paper=chosen)
        forms.append({name: hidden(page, name) for name in ("papers", "key")} | {"by": by})
    answers = []
    for form in forms:
        # Two browsers: neither knows whose name the other sent.
        resting.client.cookies.clear()
        answers.append(await post(resting, "order", **form, way="now:desk"))
    assert told(answers[0]).startswith("3 papers are queued.")
    assert told(answers[1]).startswith("2 papers are queued.")
    assert told(answers[1]).endswith("3 papers were queued already by Ms Lee.")
    # The same click again is told the same, another confirmation that nothing is left.
    again = await post(resting, "order", **forms[1], way="now:desk")
    assert told(again) == told(answers[1])
    late = await post(resting, "order", **{**forms[1], "key": "late"}, way="now:desk")
    assert told(late) == (
        "Nothing new was queued. 3 papers were queued already by Ms Lee. "
        "2 papers were queued already by an earlier order of yours."
    )
    totals = [one["total"] for one in (await resting.get("/api/batches"))["batches"]]
    assert totals == [2, 3]


async def test_orders_at_the_same_moment_leave_no_empty_batch(resting: Service) -> None:
    ids = await many(resting, 40)
    page = await confirmed(resting, paper=ids)
    form = {"papers": hidden(page, "papers"), "way": "now:desk"}
    people = ("Ms Lee", "Mr May", "Ms Ode")
    answers = await asyncio.gather(
        *(post(resting, "order", **form, key=f"order of {one}", by=one) for one in people)
    )
    said = sorted(told(one).split(".")[0] for one in answers)
    assert said == ["40 papers are queued", "Nothing new was queued", "Nothing new was queued"]
    [batch] = (await resting.get("/api/batches"))["batches"]
    assert batch["total"] == 40
    assert (
        sum(f"40 papers were queued already by {batch['owner']}." in told(a) for a in answers) == 2
    )


def test_no_text_is_taken_for_written_whose_reader_sees_nothing() -> None:
    """The store may not ask the graders; so each letter that there is must agree with them."""
    letters = filter(str.isalnum, map(chr, range(sys.maxunicode + 1)))
    told = [one for one in letters if has_words(one) and is_blank(normalise(one))]
    assert told == []
    assert not has_words("\u3164")
    assert has_words(" \n字")
