-- name: owner_ensure
INSERT INTO owners (name) VALUES (:name) ON CONFLICT DO NOTHING

-- name: owner_id
SELECT id FROM owners WHERE name = :name

-- name: order_by_key
SELECT grader, batch_id, ordered_at FROM order_keys WHERE owner_id = :owner_id AND key = :key

-- name: order_keep
INSERT INTO order_keys (owner_id, key, grader, batch_id, ordered_at)
VALUES (:owner_id, :key, :grader, :batch_id, :now)

-- name: batch_insert
INSERT INTO batches (kind, grader, pool, owner_id, rubric_id, interactive, priority, deadline,
                     cost_cap, mode, fallback_at, created_at, updated_at, started_at)
VALUES (:kind, :grader, :pool, :owner_id, :rubric_id, :interactive, :priority, :deadline,
        :cost_cap,
        CASE WHEN :fallback_at IS NULL THEN 'live' ELSE 'overnight' END, :fallback_at,
        :now, :now, :now)

-- name: jobs_insert_submissions
INSERT INTO jobs (batch_id, grader, submission_id, assignment_id, waiting, run_at, max_attempts,
                  created_at, updated_at)
SELECT :batch_id, :grader, s.id, s.assignment_id, :waiting, :run_at, :max_attempts, :now, :now
  FROM json_each(:ids) w JOIN submissions s ON s.id = w.value
 ORDER BY w.key

-- name: jobs_insert_payloads
INSERT INTO jobs (batch_id, grader, payload, waiting, run_at, max_attempts, created_at, updated_at)
SELECT :batch_id, :grader, value, :waiting, :run_at, :max_attempts, :now, :now
  FROM json_each(:payloads)

-- name: jobs_open_for
SELECT j.submission_id, j.id
  FROM json_each(:ids) w
  JOIN jobs j ON j.submission_id = w.value AND j.grader = :grader
                 AND j.state IN ('pending', 'processing')

-- The open jobs that answered an order when it was new, also those that have ended since.
-- name: jobs_open_then
SELECT j.submission_id, j.id
  FROM json_each(:ids) w
  JOIN jobs j ON j.submission_id = w.value AND j.grader = :grader
                 AND j.created_at <= :ordered_at
                 AND (j.finished_at IS NULL OR j.finished_at >= :ordered_at)
 ORDER BY j.id

-- name: jobs_by_batch
SELECT j.batch_id, o.name AS owner, count(*) AS jobs
  FROM json_each(:job_ids) w
  JOIN jobs j ON j.id = w.value
  JOIN batches b ON b.id = j.batch_id
  JOIN owners o ON o.id = b.owner_id
 GROUP BY j.batch_id ORDER BY j.batch_id

-- name: jobs_of_batch
SELECT id, submission_id FROM jobs WHERE batch_id = :batch_id ORDER BY id

-- name: jobs_become_due
UPDATE jobs SET waiting = 0, updated_at = :now
 WHERE state = 'pending' AND waiting = 1 AND run_at <= :now

-- name: jobs_next_due
SELECT min(run_at) FROM jobs WHERE state = 'pending' AND waiting = 1

-- name: claim_tier
SELECT interactive, priority, deadline FROM batches
 WHERE pool = :pool AND ready > 0 AND paused_at IS NULL AND started_at IS NOT NULL AND mode = 'live'
   AND is_short = 0
   AND id NOT IN (SELECT value FROM json_each(:but))
 ORDER BY interactive DESC, priority, deadline LIMIT 1

-- name: claim_owner
SELECT min(owner_id) AS id FROM batches
 WHERE pool = :pool AND ready > 0 AND paused_at IS NULL AND started_at IS NOT NULL AND mode = 'live'
   AND is_short = 0
   AND id NOT IN (SELECT value FROM json_each(:but))
   AND interactive = :interactive AND priority = :priority AND deadline = :deadline
   AND owner_id > :after

-- name: claim_owner_load
SELECT o.last_served,
       (SELECT coalesce(sum(processing), 0) FROM batches
         WHERE owner_id = o.id AND processing > 0 AND mode = 'live') AS in_flight,
       (SELECT coalesce(sum(ready), 0) FROM batches
         WHERE pool = :pool AND ready > 0 AND paused_at IS NULL AND started_at IS NOT NULL
           AND mode = 'live'
           AND is_short = 0
           AND id NOT IN (SELECT value FROM json_each(:but))
           AND interactive = :interactive AND priority = :priority AND deadline = :deadline
           AND owner_id = o.id) AS ready
  FROM owners o WHERE o.id = :owner_id

-- name: claim_batches
SELECT id, kind, rubric_id, cost_cap,
       CASE WHEN needed_cost IS NULL THEN :limit
            ELSE max(1, CAST((cost_cap - cost - uncertain_cost - reserved_cost) / needed_cost
                             AS INTEGER) - max(0, processing - reserving)) END AS affordable
  FROM batches
 WHERE pool = :pool AND ready > 0 AND paused_at IS NULL AND started_at IS NOT NULL AND mode = 'live'
   AND is_short = 0
   AND id NOT IN (SELECT value FROM json_each(:but))
   AND interactive = :interactive AND priority = :priority AND deadline = :deadline
   AND owner_id = :owner_id
 ORDER BY id LIMIT :limit

-- name: claim_take
UPDATE jobs
   SET state = 'processing', lease = :lease, lease_until = :lease_until,
       claimed_at = :now, updated_at = :now
 WHERE id IN (SELECT id FROM jobs
               WHERE batch_id = :batch_id AND state = 'pending' AND waiting = 0
               ORDER BY interruptions, id LIMIT :limit)
RETURNING id, grader, payload, submission_id,
          attempts, snoozes, interruptions, unusable, overloaded_since, max_attempts

-- name: claim_papers
SELECT s.id, s.external_id, a.course, a.name, s.student, p.text, p.sha256, s.extra, s.status,
       s.version, s.archived_at, s.released_at, s.released_by, s.created_at, s.updated_at,
       EXISTS (SELECT 1 FROM attempts t WHERE t.submission_id = s.id
                  AND t.answer_use IN ('stored', 'salvage'))
  FROM json_each(:ids) w
  JOIN submissions s ON s.id = w.value
  JOIN assignments a ON a.id = s.assignment_id
  JOIN papers p ON p.submission_id = s.id AND p.version = s.version

-- name: owner_served
UPDATE owners SET last_served = (SELECT max(last_served) + 1 FROM owners) WHERE id = :id

-- Only a processing job has a lease. To name the state here too would, once somebody has run
-- ANALYZE, let SQLite walk through all jobs in hand for every row of `w`.
-- name: lease_renew
UPDATE jobs SET lease_until = :lease_until
  FROM json_each(:leases) w
 WHERE jobs.id = w.value ->> 0 AND jobs.lease = w.value ->> 1
RETURNING jobs.id

-- name: leases_held
SELECT j.id, j.lease FROM json_each(:leases) w JOIN jobs j ON j.id = w.value ->> 0
 WHERE j.lease = w.value ->> 1

-- name: lease_held
SELECT submission_id FROM jobs WHERE id = :id AND state = 'processing' AND lease = :lease

-- Outcomes are written as sets: `rows` is a JSON array with one array for each job.
-- name: jobs_complete
UPDATE jobs
   SET state = 'completed', lease = NULL, lease_until = NULL, finished_at = :now,
       updated_at = :now, error = NULL, reason = NULL, overloaded_since = NULL,
       result = w.value ->> 2
  FROM json_each(:rows) w
 WHERE jobs.id = w.value ->> 0 AND jobs.lease = w.value ->> 1

-- name: jobs_fail
UPDATE jobs
   SET state = 'failed', lease = NULL, lease_until = NULL, finished_at = :now, updated_at = :now,
       error = w.value ->> 2, reason = w.value ->> 3,
       attempts = min(max_attempts, attempts + (w.value ->> 4 = 'attempt')),
       unusable = unusable + (w.value ->> 4 = 'answer'),
       interruptions = interruptions + (w.value ->> 4 = 'interruption')
  FROM json_each(:rows) w
 WHERE jobs.id = w.value ->> 0 AND jobs.lease = w.value ->> 1

-- name: jobs_return
UPDATE jobs
   SET state = 'pending', lease = NULL, lease_until = NULL, updated_at = :now,
       -- Given back untried, it still stands where its last try left it.
       error = CASE WHEN w.value ->> 4 = 'none' THEN error ELSE w.value ->> 2 END,
       reason = CASE WHEN w.value ->> 4 = 'none' THEN reason ELSE w.value ->> 3 END,
       attempts = min(max_attempts, attempts + (w.value ->> 4 = 'attempt')),
       unusable = unusable + (w.value ->> 4 = 'answer'),
       interruptions = interruptions + (w.value ->> 4 = 'interruption'),
       snoozes = snoozes + (w.value ->> 4 IN ('snooze', 'overload')),
       overloaded_since = CASE w.value ->> 4
                          WHEN 'overload' THEN coalesce(overloaded_since, :now)
                          WHEN 'none' THEN overloaded_since END,
       run_at = coalesce(w.value ->> 5, :now),
       waiting = coalesce(w.value ->> 5, :now) > :now
  FROM json_each(:rows) w
 WHERE jobs.id = w.value ->> 0 AND jobs.lease = w.value ->> 1

-- name: jobs_about
SELECT j.id, j.batch_id, j.submission_id, j.grader, b.rubric_id
  FROM json_each(:ids) w JOIN jobs j ON j.id = w.value JOIN batches b ON b.id = j.batch_id

-- A job in a provider's batch is in nobody's hand and yet not lost: its answer may come.
-- name: jobs_left_behind
SELECT j.id, j.lease, j.interruptions, r.amount, r.reserved_at
  FROM jobs j LEFT JOIN reservations r ON r.job_id = j.id AND r.lease = j.lease
 WHERE j.state = 'processing'
   AND NOT EXISTS (SELECT 1 FROM provider_batches p
                    WHERE p.intent = j.lease AND p.ended_at IS NULL)

-- name: jobs_expired
SELECT j.id, j.lease, j.interruptions, r.amount, r.reserved_at
  FROM jobs j LEFT JOIN reservations r ON r.job_id = j.id AND r.lease = j.lease
 WHERE j.state = 'processing' AND j.lease_until <= :now
   AND NOT EXISTS (SELECT 1 FROM provider_batches p
                    WHERE p.intent = j.lease AND p.ended_at IS NULL)

-- name: job_cancel_of_submission
UPDATE jobs
   SET state = 'cancelled', waiting = 0, lease = NULL, lease_until = NULL, finished_at = :now,
       updated_at = :now, reason = :reason
 WHERE submission_id = :submission_id AND state IN ('pending', 'processing')

-- name: jobs_cancel
UPDATE jobs
   SET state = 'cancelled', waiting = 0, lease = NULL, lease_until = NULL, finished_at = :now,
       updated_at = :now, reason = :reason
 WHERE id IN (SELECT value FROM json_each(:ids)) AND state IN ('pending', 'processing')

-- name: jobs_cancel_batch
UPDATE jobs
   SET state = 'cancelled', waiting = 0, lease = NULL, lease_until = NULL, finished_at = :now,
       updated_at = :now, reason = :reason
 WHERE batch_id = :batch_id AND state IN ('pending', 'processing')

-- name: jobs_retry
UPDATE OR IGNORE jobs
   SET state = 'pending', waiting = 0, run_at = :now, finished_at = NULL, updated_at = :now,
       attempts = 0, snoozes = 0, interruptions = 0, unusable = 0, overloaded_since = NULL,
       error = NULL, reason = NULL, result = NULL
 WHERE id IN (SELECT value FROM json_each(:ids)) AND state IN ('failed', 'cancelled')
   AND NOT EXISTS (SELECT 1 FROM submissions s
                    WHERE s.id = jobs.submission_id
                      AND (s.archived_at IS NOT NULL OR s.status IN ('in_progress', 'released')))
RETURNING id, batch_id

-- name: jobs_failed_of_batch
SELECT id FROM jobs WHERE batch_id = :batch_id AND state = 'failed'

-- name: job_get
SELECT j.*, s.external_id FROM jobs j LEFT JOIN submissions s ON s.id = j.submission_id
 WHERE j.id = :id

-- name: jobs_list
SELECT j.*, s.external_id FROM jobs j LEFT JOIN submissions s ON s.id = j.submission_id
 WHERE j.batch_id = :batch_id AND (:state IS NULL OR j.state = :state) AND j.id > :after
 ORDER BY j.id LIMIT :limit

-- name: job_place
SELECT j.id, j.batch_id, j.run_at, j.waiting, j.interruptions, j.state,
       b.pool, b.interactive, b.priority, b.deadline, b.owner_id, b.paused_by, b.pause_reason
  FROM jobs j JOIN batches b ON b.id = j.batch_id WHERE j.id = :id

-- name: ahead_in_batch
SELECT count(*) FROM jobs
 WHERE batch_id = :batch_id AND state = 'pending' AND waiting = 0
   AND (interruptions, id) < (:interruptions, :id)

-- name: ahead_in_other_batches
SELECT coalesce(sum(ready), 0) FROM batches
 WHERE pool = :pool AND ready > 0 AND paused_at IS NULL AND started_at IS NOT NULL AND mode = 'live'
   AND is_short = 0
   AND id <> :batch_id
   AND (-interactive, priority, deadline, owner_id <> :owner_id, id)
     < (-:interactive, :priority, :deadline, 0, :batch_id)
