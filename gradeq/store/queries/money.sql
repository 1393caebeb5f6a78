-- name: batch_cap
UPDATE batches SET cost_cap = :cap, needed_cost = NULL, updated_at = :now WHERE id = :id

-- A job in hand, and how much of its batch's cap is taken.
-- name: purse_of_job
SELECT b.id, b.cost_cap, b.cost, b.uncertain_cost, b.reserved_cost, b.reserving
  FROM jobs j JOIN batches b ON b.id = j.batch_id WHERE j.id = :id AND j.lease = :lease

-- name: day_get
SELECT day, cost, uncertain_cost, reserved_cost, reserving FROM days WHERE day = :day

-- name: reservation_insert
INSERT INTO reservations (job_id, lease, batch_id, day, amount, reserved_at)
VALUES (:job_id, :lease, :batch_id, :day, :amount, :now)

-- A claim that became part of a provider's batch: its money stays with it.
-- name: reservations_follow
UPDATE reservations SET lease = :lease
 WHERE (job_id, lease) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:leases))

-- A provider's batch that was not posted, or that has ended: what brought no answer cost nothing.
-- name: reservations_free
DELETE FROM reservations WHERE lease = :intent

-- name: batch_needs
UPDATE batches SET needed_cost = :needed WHERE id = :id

-- name: pool_needs
INSERT INTO short_pools (pool, day, cost_cap, needed_cost)
SELECT pool, :day, :cap, :needed FROM batches WHERE id = :batch_id
    ON CONFLICT (pool) DO UPDATE
   SET day = excluded.day, cost_cap = excluded.cost_cap, needed_cost = excluded.needed_cost

-- How many more jobs of a pool today's cap has money for; no row where nothing is known of that.
-- With nothing in hand one may try: whatever it finds out, somebody does.
-- name: day_affords
SELECT max(max(coalesce(sum(b.processing), 0), d.reserving) = 0,
           CAST((s.cost_cap - d.cost - d.uncertain_cost - d.reserved_cost) / s.needed_cost
                AS INTEGER) - coalesce(sum(max(0, b.processing - b.reserving)), 0))
  FROM short_pools s
  JOIN days d ON d.day = s.day
  LEFT JOIN batches b ON b.processing > 0 AND b.pool = s.pool
 WHERE s.pool = :pool AND s.day = :day
 GROUP BY s.pool

-- name: reservation_end
DELETE FROM reservations WHERE job_id = :job_id AND lease = :lease

-- name: reservations_end
DELETE FROM reservations
 WHERE (job_id, lease) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:leases))
RETURNING job_id, lease, amount, reserved_at

-- name: attempt_certain
UPDATE attempts SET uncertain_cost = 0
 WHERE job_id = :job_id AND lease = :lease AND uncertain_cost > 0

-- Whoever made these calls is gone and will never tell what they cost.
-- name: reservations_left
SELECT r.job_id, r.lease FROM reservations r
 WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = r.job_id AND j.lease = r.lease)

-- A new process may have other prices, and another cap.
-- name: batches_need_nothing
UPDATE batches SET needed_cost = NULL WHERE finished_at IS NULL AND needed_cost IS NOT NULL

-- name: pools_need_nothing
DELETE FROM short_pools
