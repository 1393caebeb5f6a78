-- name: nights
SELECT id AS batch_id, grader, fallback_at, ready + waiting AS pending,
       paused_at IS NOT NULL AS is_paused
  FROM batches WHERE mode = 'overnight' AND finished_at IS NULL ORDER BY id

-- name: night_claimable
SELECT id, kind, rubric_id, cost_cap FROM batches
 WHERE id = :id AND mode = 'overnight' AND ready > 0 AND paused_at IS NULL AND is_short = 0

-- name: night_may_post
SELECT fallback_at FROM batches WHERE id = :id AND mode = 'overnight' AND paused_at IS NULL

-- name: night_over
UPDATE batches SET mode = 'live', updated_at = :now WHERE id = :id AND mode = 'overnight'

-- name: provider_batch_insert
INSERT INTO provider_batches (batch_id, intent, entries, look_at, created_at)
VALUES (:batch_id, :intent, :entries, :look_at, :now)

-- `rows` is a JSON array with one array of job and present lease for each.
-- name: jobs_intend
UPDATE jobs SET lease = :intent, lease_until = :lease_until
  FROM json_each(:rows) w
 WHERE jobs.id = w.value ->> 0 AND jobs.lease = w.value ->> 1
RETURNING jobs.id

-- name: item_insert
INSERT INTO provider_batch_items (provider_batch_id, job_id, request_key, prefix_id, sent)
VALUES (?, ?, ?, ?, ?)

-- name: provider_batch_posted
UPDATE provider_batches
   SET state = 'posted', provider_batch_id = :provider_batch_id, posted_at = :now,
       looks = 0, look_at = :look_at, reason = NULL
 WHERE intent = :intent AND state = 'intended'
RETURNING batch_id

-- name: provider_batch_looked
UPDATE provider_batches
   SET answered = coalesce(:answered, answered), failed = coalesce(:failed, failed),
       looks = looks + 1, look_at = :look_at, reason = :reason,
       lost_since = CASE WHEN :is_lost THEN coalesce(lost_since, :now) END
 WHERE intent = :intent AND ended_at IS NULL

-- name: provider_batch_cancel_asked
UPDATE provider_batches SET cancel_asked_at = :now, looks = 0, look_at = :now
 WHERE intent = :intent AND ended_at IS NULL

-- name: provider_batch_known
SELECT DISTINCT p.provider_batch_id FROM json_each(:ids) w
  JOIN provider_batches p ON p.provider_batch_id = w.value

-- name: provider_batches_open
SELECT p.batch_id, b.grader, p.intent, p.state, p.provider_batch_id, p.entries, p.answered,
       p.failed, p.looks, p.look_at, p.lost_since, p.reason, b.fallback_at, p.created_at, p.posted_at,
       p.cancel_asked_at,
       EXISTS (SELECT 1 FROM provider_batch_items i JOIN jobs j ON j.id = i.job_id
                WHERE i.provider_batch_id = p.id AND j.lease = p.intent) AS is_wanted
  FROM provider_batches p JOIN batches b ON b.id = p.batch_id
 WHERE p.ended_at IS NULL ORDER BY p.batch_id, p.id

-- name: provider_batch_holding
SELECT p.batch_id, b.grader, p.intent, p.state, p.provider_batch_id, p.entries, p.answered,
       p.failed, p.looks, p.look_at, p.lost_since, p.reason, b.fallback_at, p.created_at, p.posted_at,
       p.cancel_asked_at, 1 AS is_wanted
  FROM jobs j
  JOIN provider_batches p ON p.intent = j.lease
  JOIN batches b ON b.id = p.batch_id
 WHERE j.id = :job_id AND p.ended_at IS NULL

-- name: provider_batch_id
SELECT id FROM provider_batches WHERE intent = :intent

-- The batch that the items' jobs belong to, as a claim needs it.
-- name: items_batch
SELECT b.id, b.kind, b.rubric_id, b.cost_cap
  FROM provider_batches p JOIN batches b ON b.id = p.batch_id WHERE p.intent = :intent

-- name: items_all
SELECT j.id, j.grader, j.payload, j.submission_id, j.attempts, j.snoozes, j.interruptions,
       j.unusable, j.overloaded_since, j.max_attempts,
       i.request_key, coalesce(x.text, ''), i.sent, j.lease IS :intent
  FROM provider_batch_items i
  JOIN jobs j ON j.id = i.job_id
  LEFT JOIN prompt_prefixes x ON x.id = i.prefix_id
 WHERE i.provider_batch_id = :id

-- name: items_of_jobs
SELECT j.id, j.grader, j.payload, j.submission_id, j.attempts, j.snoozes, j.interruptions,
       j.unusable, j.overloaded_since, j.max_attempts,
       i.request_key, coalesce(x.text, ''), i.sent, j.lease IS :intent
  FROM json_each(:job_ids) w
  JOIN provider_batch_items i ON i.job_id = w.value AND i.provider_batch_id = :id
  JOIN jobs j ON j.id = i.job_id
  LEFT JOIN prompt_prefixes x ON x.id = i.prefix_id

-- name: item_collect
DELETE FROM provider_batch_items
 WHERE job_id = :job_id
   AND provider_batch_id = (SELECT id FROM provider_batches WHERE intent = :intent)

-- A cancelled job that is retried while its answer may still come: it waits for that.
-- name: jobs_rejoin
UPDATE jobs SET state = 'processing', lease = p.intent, lease_until = b.fallback_at
  FROM json_each(:ids) w
  JOIN provider_batch_items i ON i.job_id = w.value
  JOIN provider_batches p ON p.id = i.provider_batch_id
  JOIN batches b ON b.id = p.batch_id
 WHERE jobs.id = w.value AND jobs.state = 'pending'

-- name: jobs_still_waiting
SELECT j.id FROM provider_batches p
  JOIN jobs j ON j.batch_id = p.batch_id AND j.state = 'processing' AND j.lease = p.intent
 WHERE p.intent = :intent

-- name: items_drop
DELETE FROM provider_batch_items WHERE provider_batch_id = :id

-- name: provider_batch_end
UPDATE provider_batches
   SET state = CASE WHEN :reason IS NULL THEN 'ended' ELSE 'abandoned' END,
       reason = :reason, ended_at = :now
 WHERE intent = :intent AND ended_at IS NULL
