-- name: batch_places
SELECT x.batch_id, a.course, a.name AS assignment
  FROM json_each(:batch_ids) w
  JOIN batch_assignments x ON x.batch_id = w.value
  JOIN assignments a ON a.id = x.assignment_id
 ORDER BY x.batch_id, a.course, a.name

-- In one row: see Tx.ids. To count characters would take longer than all the rest.
-- name: candidates
SELECT json_group_array(json_object(
           'id', s.id, 'name', coalesce(nullif(s.student, ''), s.external_id), 'status', s.status,
           'is_archived', s.archived_at IS NOT NULL,
           'is_queued', EXISTS (SELECT 1 FROM jobs j
                                 WHERE j.submission_id = s.id
                                   AND j.state IN ('pending', 'processing')),
           'by_person', EXISTS (SELECT 1 FROM grades g INDEXED BY grades_looked_at
                                 WHERE g.submission_id = s.id AND g.current = 1
                                   AND (g.source = 'person' OR g.reviewed_by IS NOT NULL)
                                   AND g.source = 'person'),
           'bytes', length(CAST(p.text AS BLOB)),
           'has_words',
           ltrim(substr(p.text, 1, 100), char(9, 10, 13, 32)) GLOB '[0-9A-Za-z]*'))
  FROM json_each(:ids) w
  JOIN submissions s ON s.id = w.value
  JOIN papers p ON p.submission_id = s.id AND p.version = s.version

-- name: batch_papers
SELECT j.id AS job_id, j.submission_id, coalesce(s.external_id, '') AS external_id,
       coalesce(s.student, '') AS student, j.state,
       (SELECT count(*) FROM attempts t WHERE t.job_id = j.id) AS tries, j.error, j.reason,
       CASE WHEN j.waiting = 1 THEN j.run_at END AS due_at, j.finished_at
  FROM jobs j LEFT JOIN submissions s ON s.id = j.submission_id
 WHERE j.batch_id = :batch_id AND (:state IS NULL OR j.state = :state) AND j.id > :after
 ORDER BY j.id LIMIT :limit

-- In one row: see Tx.ids.
-- name: batch_times
SELECT json_group_array(max(0, finished_at - claimed_at))
  FROM jobs
 WHERE batch_id = :batch_id AND state = 'completed' AND claimed_at IS NOT NULL

-- What is added keeps 0.7 of 1 from falling below 7 tenths.
-- name: batch_scores
SELECT min(max(CAST(g.score / g.max_score * :stretches + 1e-9 AS INTEGER), 0),
           :stretches - 1) AS stretch,
       count(*) AS grades, sum(g.score / g.max_score) AS shares
  FROM jobs j
  JOIN grades g INDEXED BY grades_scores ON g.submission_id = j.submission_id AND g.job_id = j.id
 WHERE j.batch_id = :batch_id AND j.state = 'completed' AND g.max_score > 0
 GROUP BY 1

-- name: jobs_in_hand
SELECT j.id AS job_id, j.batch_id, j.grader, j.submission_id,
       coalesce(s.external_id, '') AS external_id, coalesce(a.course, '') AS course,
       coalesce(a.name, '') AS assignment, j.claimed_at, j.attempts
  FROM jobs j
  LEFT JOIN submissions s ON s.id = j.submission_id
  LEFT JOIN assignments a ON a.id = j.assignment_id
 WHERE j.state = 'processing'
   AND NOT EXISTS (SELECT 1 FROM provider_batches p
                    WHERE p.intent = j.lease AND p.ended_at IS NULL)
 ORDER BY j.claimed_at, j.id LIMIT :limit

-- name: failures
SELECT j.grader, j.error, count(*) AS jobs, count(DISTINCT j.batch_id) AS batches, j.reason,
       max(j.finished_at) AS last_at
  FROM jobs j
 WHERE j.state = 'failed'
   AND j.batch_id IN (SELECT id FROM batches WHERE failed > 0 ORDER BY id DESC LIMIT :batches)
   AND NOT EXISTS (SELECT 1 FROM jobs k
                    WHERE k.submission_id = j.submission_id AND k.id > j.id)
 GROUP BY j.grader, j.error ORDER BY jobs DESC, last_at DESC

-- name: failed_alike
SELECT j.id
  FROM jobs j
 WHERE j.state = 'failed' AND j.grader = :grader AND j.error = :error
   AND j.batch_id IN (SELECT id FROM batches WHERE failed > 0 ORDER BY id DESC LIMIT :batches)
   AND NOT EXISTS (SELECT 1 FROM jobs k
                    WHERE k.submission_id = j.submission_id AND k.id > j.id)
 ORDER BY j.id

-- name: batches_resting
SELECT id AS batch_id, grader, pool, ready, updated_at AS since
  FROM batches
 WHERE ready > 0 AND processing = 0 AND paused_at IS NULL AND started_at IS NOT NULL
   AND mode = 'live' AND is_short = 0 AND finished_at IS NULL AND updated_at <= :since
 ORDER BY updated_at
