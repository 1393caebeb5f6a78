-- name: rubric_same
SELECT id FROM rubrics WHERE name = :name AND sha256 = :sha256

-- name: rubric_insert
INSERT INTO rubrics (name, version, sha256, source, created_at)
SELECT :name, coalesce(max(version), 0) + 1, :sha256, :source, :now
  FROM rubrics WHERE name = :name

-- name: rubric_get
SELECT id, name, version, sha256, source, created_at FROM rubrics WHERE id = :id

-- name: attempt_insert
INSERT INTO attempts (answer_use, error, reason, request_key, model, request_id, http_status,
                      input_tokens, output_tokens, cache_read_tokens, cost, uncertain_cost,
                      lease, day, started_at, finished_at, job_id, batch_id, submission_id)
SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, id, batch_id, submission_id FROM jobs WHERE id = ?

-- name: last_id
SELECT last_insert_rowid()

-- name: attempts_use
UPDATE attempts SET answer_use = w.value ->> 1, error = w.value ->> 2, reason = w.value ->> 3
  FROM json_each(:rows) w
 WHERE attempts.id = w.value ->> 0
   -- A late outcome takes nothing back from an answer that was used since.
   AND (w.value ->> 1 <> 'salvage' OR attempts.answer_use = 'stored')

-- name: prefix_ensure
INSERT INTO prompt_prefixes (sha256, text) VALUES (:sha256, :text) ON CONFLICT DO NOTHING

-- name: prefix_id
SELECT id FROM prompt_prefixes WHERE sha256 = :sha256

-- name: answer_insert
INSERT INTO answers (attempt_id, prefix_id, sent, text, stop, raw)
VALUES (:attempt_id, :prefix_id, :sent, :text, :stop, :raw)

-- name: answer_unapplied
SELECT t.id, t.request_key, t.model, t.input_tokens, t.output_tokens, t.cache_read_tokens,
       a.sent, a.text, a.stop, a.raw, coalesce(p.text, '') AS prefix
  FROM attempts t JOIN answers a ON a.attempt_id = t.id
  LEFT JOIN prompt_prefixes p ON p.id = a.prefix_id
 WHERE t.submission_id = :submission_id AND t.request_key = :request_key
   AND t.answer_use IN ('stored', 'salvage')
 ORDER BY t.id DESC LIMIT 1

-- name: attempts_of_job
SELECT * FROM attempts WHERE job_id = :job_id ORDER BY id

-- name: attempts_at_submission
SELECT t.* FROM jobs j JOIN attempts t ON t.job_id = j.id
 WHERE j.submission_id = :submission_id ORDER BY t.id

-- name: grades_latest
SELECT g.submission_id, max(g.version) AS version,
       max(g.current = 1 AND g.source = 'person') AS by_person
  FROM json_each(:ids) w JOIN grades g ON g.submission_id = w.value
 GROUP BY g.submission_id

-- name: grades_retire
UPDATE grades SET current = 0
 WHERE current = 1 AND submission_id IN (SELECT value FROM json_each(:ids))

-- name: grade_insert
INSERT INTO grades (version, current, source, grader, job_id, attempt_id, rubric_id, request_key,
                    model, score, max_score, criteria, feedback, flags, confidence, edited_by,
                    created_at, submission_id, paper_version)
SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, id, version FROM submissions WHERE id = ?

-- name: grades_of
SELECT * FROM grades WHERE submission_id = :submission_id ORDER BY version DESC

-- name: result_grades
SELECT g.* FROM json_each(:ids) w JOIN grades g ON g.submission_id = w.value AND g.current = 1

-- name: result_submissions
SELECT s.*, a.course, a.name AS assignment, p.text, p.sha256 AS text_sha256
  FROM json_each(:ids) w
  JOIN submissions s ON s.id = w.value
  JOIN assignments a ON a.id = s.assignment_id
  JOIN papers p ON p.submission_id = s.id AND p.version = s.version

-- name: result_jobs
SELECT j.*, s.external_id, b.pause_reason, b.pause_cause, b.mode
  FROM json_each(:ids) w
  JOIN submissions s ON s.id = w.value
  JOIN jobs j ON j.id = (SELECT max(id) FROM jobs WHERE submission_id = s.id)
  JOIN batches b ON b.id = j.batch_id

-- name: result_costs
SELECT t.submission_id, count(*) AS attempts, sum(t.input_tokens) AS input_tokens,
       sum(t.output_tokens) AS output_tokens, sum(t.cost) AS cost
  FROM json_each(:ids) w
  JOIN jobs j ON j.submission_id = w.value
  JOIN attempts t ON t.job_id = j.id
 WHERE t.model IS NOT NULL
 GROUP BY t.submission_id

-- name: grade_current
SELECT g.* FROM grades g WHERE g.submission_id = :submission_id AND g.current = 1

-- From the few assignments of the rubric inwards, whatever the statistics say.
-- name: grades_by_people
SELECT p.text, g.criteria
  FROM assignments a
  CROSS JOIN submissions s ON s.assignment_id = a.id AND s.archived_at IS NULL
                    AND s.status IN ('graded', 'released')
  CROSS JOIN grades g ON g.submission_id = s.id AND g.current = 1 AND g.paper_version = s.version
  CROSS JOIN papers p ON p.submission_id = s.id AND p.version = s.version
 WHERE a.rubric_id = :rubric_id
   AND (g.source = 'person' OR g.reviewed_by IS NOT NULL OR s.status = 'released')
 ORDER BY s.id LIMIT :limit

-- name: grade_review
UPDATE grades SET reviewed_at = :now, reviewed_by = :by WHERE id = :id
