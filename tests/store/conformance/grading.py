"""Grades: versions, at most one current, a person's never overwritten, released by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradeq.clock import ManualClock
from gradeq.errors import ChangedError, ConflictError, NotFoundError
from gradeq.model import CriterionGrade, Flag, Grade, GradeSource, SubmissionStatus
from gradeq.store.base import Store
from gradeq.store.rows import ReleaseRow, Seen

from .base import Suite
from .helpers import (
    ASSIGNMENT,
    BETTER,
    COURSE,
    GRADE,
    add,
    badges,
    claim,
    claim_one,
    current,
    done,
    graded,
    kinds_since,
    paper,
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


class ReviewSuite(Suite):
    async def test_a_review_says_who_and_when(self, store: Store, clock: ManualClock) -> None:
        [paper_id] = await graded(store, "ann")
        before = await store.last_event()
        assert not (await store.grades(paper_id))[0].is_reviewed
        await store.review(paper_id, "Ms Lee", Seen(1, 1))
        [row] = await store.grades(paper_id)
        assert (row.reviewed_by, row.reviewed_at) == ("Ms Lee", clock.now_ms())
        assert row.is_reviewed
        assert row.grade == GRADE
        assert await kinds_since(store, before) == ["grade.reviewed"]

    async def test_the_first_review_stands(self, store: Store) -> None:
        [paper_id] = await graded(store, "ann")
        await store.review(paper_id, "Ms Lee", Seen(1, 1))
        before = await store.last_event()
        await store.review(paper_id, "Mr Day", Seen(1, 1))
        assert (await store.grades(paper_id))[0].reviewed_by == "Ms Lee"
        assert await kinds_since(store, before) == []

    @pytest.mark.parametrize("by", ["", "  \t"])
    async def test_a_review_needs_a_name(self, store: Store, by: str) -> None:
        [paper_id] = await graded(store, "ann")
        with pytest.raises(ConflictError, match="name"):
            await store.review(paper_id, by, Seen(1, 1))
        assert not (await store.grades(paper_id))[0].is_reviewed

    async def test_a_grade_that_nobody_saw_is_not_reviewed(self, store: Store) -> None:
        [paper_id] = await graded(store, "ann")
        await submit(store, [paper_id])
        await settle(store, done(await claim_one(store), BETTER))
        with pytest.raises(ChangedError, match="as it is now"):
            await store.review(paper_id, "Ms Lee", Seen(1, 1))
        assert not any(row.is_reviewed for row in await store.grades(paper_id))

    async def test_an_edit_counts_as_reviewed(self, store: Store) -> None:
        ann, bob, *_ = await graded(store, "ann", "bob", "cem")
        await store.edit_grade(ann, BETTER, "Ms Lee")
        await store.review(bob, "Ms Lee", Seen(1, 1))
        assert await store.reviewed(COURSE, ASSIGNMENT) == [ann, bob]
        await store.release([ann], "Ms Lee")
        assert await store.reviewed(COURSE, ASSIGNMENT) == [bob]

    async def test_an_edit_of_what_was_not_seen_is_refused(self, store: Store) -> None:
        [paper_id] = await graded(store, "ann")
        await store.edit_grade(paper_id, BETTER, "Ms Lee", Seen(1, 1))
        with pytest.raises(ChangedError, match="Ms Lee changed this grade"):
            await store.edit_grade(paper_id, GRADE, "Mr Day", Seen(1, 1))
        assert await current(store, paper_id) == replace(BETTER, source=GradeSource.PERSON)
        await store.edit_grade(paper_id, GRADE, "Mr Day", Seen(1, 2))
        assert (await store.grades(paper_id))[0].edited_by == "Mr Day"

    async def test_a_new_text_is_no_longer_what_was_seen(self, store: Store) -> None:
        [paper_id] = await graded(store, "ann")
        await store.add_submissions([paper("ann", "A new text.")])
        for seen in (Seen(1, 1), Seen(1, 0)):
            with pytest.raises(ChangedError, match="new text"):
                await store.edit_grade(paper_id, BETTER, "Ms Lee", seen)
        await store.edit_grade(paper_id, BETTER, "Ms Lee", Seen(2, 0))

    async def test_what_cannot_be_reviewed(self, store: Store) -> None:
        [ungraded] = await add(store, "ann")
        with pytest.raises(ConflictError, match="no grade"):
            await store.review(ungraded, "Ms Lee", Seen(1, 0))
        with pytest.raises(NotFoundError):
            await store.review(999, "Ms Lee", Seen(1, 1))


class JudgedSuite(Suite):
    async def test_only_what_a_person_said_is_told(self, store: Store) -> None:
        rubric_id = await store.save_rubric("essay", "a" * 64, "source")
        await store.assign_rubric(COURSE, ASSIGNMENT, rubric_id)
        names = ("edited", "accepted", "released", "untouched", "archived", "rewritten")
        edited, accepted, released, _, archived, _ = await graded(store, *names)
        mine = Grade(1, 4, (CriterionGrade("claim", "weak", 1.0),), source=GradeSource.PERSON)
        await store.edit_grade(edited, mine, "Ms Lee")
        await store.review(accepted, "Ms Lee", Seen(1, 1))
        await store.release([released], "Ms Lee")
        await store.edit_grade(archived, mine, "Ms Lee")
        await store.archive([archived])
        found = await store.judged(rubric_id)
        assert [one.text for one in found] == [
            f"Cells and osmosis, by {name}." for name in ("edited", "accepted", "released")
        ]
        assert [one.criteria for one in found] == [mine.criteria, GRADE.criteria, GRADE.criteria]
        assert await store.judged(rubric_id, limit=2) == found[:2]

    async def test_other_rubrics_are_not_meant(self, store: Store) -> None:
        rubric_id = await store.save_rubric("essay", "a" * 64, "source")
        [paper_id] = await graded(store, "ann")
        await store.edit_grade(paper_id, BETTER, "Ms Lee")
        assert await store.judged(rubric_id) == []


class WalkSuite(Suite):
    async def test_doubtful_papers_come_first_then_by_student(self, store: Store) -> None:
        plain = Grade(1, 4, flags=(Flag.SIMULATED,))
        papers = [paper(name, student=name.title()) for name in ("dan", "bob", "cem", "ann")]
        dan, bob, cem, ann = [one.id for one in await store.add_submissions(papers)]
        await submit(store, [dan, bob, cem, ann])
        await settle(store, *[done(one, plain) for one in await claim(store)])
        await store.edit_grade(bob, BETTER, "Ms Lee")
        assert await self.walk(store) == [ann, bob, cem, dan]
        await submit(store, [cem, dan])
        flagged = [done(one, GRADE) for one in await claim(store)]
        await settle(store, *flagged)
        assert await self.walk(store) == [cem, dan, ann, bob]
        await store.edit_grade(dan, BETTER, "Ms Lee")
        assert await self.walk(store) == [cem, dan, ann, bob]
        assert await self.walk(store, doubtful_first=False) == [ann, bob, cem, dan]

    async def test_after_the_flagged_the_least_sure_come_first(self, store: Store) -> None:
        sure = {"ann": 0.9, "bob": None, "cem": 0.55, "dan": 0.6}
        papers = await store.add_submissions([paper(one, student=one) for one in sure])
        ann, bob, cem, dan = [one.id for one in papers]
        await submit(store, [ann, bob, cem, dan])
        told = [
            Grade(1, 4, flags=(Flag.PROVISIONAL,), confidence=confidence)
            for confidence in sure.values()
        ]
        claimed = sorted(await claim(store), key=lambda one: one.job.submission.id)
        await settle(store, *map(done, claimed, told))
        assert await self.walk(store) == [cem, dan, ann, bob]
        await store.edit_grade(dan, BETTER, "Ms Lee")
        assert await self.walk(store) == [cem, dan, ann, bob]
        assert await self.walk(store, doubtful_first=False) == [ann, bob, cem, dan]

    async def test_it_leads_through_one_tab(self, store: Store) -> None:
        ann, bob, cem = await graded(store, "ann", "bob", "cem")
        await store.release([ann], "Ms Lee")
        await store.archive([bob])
        assert await self.walk(store) == [cem]
        assert await self.walk(store, SubmissionStatus.RELEASED) == [ann]
        assert await store.walk(COURSE, "other", SubmissionStatus.GRADED) == []

    async def walk(
        self, store: Store, status: SubmissionStatus = SubmissionStatus.GRADED, **how: bool
    ) -> list[int]:
        return await store.walk(COURSE, ASSIGNMENT, status, **how)


class ReleaseSuite(Suite):
    async def test_a_release_is_taken_back_within_a_minute(
        self, store: Store, clock: ManualClock
    ) -> None:
        [paper_id] = await graded(store, "ann")
        await store.release([paper_id], "Ms Lee")
        released_at = clock.now_ms()
        clock.advance(60)
        before = await store.last_event()
        assert await store.take_back([paper_id], "Ms Lee") == []
        found = await store.submission(paper_id)
        assert found is not None
        assert (found.status, found.released_at, found.released_by) == ("graded", None, None)
        assert await kinds_since(store, before) == ["submission.unreleased"]
        counts = await badges(store)
        assert (counts.graded, counts.released) == (1, 0)
        await store.edit_grade(paper_id, BETTER, "Ms Lee")
        await store.release([paper_id], "Ms Lee")
        assert await store.releases(paper_id) == [
            ReleaseRow(released_at, "Ms Lee", clock.now_ms()),
            ReleaseRow(clock.now_ms(), "Ms Lee", None),
        ]

    async def test_what_is_not_taken_back(self, store: Store, clock: ManualClock) -> None:
        late, own, archived, plain = await graded(store, "late", "own", "archived", "plain")
        await store.release([late], "Ms Lee")
        clock.advance(60.001)
        await store.release([own, archived], "Ms Lee")
        await store.archive([archived])
        skipped = await store.take_back([late, plain, archived, 999], "Ms Lee")
        assert {one.submission_id: one.code for one in skipped} == {
            late: "too_late",
            plain: "not_released",
            archived: "archived",
            999: "not_found",
        }
        [refused] = await store.take_back([own], "Mr Day")
        assert (refused.code, refused.reason) == (
            "not_yours",
            "Ms Lee released it and may take it back",
        )
        with pytest.raises(ConflictError, match="name"):
            await store.take_back([own], " ")
        assert (await store.releases(own))[0].taken_back_at is None

    async def test_what_one_act_released(self, store: Store, clock: ManualClock) -> None:
        ann, bob, cem, dan = await graded(store, "ann", "bob", "cem", "dan")
        await store.release([ann, bob], "Ms Lee")
        await store.release([dan], "Mr Day")
        clock.advance(1)
        await store.release([cem], "Ms Lee")
        assert await store.released_together(bob) == [ann, bob]
        assert await store.released_together(cem) == [cem]
        await store.take_back([cem], "Ms Lee")
        assert await store.released_together(cem) == []

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
