-- name: event_insert
INSERT INTO events (at, kind, assignment_id, batch_id, submission_id)
VALUES (:now, :kind, :assignment_id, :batch_id, :submission_id)

-- name: events_after
SELECT e.*, a.course, a.name AS assignment
  FROM events e LEFT JOIN assignments a ON a.id = e.assignment_id
 WHERE e.seq > :after ORDER BY e.seq LIMIT :limit

-- name: events_last
SELECT coalesce(max(seq), 0) FROM events

-- name: events_prune
DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - :keep
