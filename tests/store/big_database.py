"""A database of a big school's size, built in seconds: no triggers while it is filled."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gradeq.store.sqlite.connect import SCHEMA_VERSION, load_schema

# One batch of 500 jobs is being graded, a few others wait, all the rest is history.
_FILL = """
CREATE TEMP TABLE n AS
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows) SELECT i FROM n;

INSERT INTO owners (name) SELECT 'teacher ' || i FROM n WHERE i <= 20;
INSERT INTO rubrics (name, version, sha256, source, created_at)
SELECT 'essay', i, printf('%064d', i), '', 1 FROM n WHERE i <= 20;
INSERT INTO assignments (course, name, rubric_id)
SELECT 'course ' || i % 5, 'essay ' || i, i FROM n WHERE i <= 20;
INSERT INTO submissions (assignment_id, external_id, student, status, archived_at,
                         released_at, released_by, created_at, updated_at)
SELECT 1 + i % 20, 'paper ' || i, 'student ' || i,
       CASE WHEN i <= :open OR i % 20 = 0 THEN 'submitted'
            WHEN i % 2 THEN 'graded' ELSE 'released' END,
       CASE WHEN i > :open AND i % 50 = 0 THEN 1 END,
       CASE WHEN i > :open AND i % 2 = 0 AND i % 20 THEN 1 END,
       CASE WHEN i > :open AND i % 2 = 0 AND i % 20 THEN 'Ms Lee' END, 1, 1 FROM n;
INSERT INTO papers SELECT id, 1, 'An essay.', printf('%064d', id), 1 FROM submissions;

INSERT INTO batches (grader, pool, owner_id, rubric_id, priority, created_at, updated_at,
                     started_at, finished_at, total)
SELECT 'llm', 'anthropic', 1 + i % 20, 1 + i % 20, 1 + i % 10, 1, 1, 1,
       1, 0 FROM n WHERE i <= (:rows + 499) / 500;
INSERT INTO order_keys (owner_id, key, grader, batch_id, ordered_at)
SELECT owner_id, 'order ' || id, grader, id, created_at FROM batches;
INSERT INTO jobs (batch_id, grader, submission_id, assignment_id, state, waiting, run_at, error,
                  reason, lease, lease_until, created_at, finished_at, updated_at)
SELECT 1 + (i - 1) / 500, 'llm', i, 1 + i % 20,
       CASE WHEN i <= 100 THEN 'processing' WHEN i <= :open THEN 'pending'
            WHEN i % 20 = 0 THEN 'failed' ELSE 'completed' END,
       i BETWEEN 400 AND 500, 1,
       CASE WHEN i > :open AND i % 20 = 0 THEN 'rejected' END,
       CASE WHEN i > :open AND i % 20 = 0 THEN 'blank' END,
       CASE WHEN i <= 100 THEN 'token' END, CASE WHEN i <= 100 THEN 1 END,
       1, CASE WHEN i > :open THEN 2 END, 2 FROM n;
INSERT INTO attempts (job_id, batch_id, submission_id, answer_use, request_key, model,
                      day, started_at, finished_at)
SELECT id, batch_id, submission_id, 'applied', 'key', 'claude', '1970-01-01', 1, 2
  FROM jobs WHERE state = 'completed';
INSERT INTO answers SELECT id, NULL, '', '{}', 'end_turn', '{}' FROM attempts;
INSERT INTO grades (submission_id, version, paper_version, current, source, grader, job_id,
                    attempt_id, score, max_score, created_at)
SELECT submission_id, 1, 1, 1, 'model', 'llm', job_id, id, 3, 4, 1 FROM attempts;
INSERT INTO events (at, kind, assignment_id, job_id)
SELECT 1, 'job.completed', 1 + i % 20, i FROM n;

UPDATE batches
   SET (total, ready, waiting, processing, completed, failed) =
       (SELECT count(*), sum(state = 'pending' AND waiting = 0), sum(waiting),
               sum(state = 'processing'), sum(state = 'completed'), sum(state = 'failed')
          FROM jobs WHERE batch_id = batches.id),
       requests = (SELECT count(*) FROM jobs WHERE batch_id = batches.id AND state = 'completed'),
       finished_at = CASE WHEN id > (:open + 499) / 500 THEN 2 END;
UPDATE assignments
   SET (submitted, graded, released) =
       (SELECT sum(status = 'submitted'), sum(status = 'graded'), sum(status = 'released')
          FROM submissions WHERE assignment_id = assignments.id AND archived_at IS NULL),
       grading = (SELECT count(*) FROM jobs WHERE assignment_id = assignments.id
                     AND state IN ('pending', 'processing'));
DROP TABLE temp.n;
"""


def build(path: Path, rows: int, open_rows: int = 2000) -> sqlite3.Connection:
    """`rows` submissions, jobs and events; the first `open_rows` jobs are not finished."""
    conn = sqlite3.connect(path, isolation_level=None)
    conn.row_factory = sqlite3.Row
    conn.execute("PRAGMA journal_mode = OFF")
    conn.execute("PRAGMA synchronous = OFF")
    conn.executescript(f"BEGIN; {load_schema()}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    triggers = triggers_of(conn)
    for name in triggers:
        conn.execute(f"DROP TRIGGER {name}")
    conn.execute("BEGIN")
    for statement in _FILL.split(";\n"):
        if statement.strip():
            conn.execute(statement, {"rows": rows, "open": min(rows, open_rows)})
    for sql in triggers.values():
        conn.execute(sql)
    conn.execute("COMMIT")
    return conn


def triggers_of(conn: sqlite3.Connection) -> dict[str, str]:
    found = conn.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
    return {row["name"]: row["sql"] for row in found}
