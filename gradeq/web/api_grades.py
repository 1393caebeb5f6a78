"""A submission's grade: read, edited by a person, with its history."""

from __future__ import annotations

from gradeq.errors import NotFoundError
from gradeq.model import Submission
from gradeq.web.answers import GradeAnswer, HistoryAnswer, grade_answer
from gradeq.web.bodies import GradeEdit, Id
from gradeq.web.grade_edits import Start, blank, current_of, start_of, wrong
from gradeq.web.problems import Problem
from gradeq.web.site import Site


async def grade(site: Site, submission_id: Id) -> GradeAnswer:
    """The current grade: score, criteria with their evidence, and the flags to look at first."""
    await _paper(site, submission_id)
    current = current_of(await site.store.grades(submission_id))
    if current is None:
        raise Problem(404, "not_graded", f"submission {submission_id} has no grade")
    return grade_answer(current)


async def history(site: Site, submission_id: Id) -> HistoryAnswer:
    """Every version of the grade, who made it and when, and every try of every job."""
    await _paper(site, submission_id)
    grades = await site.store.grades(submission_id)
    attempts = await site.store.attempts_at(submission_id)
    return HistoryAnswer(
        [grade_answer(one) for one in grades], attempts, sum(one.cost for one in attempts)
    )


async def edit(site: Site, submission_id: Id, body: GradeEdit) -> GradeAnswer:
    """A person's grade, starting from the current one; no model ever overwrites it."""
    if body.score is None and body.criteria is None and body.feedback is None:
        raise Problem(422, "nothing_to_change", "name a score, criteria or feedback to change")
    paper = await _paper(site, submission_id)
    start = await _start(site, paper, body)
    row = await site.engine.edit_grade(submission_id, start.edited(body), body.by)
    return grade_answer(row)


async def _paper(site: Site, submission_id: int) -> Submission:
    paper = await site.store.submission(submission_id)
    if paper is None:
        raise NotFoundError(f"there is no submission {submission_id}")
    return paper


async def _start(site: Site, paper: Submission, body: GradeEdit) -> Start:
    """What the edit starts from; with neither a grade nor a rubric, the `max_score` it names."""
    start = await start_of(site, paper, await site.store.grades(paper.id))
    if start is not None:
        return start
    if body.max_score is None:
        raise wrong(
            "max_score_needed",
            "$.max_score",
            "this paper has neither a grade nor a rubric: name the max_score of your grade too",
        )
    return blank(body.max_score)
