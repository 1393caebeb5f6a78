"""The table of routes: everything that can be asked for under /api, and the probes."""

from __future__ import annotations

from gradeq.store.base import Badges
from gradeq.web import (
    api_batches,
    api_courses,
    api_grades,
    api_grading,
    api_papers,
    api_queue,
    live,
)
from gradeq.web.bodies import Paper, RubricSource
from gradeq.web.endpoint import Endpoint
from gradeq.web.intake import JSON

_ASSIGNMENT = "/api/courses/{course}/assignments/{assignment}"
_JOB = "/api/jobs/{job_id:int}"
_SUBMISSION = "/api/submissions/{submission_id:int}"
_BATCH = "/api/batches/{batch_id:int}"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/api/courses", api_courses.courses),
    Endpoint(
        "GET",
        f"{_ASSIGNMENT}/badges",
        api_courses.badges,
        answer=Badges,
        codes=("not_found",),
    ),
    Endpoint("GET", f"{_ASSIGNMENT}/rubric", api_courses.rubric, codes=("no_rubric",)),
    Endpoint(
        "PUT",
        f"{_ASSIGNMENT}/rubric",
        api_courses.put_rubric,
        read=api_courses.read_rubric,
        consumes={api_courses.TOML: str, "text/plain": str, JSON: RubricSource},
        codes=("bad_rubric", "bad_encoding"),
    ),
    Endpoint(
        "POST",
        "/api/grade",
        api_grading.grade,
        status=202,
        codes=(
            "not_found",
            "no_rubric",
            "conflict",
            "nothing_to_grade",
            "ambiguous_id",
            "unknown_grader",
            "no_prices",
        ),
    ),
    Endpoint("GET", _JOB, api_grading.job, codes=("not_found",)),
    Endpoint("POST", f"{_JOB}/cancel", api_grading.cancel_job, codes=("not_found", "not_open")),
    Endpoint("POST", f"{_JOB}/retry", api_grading.retry_job, codes=("not_found", "not_retryable")),
    Endpoint("GET", "/api/submissions", api_papers.listed, codes=("not_found",)),
    Endpoint(
        "POST",
        "/api/submissions",
        api_papers.add,
        status=201,
        limit=api_papers.IMPORT_LIMIT,
        read=api_papers.read_papers,
        consumes={JSON: Paper | list[Paper]},
        codes=("too_many",),
    ),
    Endpoint(
        "POST", "/api/submissions/release", api_papers.release, codes=("ambiguous_id", "conflict")
    ),
    Endpoint("POST", "/api/submissions/archive", api_papers.archive, codes=("ambiguous_id",)),
    Endpoint("POST", "/api/submissions/unarchive", api_papers.unarchive, codes=("ambiguous_id",)),
    Endpoint("GET", _SUBMISSION, api_papers.one, codes=("not_found",)),
    Endpoint("GET", f"{_SUBMISSION}/grade", api_grades.grade, codes=("not_found", "not_graded")),
    Endpoint(
        "PUT",
        f"{_SUBMISSION}/grade",
        api_grades.edit,
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
    Endpoint("GET", f"{_SUBMISSION}/history", api_grades.history, codes=("not_found",)),
    Endpoint("GET", "/api/batches", api_batches.batches),
    Endpoint("GET", _BATCH, api_batches.batch, codes=("not_found",)),
    Endpoint(
        "PUT", _BATCH, api_batches.change, codes=("not_found", "nothing_to_change", "no_prices")
    ),
    Endpoint("GET", f"{_BATCH}/jobs", api_batches.jobs, codes=("not_found",)),
    Endpoint("POST", f"{_BATCH}/pause", api_batches.pause, codes=("not_found", "conflict")),
    Endpoint("POST", f"{_BATCH}/resume", api_batches.resume, codes=("not_found",)),
    Endpoint("POST", f"{_BATCH}/cancel", api_batches.cancel, codes=("not_found", "not_open")),
    Endpoint("POST", f"{_BATCH}/retry", api_batches.retry, codes=("not_found", "not_retryable")),
    Endpoint("GET", "/api/queue", api_queue.queue),
    Endpoint("POST", "/api/queue/{pool}/resume", api_queue.resume, codes=("not_found", "conflict")),
    Endpoint("GET", "/api/stats", api_queue.stats),
    Endpoint(
        "GET",
        "/api/events",
        live.events,
        answer=str,
        media_type=live.MEDIA_TYPE,
        codes=("stopping", "too_many_streams", "invalid_header"),
    ),
    Endpoint("GET", "/healthz", api_queue.healthz),
    Endpoint("GET", "/readyz", api_queue.readyz, codes=("not_ready",)),
)
