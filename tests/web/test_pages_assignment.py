"""The page of an assignment: its list, and what people do to the papers in it."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from assignment_kit import (
    BLANK,
    PAGE,
    confirmed,
    get,
    graded,
    hidden,
    jobs,
    many,
    papers,
    post,
    states,
    told,
)
from starlette.requests import Request
from web_kit import (
    ESSAY,
    Desk,
    Service,
    make_engine,
    served_app,
)

from gradeq import Grade, NewSubmission
from gradeq.web import create_app
from gradeq.web.people import Person


async def test_five_thousand_papers_come_fifty_at_a_time(resting: Service) -> None:
    ids = await many(resting, 5000)
    first = await get(resting)
    assert papers(first) == ids[:50]
    assert "Page 1 of 100" in first
    assert "All 5,000 papers of this tab" in first
    assert papers(await get(resting, page=100)) == ids[-50:]
    assert papers(await get(resting, page=101)) == ids[-50:]
    assert papers(await get(resting, sort="-time")) == ids[:-51:-1]
    assert papers(await get(resting, sort="student")) == ids[:-51:-1]
    assert papers(await get(resting, sort="-student", page=2)) == ids[50:100]
    assert papers(await get(resting, find="STUDENT 0001")) == [ids[-1]]
    assert papers(await get(resting, find="p123")) == ids[1230:1240]
    assert "Page 1 of" not in await get(resting, find="p123")


async def test_scores_order_what_is_graded(service: Service) -> None:
    ids = await service.add("x", "x", "x")
    for paper, score in zip(ids, (2.0, 9.5, 0.0), strict=True):
        await service.engine.edit_grade(paper, Grade(score, 10.0), "Ms Lee")
    page = await get(service, tab="graded", sort="-score")
    assert papers(page) == [ids[1], ids[0], ids[2]]
    assert "9.5 of 10" in page
    assert "changed by Ms Lee" in page


@pytest.mark.parametrize("odd", ["tab=x", "page=x", "page=-1", "page=²", "sort=x", "find=%00%ff"])
async def test_what_makes_no_sense_is_passed_over(resting: Service, odd: str) -> None:
    await resting.add(ESSAY)
    answer = await resting.client.get(f"{PAGE}?{odd}")
    assert answer.status_code == 200
    assert "Submitted" in answer.text


async def test_an_assignment_without_papers_is_not_found(resting: Service) -> None:
    assert (await resting.client.get(PAGE)).status_code == 404


async def test_each_state_is_told(service: Service, desk: Desk) -> None:
    await service.add("x", "hold", "refuse it", "x", BLANK)
    await service.add("x", first=6, status="in_progress")
    await service.grade(submission_ids=["p2", "p3"], grader="desk")
    await desk.busy.wait()
    [job] = [one for one in await jobs(service) if one["external_id"] == "p3"]
    await service.job_ended(job["id"])
    await service.client.post(
        "/api/submissions/archive", json={"submission_ids": ["p4"], "by": "L"}
    )
    page = await get(service)
    assert states(page) == ["resting", "processing", "stayed", "resting"]
    assert "it cannot be read" in page
    assert states(await get(service, tab="in_progress")) == ["in_progress"]
    assert states(await get(service, tab="archived")) == ["archived"]
    desk.go.set()


# Changes ------------------------------------------------------------------------------------------


async def test_papers_of_other_assignments_cannot_be_touched(service: Service) -> None:
    [ours] = await service.add("x")
    [theirs] = await service.add("refuse", course="chemistry")
    await graded(service, [theirs])
    for what in ("grade", "order", "archive", "unarchive", "release"):
        for form in ({"paper": [ours, theirs]}, {"papers": f"{ours} {theirs}"}):
            answer = await post(service, what, **form, by="L", way="now:desk")
            assert answer.status_code == 404, what
    assert (await post(service, "retry", job="1")).status_code == 404
    assert (await post(service, "take-back", paper=theirs)).status_code == 404
    for odd in ("", "x", "99", "9" * 30):
        assert (await post(service, "retry", job=odd)).status_code == 404
    assert (await service.get("/api/batches"))["batches"][0]["id"] == 1
    assert (await service.get(f"/api/submissions/{theirs}"))["archived_at"] is None


async def test_a_batch_of_another_assignment_cannot_be_steered(resting: Service) -> None:
    await resting.add("x")
    [theirs] = await resting.add("x", course="chemistry")
    await resting.grade(submission_ids=[theirs], grader="desk")
    for what in ("pause", "resume", "cancel"):
        answer = await post(resting, f"batches/1/{what}", tab="graded", page="2")
        assert told(answer).startswith("That batch is over, or belongs to another assignment")
        assert "tab=graded&page=2" in answer.headers["location"]
    assert (await resting.get("/api/batches/1"))["status"] == "pending"


class OneCourse:
    async def person(self, request: Request) -> Person:
        return Person("Ms Lee", is_admin=False, courses=frozenset({"chemistry"}))


async def test_courses_of_others_are_not_there(tmp_path: Path, desk: Desk) -> None:
    engine = make_engine(tmp_path, desk, work=False)
    async with engine, served_app(create_app(engine, identity=OneCourse())) as (client, _):
        await engine.add([NewSubmission("p", "x", course="biology", assignment="sleep")])
        await engine.add([NewSubmission("p", "x", course="chemistry", assignment="acids")])
        assert (await client.get("/courses/chemistry/assignments/acids")).status_code == 200
        assert (await client.get(PAGE)).status_code == 404
        for what in ("grade", "order", "release", "take-back", "archive", "unarchive", "retry"):
            assert (await client.post(f"{PAGE}/{what}", data={"all": "1"})).status_code == 404
        assert await engine.store.batches() == []


async def test_a_batch_with_papers_of_others_is_not_steered(tmp_path: Path, desk: Desk) -> None:
    engine = make_engine(tmp_path, desk, work=False)
    async with engine, served_app(create_app(engine, identity=OneCourse())) as (client, _):
        papers = [
            NewSubmission("p", "x", course=course, assignment="acids")
            for course in ("chemistry", "biology")
        ]
        batch = await engine.submit(papers, grader="desk")
        for what in ("pause", "cancel"):
            place = f"/courses/chemistry/assignments/acids/batches/{batch.id}/{what}"
            answer = await client.post(place, data={"by": "Ms Lee"})
            assert "has+papers+of+other+courses" in answer.headers["location"]
        row = await engine.store.batch(batch.id)
        assert row is not None
        assert (row.paused_at, row.cancelled) == (None, 0)


async def test_an_act_leads_back_to_the_same_page_of_the_same_list(resting: Service) -> None:
    ids = await many(resting, 120)
    seen = {"tab": "submitted", "find": "student", "sort": "-student", "page": "3"}
    page = await get(resting, **seen)
    assert hidden(page, "page") == "3"
    answers = [
        await post(resting, "archive", paper=ids[:1], **seen),
        await post(resting, "batches/9/pause", **seen),
        await post(resting, "grade", **seen),
        await post(resting, "order", papers=str(ids[5]), way="now:desk", **seen),
    ]
    for answer in answers:
        assert "find=student&sort=-student&page=3&told=" in answer.headers["location"]
    assert f"{PAGE}?find=student&amp;sort=-student&amp;page=3" in await confirmed(
        resting, paper=ids[7:8], **seen
    )


async def test_a_reason_without_other_words_quotes_nothing(resting: Service) -> None:
    await resting.grade(submission_ids=await resting.add("x"), grader="desk")
    await post(resting, "batches/1/cancel")
    page = await get(resting)
    assert "It was cancelled." in page
    assert "<q" not in page


async def test_a_release_carries_a_name(service: Service) -> None:
    ids = await service.add("x", "x")
    await graded(service, ids)
    assert 'name="by"' in await get(service, tab="graded")
    answer = await post(service, "release", all="1", tab="graded", by="  ")
    assert answer.status_code == 422
    assert "name of the person" in answer.text
    answer = await post(service, "release", paper=ids[:1], tab="graded", by="Ms Lee")
    assert told(answer) == "One paper is released."
    assert "released by Ms Lee" in await get(service, tab="released")
    service.client.cookies.extract_cookies(answer)
    assert 'name="by"' not in await get(service, tab="graded")
    answer = await post(service, "release", paper=ids, tab="graded")
    assert told(answer) == "2 papers are released."


async def test_what_is_not_graded_is_not_released(service: Service) -> None:
    ids = await service.add("x", "x")
    await graded(service, ids[:1])
    answer = await post(service, "release", paper=ids, tab="graded", by="Ms Lee")
    assert told(answer).startswith("One paper is released. One was left as it is")


async def test_what_was_released_from_the_list_is_taken_back(service: Service) -> None:
    """What the act released, and nothing that was released before."""
    before, *ids = await service.add("x", "x", "x", "x")
    await graded(service, [before, *ids])
    service.client.cookies.set("gradeq_name", "Ms%20Lee")
    await post(service, "release", paper=[before], tab="graded")
    answer = await post(service, "release", paper=[before, *ids[:2]], tab="graded")
    page = (await service.client.get(answer.headers["location"])).text
    assert hidden(page, "paper") == str(ids[0])
    back = re.search(r'class="told undo" method="post" action="([^"]*)"', page)
    assert back is not None
    answer = await service.client.post(unescape(back[1]), data={"paper": ids[0]})
    assert told(answer) == "Taken back: 2 grades are not released any more."
    assert papers(await get(service, tab="released")) == [before]
    assert papers(await get(service, tab="graded")) == ids


async def test_a_release_of_others_is_not_taken_back(service: Service) -> None:
    [paper] = await service.add("x")
    await graded(service, [paper])
    released = await post(service, "release", paper=[paper], tab="graded", by="Ms Lee")
    service.client.cookies.set("gradeq_name", "Mr%20Day")
    page = (await service.client.get(released.headers["location"])).text
    assert 'class="told undo"' not in page
    for odd in (str(paper), "", "x", "0", "9" * 30):
        answer = await post(service, "take-back", paper=odd)
        assert told(answer).startswith("Nothing was taken back")
    assert papers(await get(service, tab="released")) == [paper]


async def test_archived_and_back(resting: Service) -> None:
    ids = await resting.add("x", "x", "x")
    assert told(await post(resting, "archive", paper=ids[:2])) == "2 papers are archived."
    assert papers(await get(resting, tab="archived")) == ids[:2]
    answer = await post(resting, "unarchive", all="1", tab="archived")
    assert told(answer) == "2 papers are back from the archive."
    assert papers(await get(resting)) == ids


async def test_a_paper_that_stayed_is_tried_again(service: Service) -> None:
    [paper] = await service.add("refuse")
    await graded(service, [paper])
    page = await get(service)
    job = re.search(r'name="job" value="(\d+)"', page)
    assert job is not None
    assert told(await post(service, "retry", job=job[1])) == "It is queued again."
    await service.job_ended(int(job[1]))
    await service.engine.archive([paper])
    assert told(await post(service, "retry", job=job[1])).startswith("It was not queued")


async def test_a_batch_is_paused_resumed_and_cancelled(resting: Service) -> None:
    await many(resting, 3)
    await resting.grade(course="biology", assignment="sleep", grader="desk")
    assert "0 of 3 done" in await get(resting)
    assert told(await post(resting, "batches/1/pause", by="Ms Lee")).startswith("It is paused.")
    page = await get(resting)
    assert "paused by Ms Lee" in page
    assert states(page) == ["paused"] * 3
    assert told(await post(resting, "batches/1/resume")) == "It goes on."
    assert "paused" not in await get(resting)
    assert told(await post(resting, "batches/1/cancel")).startswith("The rest was cancelled")
    page = await get(resting)
    assert 'id="running"' not in page
    assert states(page) == ["stayed"] * 3
    answer = await post(resting, "batches/1/resume")
    assert told(answer).startswith("That batch is over")


async def test_german_is_whole(resting: Service) -> None:
    await many(resting, 60)
    headers = {"Accept-Language": "de"}
    page = (await resting.client.get(PAGE, headers=headers)).text
    assert "Mit KI bewerten" in page
    assert "Seite 1 von 2" in page
    answer = await resting.client.post(f"{PAGE}/grade", data={"all": "1"}, headers=headers)
    assert "60 Arbeiten werden bewertet." in answer.text
