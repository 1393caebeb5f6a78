"""Grades: versions, at most one current, a person's never overwritten, released by name."""

from __future__ import annotations

import pytest

from gradeq.clock import ManualClock
from gradeq.errors import ConflictError, NotFoundError
from gradeq.model import Flag, Grade, GradeSource, SubmissionStatus
from gradeq.store.base import Store

from .base import Suite
from .helpers import (
    BETTER,
    GRADE,
    add,
    badges,
    claim_one,
    current,
    done,
    graded,
    kinds_since,
    queued,
    settle,
    state,
    submit,
)


class GradeSuite(Suite):
    async def test_a_grade_is_kept_to_the_letter(self, store: Store, clock: ManualClock) -> None:
        rubric_id = await store.save_rubric("essay", "a" * 64, "source")
        [paper_id] = await add(store, "ann")
        await submit(store, [paper_id], rubric_id=rubric_id)
        claimed = await claim_one(store)
        await settle(store, done(claimed, request_key="key"))
        [row] = await store.grades(paper_id)
        assert row.grade == GRADE
        assert (row.version, row.paper_version, row.current) == (1, 1, True)
        assert (row.source, row.grader, row.job_id) == ("model", "llm", claimed.job.id)
        assert (row.rubric_id, row.request_key, row.edited_by) == (rubric_id, "key", None)
        assert row.created_at == clock.now_ms()

    async def test_grading_again_makes_a_new_version(self, store: Store) -> None:
        [paper_id] = await graded(store, "ann")
        await submit(store, [paper_id])
        await settle(store, done(await claim_one(store), Grade(1, 4, source=GradeSource.CODE)))
        rows = await store.grades(paper_id)
        assert [(row.version, row.current, row.source) for row in rows] == [
            (2, True, "code"),
            (1, False, "model"),
        ]
        assert rows[1].grade == GRADE

    async def test_a_person_s_grade_is_the_next_version(self, store: Store) -> None:
        [paper_id] = await graded(store, "ann")
        row = await store.edit_grade(paper_id, BETTER, "Ms Lee")
        assert (row.version, row.current, row.source) == (2, True, GradeSource.PERSON)
        assert (row.edited_by, row.job_id) == ("Ms Lee", None)
        assert row.grade.feedback == BETTER.feedback
        assert (await store.grades(paper_id))[0] == row

    async def test_a_person_s_grade_is_never_overwritten(self, store: Store) -> None:
        [paper_id] = await graded(store, "ann")
        await submit(store, [paper_id])
        claimed = await claim_one(store)
        await store.edit_grade(paper_id, BETTER, "Ms Lee")
        assert await settle(store, done(claimed)) == [True]
        rows = await store.grades(paper_id)
        assert [(row.version, row.current, row.source) for row in rows] == [
            (3, False, "model"),
            (2, True, "person"),
            (1, False, "model"),
        ]

    async def test_a_person_may_change_it_again(self, store: Store) -> None:
        [paper_id] = await graded(store, "ann")
        await store.edit_grade(paper_id, BETTER, "Ms Lee")
        await store.edit_grade(paper_id, Grade(2, 4, flags=(Flag.BLANK,)), "Mr Day")
        rows = await store.grades(paper_id)
        assert [(row.current, row.edited_by) for row in rows] == [
            (True, "Mr Day"),
            (False, "Ms Lee"),
            (False, None),
        ]

    async def test_a_person_may_grade_a_paper_that_no_model_did(self, store: Store) -> None:
        [paper_id] = await add(store, "ann")
        await store.edit_grade(paper_id, BETTER, "Ms Lee")
        counts = await badges(store)
        assert (counts.submitted, counts.graded) == (0, 1)

    async def test_an_edit_is_an_event(self, store: Store) -> None:
        [paper_id] = await graded(store, "ann")
        before = await store.last_event()
        await store.edit_grade(paper_id, BETTER, "Ms Lee")
        assert await kinds_since(store, before) == ["grade.edited"]

    @pytest.mark.parametrize("by", ["", "  \t"])
    async def test_an_edit_needs_a_name(self, store: Store, by: str) -> None:
        [paper_id] = await graded(store, "ann")
        with pytest.raises(ConflictError, match="name"):
            await store.edit_grade(paper_id, BETTER, by)
        assert len(await store.grades(paper_id)) == 1

    async def test_what_cannot_be_edited(self, store: Store) -> None:
        [draft] = await add(store, "draft", status=SubmissionStatus.IN_PROGRESS)
        [released] = await graded(store, "released")
        await store.release([released], "Ms Lee")
        for paper_id in (draft, released):
            with pytest.raises(ConflictError, match="not changed"):
                await store.edit_grade(paper_id, BETTER, "Ms Lee")
        with pytest.raises(NotFoundError):
            await store.edit_grade(999, BETTER, "Ms Lee")


class ReleaseSuite(Suite):
    async def test_a_release_says_who_and_when(self, store: Store, clock: ManualClock) -> None:
        [paper_id] = await graded(store, "ann")
        clock.advance(60)
        assert await store.release([paper_id], "Ms Lee") == []
        paper = await store.submission(paper_id)
        assert paper is not None
        assert (paper.status, paper.released_by) == (SubmissionStatus.RELEASED, "Ms Lee")
        assert paper.released_at == clock.now_ms()
        counts = await badges(store)
        assert (counts.graded, counts.released) == (0, 1)

    @pytest.mark.parametrize("by", ["", "  \t"])
    async def test_a_release_needs_a_name(self, store: Store, by: str) -> None:
        [paper_id] = await graded(store, "ann")
        with pytest.raises(ConflictError, match="name"):
            await store.release([paper_id], by)
        assert (await badges(store)).released == 0

    async def test_only_graded_papers_are_released(self, store: Store) -> None:
        archived, fine = await graded(store, "archived", "fine")
        [draft] = await add(store, "draft", status=SubmissionStatus.IN_PROGRESS)
        [ungraded] = await add(store, "ungraded")
        await store.archive([archived])
        skipped = await store.release([draft, ungraded, archived, fine, 999, fine], "Ms Lee")
        assert {one.submission_id: one.code for one in skipped} == {
            draft: "not_graded",
            ungraded: "not_graded",
            archived: "archived",
            999: "not_found",
        }
        assert (await badges(store)).released == 1

    async def test_the_first_release_stands(self, store: Store, clock: ManualClock) -> None:
        [paper_id] = await graded(store, "ann")
        await store.release([paper_id], "Ms Lee")
        first = await store.submission(paper_id)
        clock.advance(1)
        assert await store.release([paper_id], "Mr Day") == []
        assert await store.submission(paper_id) == first

    async def test_what_students_see_changes_only_by_a_person(self, store: Store) -> None:
        """A paper that is being graded again keeps the grade that was released."""
        [paper_id] = await graded(store, "ann")
        regrading = await submit(store, [paper_id])
        claimed = await claim_one(store)
        await store.release([paper_id], "Ms Lee")
        assert await state(store, regrading.job_ids[0]) == "cancelled"
        assert await settle(store, done(claimed, Grade(0, 4))) == [False]
        assert await current(store, paper_id) == GRADE
        assert await store.retry(job_ids=regrading.job_ids) == 0

    async def test_nothing_is_released_by_itself(self, store: Store) -> None:
        submitted = await queued(store, "ann", "bob")
        await settle(store, done(await claim_one(store)), done(await claim_one(store)))
        await store.retry(batch_id=submitted.id)
        await store.expire()
        assert (await badges(store)).released == 0
