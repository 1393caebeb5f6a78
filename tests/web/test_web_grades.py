"""Reading and editing a grade."""

from __future__ import annotations

from typing import Any

import httpx
from web_kit import ESSAY, Service, code


async def graded(service: Service, grader: str = "llm") -> str:
    """The path of a paper with a grade."""
    await service.put_rubric()
    ids = await service.add(ESSAY)
    ordered = await service.grade(submission_ids=ids, grader=grader)
    await service.batch_ended(ordered["batch_id"])
    return f"/api/submissions/{ids[0]}"


async def edit(service: Service, path: str, **body: Any) -> httpx.Response:
    return await service.client.put(f"{path}/grade", json={"by": "Ms Lee", **body})


async def test_a_grade_tells_points_evidence_and_flags(service: Service) -> None:
    path = await graded(service)
    grade = await service.get(f"{path}/grade")
    assert (grade["source"], grade["grader"], grade["version"]) == ("model", "llm", 1)
    assert [one["id"] for one in grade["criteria"]] == ["claim", "evidence"]
    assert grade["score"] == sum(one["points"] for one in grade["criteria"])
    quotes = [quote for one in grade["criteria"] for quote in one["evidence"]]
    assert quotes
    for quote in quotes:
        assert ESSAY[quote["start"] : quote["end"]] == quote["quote"]
    assert "simulated" in grade["flags"]


async def test_what_has_no_grade_says_so(resting: Service) -> None:
    ids = await resting.add(ESSAY)
    answer = await resting.client.get(f"/api/submissions/{ids[0]}/grade")
    assert code(answer, 404) == "not_graded"
    for path in ("/api/submissions/99/grade", "/api/submissions/99/history"):
        assert code(await resting.client.get(path), 404) == "not_found"
    assert code(await edit(resting, "/api/submissions/99", score=1), 404) == "not_found"


async def test_points_of_one_criterion_change_the_total(service: Service) -> None:
    path = await graded(service)
    before = await service.get(f"{path}/grade")
    criteria = [{"id": "claim", "points": 3, "reason": "It is clear."}]
    answer = await edit(service, path, criteria=criteria)
    grade = answer.json()
    claim, evidence = grade["criteria"]
    assert (claim["points"], claim["level"], claim["reason"]) == (3.0, "clear", "It is clear.")
    assert claim["evidence"] == before["criteria"][0]["evidence"]
    assert evidence == before["criteria"][1]
    assert grade["score"] == 3.0 + evidence["points"]
    assert (grade["source"], grade["edited_by"], grade["version"]) == ("person", "Ms Lee", 2)
    assert grade["feedback"] == before["feedback"]
    assert grade["flags"] == ["simulated"]
    assert await service.get(f"{path}/grade") == grade


async def test_points_between_the_levels_are_marked_as_by_hand(service: Service) -> None:
    path = await graded(service)
    for edited, level in (({}, "by hand"), ({"level": "nearly clear"}, "nearly clear")):
        criteria = [{"id": "claim", "points": 2.5, **edited}]
        grade = (await edit(service, path, criteria=criteria)).json()
        assert (grade["criteria"][0]["points"], grade["criteria"][0]["level"]) == (2.5, level)


async def test_score_and_feedback_alone(service: Service) -> None:
    path = await graded(service)
    before = await service.get(f"{path}/grade")
    grade = (await edit(service, path, score=4.5, feedback="Well argued.")).json()
    assert (grade["score"], grade["feedback"]) == (4.5, "Well argued.")
    assert grade["criteria"] == before["criteria"]
    again = (await edit(service, path, feedback="")).json()
    assert (again["score"], again["feedback"], again["version"]) == (4.5, "", 3)


WRONG_EDITS: list[Any] = [
    ({}, "nothing_to_change"),
    ({"score": 5.5}, "score_out_of_range"),
    ({"score": -1}, "score_out_of_range"),
    ({"score": "5"}, "invalid_body"),
    ({"score": 1e10}, "invalid_body"),
    ({"score": 1, "points": 1}, "invalid_body"),
    ({"score": 1, "by": " "}, "invalid_body"),
    ({"feedback": "a\0b"}, "invalid_body"),
    ({"criteria": [{"id": "claim"}]}, "invalid_body"),
    ({"criteria": [{"id": "claim", "points": 4}]}, "points_out_of_range"),
    ({"criteria": [{"id": "claim", "points": -1}]}, "points_out_of_range"),
    ({"criteria": [{"id": "style", "points": 1}]}, "unknown_criterion"),
    ({"criteria": [{"id": "claim", "points": 3}], "score": 0}, "score_mismatch"),
]


async def test_an_edit_outside_the_rubric_changes_nothing(service: Service) -> None:
    path = await graded(service)
    for body, wanted in WRONG_EDITS:
        assert code(await edit(service, path, **body), 422) == wanted, body
    assert (await service.get(f"{path}/grade"))["version"] == 1


async def test_an_edit_needs_a_person(service: Service) -> None:
    path = await graded(service)
    answer = await service.client.put(f"{path}/grade", json={"score": 1})
    assert code(answer, 422) == "invalid_body"
    assert "by" in answer.json()["detail"]


async def test_a_released_grade_stands(service: Service) -> None:
    path = await graded(service)
    release = {"submission_ids": ["p1"], "by": "Ms Lee"}
    await service.client.post("/api/submissions/release", json=release)
    answer = await edit(service, path, score=1)
    assert code(answer, 409) == "conflict"
    assert "released" in answer.json()["detail"]
    assert (await service.get(f"{path}/grade"))["version"] == 1


async def test_a_draft_is_not_graded_by_hand_either(resting: Service) -> None:
    await resting.put_rubric()
    [draft] = await resting.add("x", status="in_progress")
    assert code(await edit(resting, f"/api/submissions/{draft}", score=1), 409) == "conflict"


async def test_an_ungraded_paper_is_graded_by_hand_by_its_rubric(resting: Service) -> None:
    await resting.put_rubric()
    [first] = await resting.add(ESSAY)
    criteria = [{"id": "claim", "points": 1}]
    grade = (await edit(resting, f"/api/submissions/{first}", criteria=criteria)).json()
    assert (grade["score"], grade["max_score"]) == (1.0, 5.0)
    assert [(one["level"], one["points"]) for one in grade["criteria"]] == [
        ("vague", 1.0),
        ("cannot_assess", None),
    ]
    assert (await resting.badges())["graded"] == 1
    criteria = [{"id": "evidence", "points": 9}]
    answer = await edit(resting, f"/api/submissions/{first}", criteria=criteria)
    assert code(answer, 422) == "points_out_of_range"


async def test_without_grade_and_rubric_the_maximum_is_needed(resting: Service) -> None:
    [first] = await resting.add(ESSAY)
    path = f"/api/submissions/{first}"
    assert code(await edit(resting, path, score=7), 422) == "max_score_needed"
    grade = (await edit(resting, path, score=7, max_score=10)).json()
    assert (grade["score"], grade["max_score"], grade["criteria"]) == (7.0, 10.0, [])


async def test_a_grade_of_code_knows_no_rubric(service: Service) -> None:
    """The assignment's rubric has nothing to say about what other code graded."""
    path = await graded(service, grader="desk")
    grade = (await edit(service, path, score=2)).json()
    assert (grade["score"], grade["max_score"]) == (2.0, 2.0)
    assert code(await edit(service, path, score=3), 422) == "score_out_of_range"


async def test_history_tells_every_version_and_every_try(service: Service) -> None:
    path = await graded(service)
    await edit(service, path, score=1)
    await service.batch_ended((await service.grade(submission_ids=["p1"]))["batch_id"])
    history = await service.get(f"{path}/history")
    assert [(one["version"], one["source"], one["current"]) for one in history["grades"]] == [
        (3, "model", False),
        (2, "person", True),
        (1, "model", False),
    ]
    assert history["grades"][1]["edited_by"] == "Ms Lee"
    assert all(one["created_at"] > 0 for one in history["grades"])
    jobs = [one["job_id"] for one in history["attempts"]]
    assert jobs == sorted(jobs)
    assert len(jobs) >= 1
