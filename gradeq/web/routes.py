"""The table of routes: everything that can be asked for under /api, and the probes."""

from __future__ import annotations

from gradeq.store.rows import Badges
from gradeq.web import (
    api_batches,
    api_courses,
    api_grades,
    api_grading,
    api_papers,
    api_people,
    api_queue,
    live,
    rights,
)
from gradeq.web.bodies import Paper, RubricSource
from gradeq.web.endpoint import Endpoint
from gradeq.web.intake import JSON

_ASSIGNMENT = "/api/courses/{course}/assignments/{assignment}"
_JOB = "/api/jobs/{job_id:int}"
_SUBMISSION = "/api/submissions/{submission_id:int}"
_BATCH = "/api/batches/{batch_id:int}"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/api/courses", api_courses.courses, rule=rights.by_itself),
    Endpoint(
        "GET",
        f"{_ASSIGNMENT}/badges",
        api_courses.badges,
        rule=rights.of_course,
        answer=Badges,
        codes=("not_found",),
    ),
    Endpoint(
        "GET",
        f"{_ASSIGNMENT}/rubric",
        api_courses.rubric,
        rule=rights.of_course,
        codes=("not_found", "no_rubric"),
    ),
    Endpoint(
        "PUT",
        f"{_ASSIGNMENT}/rubric",
        api_courses.put_rubric,
        rule=rights.of_course,
        read=api_courses.read_rubric,
        consumes={api_courses.TOML: str, "text/plain": str, JSON: RubricSource},
        codes=("not_found", "bad_rubric", "bad_encoding"),
    ),
    Endpoint(
        "POST",
        "/api/grade",
        api_grading.grade,
        rule=rights.by_itself,
        status=202,
        codes=(
            "not_found",
            "no_rubric",
            "no_reference",
            "conflict",
            "nothing_to_grade",
            "ambiguous_id",
            "unknown_grader",
            "no_prices",
        ),
    ),
    Endpoint("GET", _JOB, api_grading.job, rule=rights.of_job, codes=("not_found",)),
    Endpoint(
        "POST",
        f"{_JOB}/cancel",
        api_grading.cancel_job,
        rule=rights.of_job,
        codes=("not_found", "not_open"),
    ),
    Endpoint(
        "POST",
        f"{_JOB}/retry",
        api_grading.retry_job,
        rule=rights.of_job,
        codes=("not_found", "not_retryable"),
    ),
    Endpoint(
        "GET", "/api/submissions", api_papers.listed, rule=rights.of_course, codes=("not_found",)
    ),
    Endpoint(
        "POST",
        "/api/submissions",
        api_papers.add,
        rule=rights.by_itself,
        status=201,
        limit=api_papers.IMPORT_LIMIT,
        read=api_papers.read_papers,
        consumes={JSON: Paper | list[Paper]},
        codes=("not_found", "too_many"),
    ),
    Endpoint(
        "POST",
        "/api/submissions/release",
        api_papers.release,
        rule=rights.by_itself,
        codes=("ambiguous_id", "conflict"),
    ),
    Endpoint(
        "POST",
        "/api/submissions/archive",
        api_papers.archive,
        rule=rights.by_itself,
        codes=("ambiguous_id",),
    ),
    Endpoint(
        "POST",
        "/api/submissions/unarchive",
        api_papers.unarchive,
        rule=rights.by_itself,
        codes=("ambiguous_id",),
    ),
    Endpoint("GET", _SUBMISSION, api_papers.one, rule=rights.of_submission, codes=("not_found",)),
    Endpoint(
        "GET",
        f"{_SUBMISSION}/grade",
        api_grades.grade,
        rule=rights.of_submission,
        codes=("not_found", "not_graded"),
    ),
    Endpoint(
        "PUT",
        f"{_SUBMISSION}/grade",
        api_grades.edit,
        rule=rights.of_submission,
        codes=(
            "not_found",
            "conflict",
            "nothing_to_change",
            "max_score_needed",
            "unknown_criterion",
            "points_out_of_range",
            "score_mismatch",
            "score_out_of_range",
        ),
    ),
    Endpoint(
        "GET",
        f"{_SUBMISSION}/history",
        api_grades.history,
        rule=rights.of_submission,
        codes=("not_found",),
    ),
    Endpoint("GET", "/api/batches", api_batches.batches, rule=rights.by_itself),
    Endpoint("GET", _BATCH, api_batches.batch, rule=rights.of_batch, codes=("not_found",)),
    Endpoint(
        "PUT",
        _BATCH,
        api_batches.change,
        rule=rights.of_batch,
        codes=("not_found", "nothing_to_change", "no_prices"),
    ),
    Endpoint("GET", f"{_BATCH}/jobs", api_batches.jobs, rule=rights.of_batch, codes=("not_found",)),
    Endpoint(
        "POST",
        f"{_BATCH}/pause",
        api_batches.pause,
        rule=rights.of_batch,
        codes=("not_found", "conflict"),
    ),
    Endpoint(
        "POST", f"{_BATCH}/resume", api_batches.resume, rule=rights.of_batch, codes=("not_found",)
    ),
    Endpoint(
        "POST",
        f"{_BATCH}/cancel",
        api_batches.cancel,
        rule=rights.of_batch,
        codes=("not_found", "not_open"),
    ),
    Endpoint(
        "POST",
        f"{_BATCH}/retry",
        api_batches.retry,
        rule=rights.of_batch,
        codes=("not_found", "not_retryable"),
    ),
    Endpoint("GET", "/api/queue", api_queue.queue, rule=rights.administrators),
    Endpoint(
        "POST",
        "/api/queue/{pool}/resume",
        api_queue.resume,
        rule=rights.administrators,
        codes=("not_found", "conflict"),
    ),
    Endpoint("GET", "/api/stats", api_queue.stats, rule=rights.administrators),
    Endpoint(
        "GET",
        "/api/events",
        live.events,
        rule=rights.by_itself,
        answer=str,
        media_type=live.MEDIA_TYPE,
        codes=("not_found", "stopping", "too_many_streams", "invalid_header"),
    ),
    Endpoint("GET", "/api/tokens", api_people.tokens, rule=rights.administrators),
    Endpoint(
        "POST",
        "/api/tokens",
        api_people.give_token,
        rule=rights.administrators,
        status=201,
        codes=("conflict",),
    ),
    Endpoint(
        "DELETE",
        "/api/tokens/{handle}",
        api_people.revoke,
        rule=rights.administrators,
        codes=("not_found",),
    ),
    Endpoint(
        "POST",
        "/api/links",
        api_people.give_link,
        rule=rights.administrators,
        status=201,
        codes=("not_found",),
    ),
    Endpoint("GET", "/healthz", api_queue.healthz, rule=rights.everybody),
    Endpoint("GET", "/readyz", api_queue.readyz, rule=rights.everybody, codes=("not_ready",)),
)
