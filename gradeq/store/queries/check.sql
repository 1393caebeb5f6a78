-- These recount what triggers keep; they read everything and run only when asked for.
-- name: check_badges
SELECT a.course || '/' || a.name AS which
  FROM assignments a
  LEFT JOIN (SELECT assignment_id,
                    sum(archived_at IS NULL AND status = 'in_progress') AS in_progress,
                    sum(archived_at IS NULL AND status = 'submitted') AS submitted,
                    sum(archived_at IS NULL AND status = 'graded') AS graded,
                    sum(archived_at IS NULL AND status = 'released') AS released
               FROM submissions GROUP BY assignment_id) s ON s.assignment_id = a.id
  LEFT JOIN (SELECT s.assignment_id, count(*) AS grading
               FROM jobs j JOIN submissions s ON s.id = j.submission_id
              WHERE j.state IN ('pending', 'processing') GROUP BY 1) j ON j.assignment_id = a.id
 WHERE (a.in_progress, a.submitted, a.graded, a.released, a.grading)
    <> (coalesce(s.in_progress, 0), coalesce(s.submitted, 0), coalesce(s.graded, 0),
        coalesce(s.released, 0), coalesce(j.grading, 0))

-- name: check_batches
SELECT 'batch ' || b.id AS which
  FROM batches b
  LEFT JOIN (SELECT batch_id, count(*) AS total,
                    sum(state = 'pending' AND waiting = 0) AS ready, sum(waiting) AS waiting,
                    sum(state = 'processing') AS processing, sum(state = 'completed') AS completed,
                    sum(state = 'failed') AS failed, sum(state = 'cancelled') AS cancelled
               FROM jobs GROUP BY batch_id) j ON j.batch_id = b.id
 WHERE (b.total, b.ready, b.waiting, b.processing, b.completed, b.failed, b.cancelled)
    <> (coalesce(j.total, 0), coalesce(j.ready, 0), coalesce(j.waiting, 0),
        coalesce(j.processing, 0), coalesce(j.completed, 0), coalesce(j.failed, 0),
        coalesce(j.cancelled, 0))
    OR (b.ready + b.waiting + b.processing = 0) <> (b.finished_at IS NOT NULL)

-- name: check_statuses
SELECT 'submission ' || s.id AS which
  FROM submissions s
 WHERE (s.status IN ('graded', 'released'))
    <> EXISTS (SELECT 1 FROM grades g WHERE g.submission_id = s.id AND g.current = 1)

-- name: check_spending
SELECT 'batch ' || b.id AS which
  FROM batches b
  LEFT JOIN (SELECT batch_id, sum(model IS NOT NULL) AS requests, sum(input_tokens) AS input_tokens,
                    sum(output_tokens) AS output_tokens
               FROM attempts GROUP BY batch_id) t ON t.batch_id = b.id
 WHERE (b.requests, b.input_tokens, b.output_tokens)
    <> (coalesce(t.requests, 0), coalesce(t.input_tokens, 0), coalesce(t.output_tokens, 0))

-- Sums of fractions: their last digits depend on the order.
-- name: check_money
SELECT which
  FROM (SELECT 'batch ' || id AS which, cost, uncertain_cost AS uncertain,
               reserved_cost AS reserved, reserving FROM batches
         UNION ALL
        SELECT 'day ' || day, cost, uncertain_cost, reserved_cost, reserving FROM days
         UNION ALL
        SELECT 'batch ' || batch_id, -cost, -uncertain_cost, 0, 0 FROM attempts
         UNION ALL
        SELECT 'day ' || day, -cost, -uncertain_cost, 0, 0 FROM attempts
         UNION ALL
        SELECT 'batch ' || batch_id, 0, 0, -amount, -1 FROM reservations
         UNION ALL
        SELECT 'day ' || day, 0, 0, -amount, -1 FROM reservations)
 GROUP BY which
HAVING abs(sum(cost)) > 1e-6 * (1 + max(cost))
    OR abs(sum(uncertain)) > 1e-6 * (1 + max(uncertain))
    OR abs(sum(reserved)) > 1e-6 * (1 + max(reserved)) OR sum(reserving) <> 0

-- name: check_provider_batches
SELECT 'job ' || j.id AS which
  FROM provider_batches p JOIN jobs j ON j.batch_id = p.batch_id AND j.lease = p.intent
 WHERE p.ended_at IS NOT NULL
 UNION ALL
SELECT 'job ' || i.job_id
  FROM provider_batches p JOIN provider_batch_items i ON i.provider_batch_id = p.id
 WHERE p.ended_at IS NOT NULL
