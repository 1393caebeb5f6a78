-- name: batch_get
SELECT * FROM batch_rows WHERE id = :id

-- name: batches_list
SELECT * FROM batch_rows b
 WHERE b.id < :before
   AND (:owner IS NULL OR b.owner_id = (SELECT id FROM owners WHERE name = :owner))
   AND (:courses IS NULL
        OR EXISTS (SELECT 1 FROM batch_assignments x WHERE x.batch_id = b.id)
           AND NOT EXISTS (SELECT 1
                             FROM batch_assignments x JOIN assignments a ON a.id = x.assignment_id
                            WHERE x.batch_id = b.id
                              AND a.course NOT IN (SELECT value FROM json_each(:courses))))
 ORDER BY b.id DESC LIMIT :limit

-- name: batch_courses
SELECT DISTINCT a.course
  FROM batch_assignments x JOIN assignments a ON a.id = x.assignment_id
 WHERE x.batch_id = :batch_id ORDER BY a.course

-- The order is no index's, so that finished batches are not walked through.
-- name: batches_open_of
SELECT * FROM batch_rows b
 WHERE b.finished_at IS NULL
   AND (SELECT j.assignment_id FROM jobs j WHERE j.batch_id = b.id ORDER BY j.id LIMIT 1)
       = (SELECT a.id FROM assignments a WHERE a.course = :course AND a.name = :name)
 ORDER BY +b.id

-- name: batch_pause
UPDATE batches
   SET paused_at = :now, paused_by = :by, pause_reason = :reason, pause_cause = :cause,
       updated_at = :now
 WHERE id = :id AND paused_at IS NULL AND cancelled_at IS NULL AND finished_at IS NULL

-- name: batch_resume
UPDATE batches
   SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, pause_cause = NULL,
       failure_cause = NULL, failure_streak = 0, updated_at = :now
 WHERE id = :id AND paused_at IS NOT NULL

-- name: batch_cancel
UPDATE batches
   SET cancelled_at = :now, paused_at = NULL, paused_by = NULL, pause_reason = NULL, pause_cause = NULL,
       updated_at = :now
 WHERE id = :id AND cancelled_at IS NULL AND finished_at IS NULL

-- name: batch_reopen
UPDATE batches SET cancelled_at = NULL, updated_at = :now WHERE id = :id

-- name: batch_failed_alike
UPDATE batches
   SET failure_streak = CASE WHEN failure_cause = :cause THEN failure_streak + 1 ELSE 1 END,
       failure_cause = :cause
 WHERE id = :id AND paused_at IS NULL RETURNING failure_streak

-- name: batch_streak_over
UPDATE batches SET failure_cause = NULL, failure_streak = 0
 WHERE id = :id AND failure_cause IS NOT NULL AND paused_at IS NULL

-- name: batches_move_pool
UPDATE batches SET pool = :pool
 WHERE grader = :grader AND finished_at IS NULL AND pool <> :pool

-- name: batches_resume_stuck
UPDATE batches
   SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, pause_cause = NULL,
       failure_cause = NULL, failure_streak = 0, updated_at = :now
 WHERE pool = :pool AND finished_at IS NULL
   AND paused_by = 'gradeq' AND failure_cause <> :other_cause AND failure_streak >= :streak
RETURNING id

-- name: pool_save
INSERT INTO limiter_state (pool, state, reading, updated_at)
VALUES (:pool, :state, :reading, :now)
    ON CONFLICT (pool) DO UPDATE
   SET state = excluded.state, reading = excluded.reading, updated_at = excluded.updated_at

-- name: pool_unpark
UPDATE limiter_state
   SET state = json_set(state, '$.parked_reason', NULL, '$.parked_cause', NULL,
                        '$.parked_until_ms', NULL, '$.parked_for', NULL),
       updated_at = :now
 WHERE pool = :pool AND json_extract(state, '$.parked_reason') IS NOT NULL

-- name: pools_all
SELECT pool, state FROM limiter_state

-- name: readings_all
SELECT pool, reading FROM limiter_state WHERE reading IS NOT NULL

-- name: readings_forget
UPDATE limiter_state SET reading = NULL WHERE reading IS NOT NULL

-- name: meta_get
SELECT value FROM meta WHERE key = :key

-- name: meta_put
INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT DO NOTHING

-- name: backlog
SELECT pool,
       coalesce(sum(ready) FILTER (WHERE paused_at IS NULL), 0) AS ready,
       coalesce(sum(waiting) FILTER (WHERE paused_at IS NULL), 0) AS waiting,
       coalesce(sum(processing), 0) AS processing,
       coalesce(sum(ready + waiting) FILTER (WHERE paused_at IS NOT NULL), 0) AS paused,
       coalesce(sum(CASE WHEN paused_at IS NULL THEN ready + waiting + processing
                         ELSE processing END) FILTER (WHERE mode = 'overnight'), 0) AS overnight
  FROM batches WHERE finished_at IS NULL GROUP BY pool

-- name: totals
SELECT count(*) AS batches, coalesce(sum(total), 0) AS jobs,
       coalesce(sum(ready + waiting), 0) AS pending, coalesce(sum(processing), 0) AS processing,
       coalesce(sum(completed), 0) AS completed, coalesce(sum(failed), 0) AS failed,
       coalesce(sum(cancelled), 0) AS cancelled, coalesce(sum(requests), 0) AS requests,
       coalesce(sum(rate_limited), 0) AS rate_limited,
       coalesce(sum(input_tokens), 0) AS input_tokens,
       coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(cost), 0.0) AS cost,
       coalesce(sum(uncertain_cost), 0.0) AS uncertain_cost,
       coalesce(sum(reserved_cost), 0.0) AS reserved_cost
  FROM batches
