-- name: batch_places
SELECT x.batch_id, a.course, a.name AS assignment
  FROM json_each(:batch_ids) w
  JOIN batch_assignments x ON x.batch_id = w.value
  JOIN assignments a ON a.id = x.assignment_id
 ORDER BY x.batch_id, a.course, a.name

-- No text and no job is opened: of open jobs the index has all.
-- name: obstacles
SELECT obstacle, json_group_array(id) AS ids
  FROM (SELECT s.id,
               CASE WHEN s.archived_at IS NOT NULL THEN 'archived'
                    WHEN s.status IN ('in_progress', 'released') THEN s.status
                    WHEN EXISTS (SELECT 1 FROM jobs j INDEXED BY jobs_open_once
                                  WHERE j.submission_id = s.id AND j.submission_id IS NOT NULL
                                    AND j.state IN ('pending', 'processing')) THEN 'queued'
                    WHEN EXISTS (SELECT 1 FROM grades g INDEXED BY grades_looked_at
                                  WHERE g.submission_id = s.id AND g.current = 1
                                    AND (g.source = 'person' OR g.reviewed_by IS NOT NULL)
                                    AND g.source = 'person') THEN 'person'
                    WHEN s.status = 'graded' AND NOT :again THEN 'graded'
                    WHEN NOT s.has_words THEN 'unread'
                    WHEN s.characters > :longest THEN 'too_long' END AS obstacle
          FROM json_each(:ids) w JOIN submissions s ON s.id = w.value)
 GROUP BY obstacle

-- name: paper_names
SELECT coalesce(nullif(s.student, ''), s.external_id) AS name
  FROM json_each(:ids) w JOIN submissions s ON s.id = w.value
 ORDER BY w.key

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

-- What is added keeps 0.7 of 1 from falling below 7 tenths. To group would sort all grades.
-- name: batch_scores
SELECT json_group_array(min(max(CAST(g.score / g.max_score * :stretches + 1e-9 AS INTEGER), 0),
                            :stretches - 1)) AS stretches,
       avg(g.score / g.max_score) AS mean
  FROM jobs j
  JOIN grades g INDEXED BY grades_scores ON g.submission_id = j.submission_id AND g.job_id = j.id
 WHERE j.batch_id = :batch_id AND j.state = 'completed' AND g.max_score > 0

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
