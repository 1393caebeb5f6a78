"""The schema holds the invariants by itself, whatever a program does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from gradeq.store.sql import load_queries, load_schema

# Two papers of one class: 1 is graded by job 1, 2 waits with job 2. Batch 1 holds both.
_SEED = """
PRAGMA foreign_keys = ON;
INSERT INTO owners (name) VALUES ('ms-lee');
INSERT INTO assignments (course, name) VALUES ('biology', 'essay'), ('biology', 'poem');
INSERT INTO submissions (assignment_id, external_id, student, status, created_at, updated_at)
VALUES (1, 'ann', '', 'submitted', 1, 1), (1, 'bob', '', 'submitted', 1, 1);
INSERT INTO papers SELECT id, 1, '', printf('%064d', 0), 1 FROM submissions;
INSERT INTO batches (grader, pool, owner_id, created_at, updated_at, started_at)
VALUES ('llm', 'claude', 1, 1, 1, 1);
INSERT INTO order_keys (owner_id, key, grader, batch_id, ordered_at) VALUES (1, 'hw3', 'llm', 1, 1);
INSERT INTO jobs (batch_id, grader, submission_id, assignment_id, run_at, created_at, updated_at)
VALUES (1, 'llm', 1, 1, 1, 1, 1), (1, 'llm', 2, 1, 1, 1, 1);
UPDATE jobs SET state = 'processing', lease = 'x', lease_until = 9 WHERE id = 1;
UPDATE jobs SET state = 'completed', lease = NULL, lease_until = NULL, finished_at = 2 WHERE id = 1;
INSERT INTO grades (submission_id, version, paper_version, current, source, grader, job_id, score,
                    max_score, created_at)
VALUES (1, 1, 1, 1, 'model', 'llm', 1, 3, 4, 1);
UPDATE submissions SET status = 'graded' WHERE id = 1;
"""

_GRADE = (
    "INSERT INTO grades (submission_id, version, paper_version, current, source, job_id, "
    "edited_by, score, max_score, created_at) VALUES "
)
_JOB = "INSERT INTO jobs (batch_id, grader, run_at, created_at, updated_at, "
_BATCH = "INSERT INTO batches (grader, pool, owner_id, created_at, updated_at, "
_PERSON = f"UPDATE grades SET current = 0; {_GRADE} (1, 2, 1, 1, 'person', NULL, 'Lee', 4, 4, 1);"
_POST = (
    "INSERT INTO provider_batches (batch_id, intent, entries, look_at, created_at) "
    "VALUES (1, 'a1', 1, 2, 1); "
    "INSERT INTO provider_batch_items (job_id, provider_batch_id, request_key, sent) "
    "VALUES (2, 1, 'key', 'the paper');"
)
_POSTED = (
    f"{_POST} UPDATE provider_batches SET state = 'posted', provider_batch_id = 'b1', "
    "posted_at = 2;"
)
_ENDED = f"{_POSTED} UPDATE provider_batches SET state = 'ended', ended_at = 3;"
_RELEASE = "UPDATE submissions SET status = 'released', released_at = 1, released_by = 'Lee';"

# What is refused: title, statements that are fine, the statement that is not, the reason given.
REFUSED: list[tuple[str, str, str, str]] = [
    (
        "released without a name",
        "",
        "UPDATE submissions SET status = 'released', released_at = 1 WHERE id = 1",
        "released_by",
    ),
    (
        "released by nobody",
        "",
        "UPDATE submissions SET status = 'released', released_at = 1, released_by = ' '",
        "released_by",
    ),
    (
        "released at no time",
        "",
        "UPDATE submissions SET status = 'released', released_by = 'Lee' WHERE id = 1",
        "released_at",
    ),
    ("a name without a release", "", "UPDATE submissions SET released_by = 'Lee'", "released_by"),
    ("a status of its own", "", "UPDATE submissions SET status = 'marked'", "status IN"),
    ("moved", "", "UPDATE submissions SET assignment_id = 2", "cannot move"),
    (
        "the same id twice",
        "",
        "INSERT INTO submissions (assignment_id, external_id, student, status, created_at, "
        "updated_at) VALUES (1, 'ann', '', 'submitted', 1, 1)",
        "UNIQUE.*external_id",
    ),
    ("extra columns that are no JSON", "", "UPDATE submissions SET extra = '{'", "json_valid"),
    ("a badge below zero", "", "UPDATE assignments SET submitted = submitted - 9", "submitted >="),
    (
        "a paper nobody handed in",
        "",
        "UPDATE papers SET submission_id = 9 WHERE submission_id = 1",
        "FOREIGN KEY",
    ),
    ("two current grades", "", f"{_GRADE} (1, 2, 1, 1, 'model', 1, NULL, 1, 4, 1)", "UNIQUE"),
    (
        "two grades with one version",
        "",
        f"{_GRADE} (1, 1, 1, 0, 'model', 1, NULL, 1, 4, 1)",
        "UNIQUE",
    ),
    (
        "a machine over a person",
        _PERSON,
        f"{_GRADE} (1, 3, 1, 1, 'model', 1, NULL, 1, 4, 1)",
        "person's grade",
    ),
    (
        "another grade for a released paper",
        f"{_RELEASE} UPDATE grades SET current = 0;",
        f"{_GRADE} (1, 2, 1, 1, 'model', 1, NULL, 1, 4, 1)",
        "released grade",
    ),
    ("a score changed in place", "", "UPDATE grades SET score = 4", "new version"),
    ("feedback changed in place", "", "UPDATE grades SET feedback = 'x'", "new version"),
    ("reviewed by nobody", "", "UPDATE grades SET reviewed_at = 1, reviewed_by = ' '", "reviewed"),
    ("reviewed at no time", "", "UPDATE grades SET reviewed_by = 'Lee'", "reviewed_at"),
    (
        "another's name on a review",
        "UPDATE grades SET reviewed_at = 1, reviewed_by = 'Lee';",
        "UPDATE grades SET reviewed_by = 'Day'",
        "new version",
    ),
    (
        "a review undone",
        "UPDATE grades SET reviewed_at = 1, reviewed_by = 'Lee';",
        "UPDATE grades SET reviewed_at = NULL, reviewed_by = NULL",
        "new version",
    ),
    (
        "a release on record without a name",
        "",
        "INSERT INTO releases (submission_id, released_at, released_by) VALUES (1, 1, ' ')",
        "released_by",
    ),
    (
        "two releases in force",
        _RELEASE,
        "INSERT INTO releases (submission_id, released_at, released_by) VALUES (1, 1, 'Lee')",
        "UNIQUE",
    ),
    ("a name added in place", _PERSON, "UPDATE grades SET edited_by = 'Day'", "new version"),
    (
        "a person without a name",
        "",
        f"{_GRADE} (1, 2, 1, 0, 'person', NULL, NULL, 1, 4, 1)",
        "edited_by",
    ),
    (
        "a machine with a name",
        "",
        f"{_GRADE} (1, 2, 1, 0, 'model', 1, 'Lee', 1, 4, 1)",
        "edited_by",
    ),
    (
        "a machine's grade without its job",
        "",
        f"{_GRADE} (1, 2, 1, 0, 'model', NULL, NULL, 1, 4, 1)",
        "job_id",
    ),
    ("a grade out of nothing", "", f"{_GRADE} (1, 2, 1, 0, 'model', 1, NULL, 1, -1, 1)", "max_sc"),
    (
        "two open jobs for one paper",
        "",
        f"{_JOB} submission_id, assignment_id) VALUES (1, 'llm', 1, 1, 1, 2, 1)",
        "UNIQUE",
    ),
    (
        "an ended job opened beside an open one",
        f"{_JOB} submission_id, assignment_id) VALUES (1, 'llm', 1, 1, 1, 1, 1);",
        "UPDATE jobs SET state = 'pending', finished_at = NULL WHERE id = 1",
        "UNIQUE",
    ),
    (
        "a job that starts as processing",
        "",
        f"{_JOB} state, lease, lease_until) VALUES (1, 'x', 1, 1, 1, 'processing', 'x', 1)",
        "starts as pending",
    ),
    (
        "a job that starts as completed",
        "",
        f"{_JOB} state, finished_at) VALUES (1, 'x', 1, 1, 1, 'completed', 1)",
        "starts as pending",
    ),
    ("in hand without a lease", "", "UPDATE jobs SET state = 'processing' WHERE id = 2", "lease"),
    ("a lease on a pending job", "", "UPDATE jobs SET lease = 'x', lease_until = 1", "lease"),
    (
        "a lease for ever",
        "",
        "UPDATE jobs SET state = 'processing', lease = 'x' WHERE id = 2",
        "lease_until",
    ),
    (
        "failed without a reason",
        "",
        "UPDATE jobs SET state = 'failed', finished_at = 1, error = 'rejected' WHERE id = 2",
        "reason",
    ),
    (
        "failed without a cause",
        "",
        "UPDATE jobs SET state = 'failed', finished_at = 1, reason = 'blank' WHERE id = 2",
        "error",
    ),
    ("ended at no time", "", "UPDATE jobs SET state = 'cancelled' WHERE id = 2", "finished_at"),
    ("more attempts than there are", "", "UPDATE jobs SET attempts = 6", "attempts"),
    ("waiting when it is over", "", "UPDATE jobs SET waiting = 1 WHERE id = 1", "waiting"),
    ("a paper of no assignment", "", "UPDATE jobs SET assignment_id = NULL", "submission_id"),
    ("a payload that is no JSON", "", "UPDATE jobs SET payload = 'x'", "json_valid"),
    ("a job of no batch", "", f"{_JOB} state) VALUES (9, 'x', 1, 1, 1, 'pending')", "FOREIGN KEY"),
    ("priority 0", "", f"{_BATCH} priority) VALUES ('x', 'y', 1, 1, 1, 0)", "priority"),
    ("priority 11", "", f"{_BATCH} priority) VALUES ('x', 'y', 1, 1, 1, 11)", "priority"),
    (
        "one order twice",
        "",
        "INSERT INTO order_keys VALUES (1, 'hw3', 'llm', NULL, 2)",
        "UNIQUE.*key",
    ),
    ("paused by nobody", "", "UPDATE batches SET paused_at = 1", "paused_by"),
    ("a reason without a pause", "", "UPDATE batches SET pause_reason = 'x'", "pause_reason"),
    ("a cause without a reason", "", "UPDATE batches SET pause_cause = 'x'", "pause_cause"),
    ("counters that do not add up", "", "UPDATE batches SET completed = 7", "total ="),
    ("over with open jobs", "", "UPDATE batches SET finished_at = 1", "finished_at"),
    ("a row of failures without cause", "", "UPDATE batches SET failure_streak = 1", "failure_"),
    (
        "an attempt that failed for no reason",
        "",
        "INSERT INTO attempts (job_id, batch_id, error, day, started_at, finished_at) "
        "VALUES (1, 1, 'timeout', '2026-03-29', 1, 2)",
        "reason",
    ),
    ("a cap of nothing", "", "UPDATE batches SET cost_cap = 0", "cost_cap"),
    ("short of money without a cap", "", "UPDATE batches SET needed_cost = 1", "cost_cap"),
    ("money in nobody's hand", "", "UPDATE batches SET reserved_cost = 1", "reserving"),
    ("a day that is none", "", "INSERT INTO days (day) VALUES ('today')", "day"),
    (
        "a reservation of nothing",
        "",
        "INSERT INTO reservations VALUES (1, 'x', 1, '2026-03-29', 0, 1)",
        "amount",
    ),
    (
        "a reservation changed",
        "INSERT INTO reservations VALUES (1, 'x', 1, '2026-03-29', 2, 1)",
        "UPDATE reservations SET amount = 1",
        "never changed",
    ),
    ("an event rewritten", "", "UPDATE events SET kind = 'x'", "never changed"),
    (
        "an event that is no JSON",
        "",
        "INSERT INTO events (at, kind, data) VALUES (1, 'x', 'y')",
        "json",
    ),
    ("an owner without a name", "", "INSERT INTO owners (name) VALUES ('')", "name"),
    (
        "a rubric's digest cut short",
        "",
        "INSERT INTO rubrics (name, version, sha256, source, created_at) "
        "VALUES ('essay', 1, 'abc', '', 1)",
        "sha256",
    ),
    (
        "a pool's state that is no JSON",
        "",
        "INSERT INTO limiter_state (pool, state, updated_at) VALUES ('claude', 'x', 1)",
        "json_valid",
    ),
    ("text where a number belongs", "", "UPDATE jobs SET run_at = 'soon'", "INTEGER column"),
]


REFUSED += [
    (
        "a night without an end",
        "",
        "UPDATE batches SET mode = 'overnight' WHERE id = 1",
        "fallback_at",
    ),
    ("a mode of its own", "", "UPDATE batches SET mode = 'weekly', fallback_at = 9", "mode IN"),
    (
        "posted without an id",
        _POST,
        "UPDATE provider_batches SET state = 'posted'",
        "state = 'intended'",
    ),
    (
        "an id that nobody posted",
        _POST,
        "UPDATE provider_batches SET provider_batch_id = 'b1'",
        "posted_at IS NULL",
    ),
    ("ended at no time", _POSTED, "UPDATE provider_batches SET state = 'ended'", "ended_at"),
    (
        "abandoned for no reason",
        _POST,
        "UPDATE provider_batches SET state = 'abandoned', ended_at = 3",
        "reason IS NOT NULL",
    ),
    (
        "ended and open again",
        _ENDED,
        "UPDATE provider_batches SET state = 'posted', ended_at = NULL",
        "stays as it is",
    ),
    (
        "the same intent twice",
        _POST,
        "INSERT INTO provider_batches (batch_id, intent, entries, look_at, created_at) "
        "VALUES (1, 'a1', 1, 2, 1)",
        "UNIQUE.*intent",
    ),
    (
        "an intent that no API takes",
        "",
        "INSERT INTO provider_batches (batch_id, intent, entries, look_at, created_at) "
        "VALUES (1, 'A 1', 1, 2, 1)",
        "intent",
    ),
    (
        "a job in two provider's batches",
        f"{_POST} INSERT INTO provider_batches (batch_id, intent, entries, look_at, created_at) "
        "VALUES (1, 'a2', 1, 2, 1);",
        "INSERT INTO provider_batch_items (job_id, provider_batch_id, request_key, sent) "
        "VALUES (2, 2, 'key', 'the paper')",
        "UNIQUE.*job_id",
    ),
]


@pytest.fixture
def raw() -> Iterator[sqlite3.Connection]:
    conn = sqlite3.connect(":memory:", isolation_level=None)
    conn.executescript(load_schema() + _SEED)
    yield conn
    conn.close()


@pytest.mark.parametrize(
    ("before", "statement", "reason"),
    [pytest.param(*case, id=title) for title, *case in REFUSED],
)
def test_the_schema_refuses(
    raw: sqlite3.Connection, before: str, statement: str, reason: str
) -> None:
    raw.executescript(before)
    with pytest.raises(sqlite3.IntegrityError, match=reason):
        raw.execute(statement)


def test_a_person_s_next_grade_is_not_refused(raw: sqlite3.Connection) -> None:
    raw.executescript(_PERSON)
    raw.execute("UPDATE grades SET current = 0")
    raw.execute(f"{_GRADE} (1, 3, 1, 1, 'person', NULL, 'Day', 4, 4, 1)")
    raw.execute(f"{_GRADE} (1, 4, 1, 0, 'model', 1, NULL, 1, 4, 1)")


def test_old_events_may_be_deleted(raw: sqlite3.Connection) -> None:
    assert raw.execute("DELETE FROM events").rowcount > 0


def test_counters_follow_every_change(raw: sqlite3.Connection) -> None:
    """The seed was written by plain SQL: the triggers counted it."""
    for name, statement in load_queries().items():
        if name.startswith("check_"):
            assert raw.execute(statement).fetchall() == [], name
    assert raw.execute("SELECT submitted, graded, grading FROM assignments").fetchone() == (1, 1, 1)


EMPTY = "UPDATE jobs SET state = 'cancelled', finished_at = 3 WHERE id = 2; "


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ("UPDATE batches SET started_at = NULL", "draft"),
        ("", "processing"),
        ("UPDATE batches SET paused_at = 1, paused_by = 'Lee'", "paused"),
        (EMPTY, "completed"),
        (f"{EMPTY} UPDATE batches SET cancelled_at = 1", "cancelled"),
        (f"{EMPTY} UPDATE batches SET archived_at = 1", "archived"),
        (f"{EMPTY} UPDATE batches SET cancelled_at = 1, archived_at = 1", "archived"),
    ],
)
def test_a_batch_s_word_is_derived(raw: sqlite3.Connection, changes: str, expected: str) -> None:
    raw.executescript(changes)
    assert raw.execute("SELECT status FROM batch_status").fetchone() == (expected,)
