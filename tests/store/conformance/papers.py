"""Submissions come in, are replaced, put away and taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradeq.clock import ManualClock
from gradeq.errors import ConflictError
from gradeq.model import SubmissionStatus
from gradeq.store.base import Store
from gradeq.store.orders import Added

from .base import Suite
from .helpers import (
    ASSIGNMENT,
    BETTER,
    COURSE,
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
    states,
    submit,
)


class PaperSuite(Suite):
    async def test_a_paper_is_kept_to_the_letter(self, store: Store, clock: ManualClock) -> None:
        text = "Zellen\r\n\tund “Osmose” \u2028 \x00 🧬"
        new = paper("a/1 ü", text, student="Ann", extra={"group": "7b", "ü": "é"})
        [added] = await store.add_submissions([new])
        found = await store.submission(added.id)
        assert found is not None
        assert (added.change, added.external_id) == ("created", "a/1 ü")
        assert (found.text, found.student, found.extra) == (text, "Ann", new.extra)
        assert (found.course, found.assignment) == (COURSE, ASSIGNMENT)
        assert (found.status, found.version) == (SubmissionStatus.SUBMITTED, 1)
        assert found.created_at == found.updated_at == clock.now_ms()

    async def test_blanks_are_no_name(self, store: Store) -> None:
        [ann, bob] = await store.add_submissions(
            [paper("ann", student=" \t"), paper("bob", student=" Bob B. ")]
        )
        assert await store.overview.names([ann.id, bob.id]) == ["ann", "Bob B."]

    async def test_a_wrongly_decoded_paper_still_goes_in(self, store: Store) -> None:
        """Half a surrogate pair cannot be stored in UTF-8."""
        [paper_id] = await add(store, "ann", text="before \udce9 after")
        found = await store.submission(paper_id)
        assert found is not None
        assert found.text == "before \ufffd after"
        [same] = await store.add_submissions([paper("ann", "before \udce9 after")])
        assert same.change == "unchanged"

    async def test_the_same_paper_again_changes_nothing(self, store: Store) -> None:
        [first] = await store.add_submissions([paper("ann")])
        before = await store.submission(first.id), await store.last_event()
        [second] = await store.add_submissions([paper("ann")])
        assert second == Added(first.id, "ann", "unchanged")
        assert (await store.submission(first.id), await store.last_event()) == before

    async def test_an_id_is_unique_in_its_assignment_only(self, store: Store) -> None:
        added = await store.add_submissions(
            [paper("ann"), paper("ann", assignment="essay-2"), paper("ann", course="chemistry")]
        )
        assert len({one.id for one in added}) == 3

    async def test_names_and_columns_may_be_corrected(self, store: Store) -> None:
        [paper_id] = await graded(store, "ann")
        await store.add_submissions([paper("ann", student="Anna", extra={"group": "8"})])
        found = await store.submission(paper_id)
        assert found is not None
        assert (found.student, found.extra, found.status) == ("Anna", {"group": "8"}, "graded")

    async def test_a_new_text_replaces_the_old_one(self, store: Store) -> None:
        [paper_id] = await graded(store, "ann")
        [replaced] = await store.add_submissions([paper("ann", "Better thoughts.")])
        assert (replaced.id, replaced.change) == (paper_id, "replaced")
        found = await store.submission(paper_id)
        assert found is not None
        assert (found.text, found.version) == ("Better thoughts.", 2)
        assert found.status == SubmissionStatus.SUBMITTED
        assert await current(store, paper_id) is None
        [kept] = await store.grades(paper_id)
        assert (kept.paper_version, kept.current) == (1, False)
        assert (await badges(store)).submitted == 1

    async def test_the_grade_of_a_new_text_points_to_it(self, store: Store) -> None:
        [paper_id] = await graded(store, "ann")
        await store.add_submissions([paper("ann", "Better thoughts.")])
        await submit(store, [paper_id])
        await settle(store, done(await claim_one(store)))
        rows = await store.grades(paper_id)
        assert [(row.version, row.paper_version, row.current) for row in rows] == [
            (2, 2, True),
            (1, 1, False),
        ]

    async def test_replacing_cancels_the_open_job(self, store: Store) -> None:
        submitted = await queued(store, "ann", "bob")
        claimed = await claim_one(store)
        await store.add_submissions([paper("ann", "New."), paper("bob", "New.")])
        assert await states(store, submitted.id) == ["cancelled", "cancelled"]
        assert await settle(store, done(claimed)) == [False]
        counts = await badges(store)
        assert (counts.submitted, counts.graded, counts.grading) == (2, 0, 0)

    async def test_decisions_of_people_keep_the_text(self, store: Store) -> None:
        archived, released, edited = await graded(store, "archived", "released", "edited")
        await store.archive([archived])
        await store.release([released], "Ms Lee")
        await store.edit_grade(edited, BETTER, "Ms Lee")
        names = ("archived", "released", "edited")
        for one in await store.add_submissions([paper(name, "New.") for name in names]):
            assert one.change == "refused"
            assert one.reason
            found = await store.submission(one.id)
            assert found is not None
            assert (found.version, found.text) == (1, f"Cells and osmosis, by {one.external_id}.")
            assert await current(store, one.id) is not None

    async def test_a_draft_is_handed_in(self, store: Store) -> None:
        draft = paper("ann", status=SubmissionStatus.IN_PROGRESS)
        [added] = await store.add_submissions([draft])
        assert (await badges(store)).in_progress == 1
        await store.add_submissions([replace(draft, status=SubmissionStatus.SUBMITTED)])
        counts = await badges(store)
        assert (counts.in_progress, counts.submitted) == (0, 1)
        await store.add_submissions([draft])
        assert (await badges(store)).submitted == 1
        assert len(await store.grades(added.id)) == 0

    @pytest.mark.parametrize("status", [SubmissionStatus.GRADED, SubmissionStatus.RELEASED])
    async def test_nothing_comes_in_graded_or_released(
        self, store: Store, status: SubmissionStatus
    ) -> None:
        with pytest.raises(ConflictError, match="'ann'"):
            await store.add_submissions([paper("bob"), paper("ann", status=status)])
        assert await store.badges(COURSE, ASSIGNMENT) is None

    async def test_an_import_is_an_event(self, store: Store) -> None:
        await add(store, "ann", "bob")
        assert await kinds_since(store, 0) == ["submissions.imported"]
        [event] = await store.events(0)
        assert (event.course, event.assignment) == (COURSE, ASSIGNMENT)

    async def test_a_paper_twice_in_one_import(self, store: Store) -> None:
        added = await store.add_submissions([paper("ann", "one"), paper("ann", "two")])
        assert [one.change for one in added] == ["created", "replaced"]
        found = await store.submission(added[0].id)
        assert found is not None
        assert found.text == "two"


class ArchiveSuite(Suite):
    async def test_archiving_cancels_the_pending_job_with_it(self, store: Store) -> None:
        submitted = await queued(store, "ann", "bob")
        [ann] = await add(store, "ann")
        assert await store.archive([ann]) == []
        assert await states(store, submitted.id) == ["cancelled", "pending"]
        job = await store.job(submitted.job_ids[0])
        assert job is not None
        assert job.reason == "archived"
        counts = await badges(store)
        assert (counts.submitted, counts.grading) == (1, 1)
        assert len(await claim(store)) == 1

    async def test_archiving_under_a_worker(self, store: Store) -> None:
        submitted = await queued(store, "ann")
        claimed = await claim_one(store)
        [ann] = await add(store, "ann")
        await store.archive([ann])
        assert await state(store, submitted.job_ids[0]) == "cancelled"
        assert await store.renew([(claimed.job.id, claimed.lease)], 60) == [claimed.job.id]
        assert await settle(store, done(claimed)) == [False]
        assert await current(store, ann) is None

    async def test_every_tab_s_badge_forgets_an_archived_paper(self, store: Store) -> None:
        [draft] = await add(store, "draft", status=SubmissionStatus.IN_PROGRESS)
        released, done_ = await graded(store, "released", "done")
        [waiting] = await add(store, "waiting")
        await store.release([released], "Ms Lee")
        before = await badges(store)
        assert (before.in_progress, before.submitted) == (1, 1)
        assert (before.graded, before.released) == (1, 1)

        everything = [draft, waiting, done_, released]
        await store.archive(everything)
        empty = await badges(store)
        assert (empty.in_progress, empty.submitted, empty.graded, empty.released) == (0, 0, 0, 0)
        await store.unarchive(everything)
        assert await badges(store) == before

    async def test_archiving_twice_and_what_is_not_there(
        self, store: Store, clock: ManualClock
    ) -> None:
        [ann] = await add(store, "ann")
        await store.archive([ann])
        first = await store.submission(ann)
        clock.advance(1)
        skipped = await store.archive([ann, 999])
        assert [(one.submission_id, one.code) for one in skipped] == [(999, "not_found")]
        assert await store.submission(ann) == first
        assert [one.code for one in await store.unarchive([ann, 999])] == ["not_found"]
        assert await store.unarchive([ann]) == []

    async def test_an_unarchived_paper_is_what_it_was(self, store: Store) -> None:
        [ann] = await graded(store, "ann")
        before = await store.last_event()
        await store.archive([ann])
        await store.unarchive([ann])
        found = await store.submission(ann)
        assert found is not None
        assert (found.status, found.archived_at) == (SubmissionStatus.GRADED, None)
        assert await current(store, ann) is not None
        told = await kinds_since(store, before)
        assert told == ["submission.archived", "submission.unarchived"]
