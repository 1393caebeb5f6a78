-- name: people_any
SELECT EXISTS (SELECT 1 FROM people)

-- name: people_administrators
SELECT count(*) FROM people WHERE role = 'administrator'

-- name: people_all
SELECT p.*, (SELECT json_group_array(course) FROM given_courses WHERE person_id = p.id) AS courses
  FROM people p ORDER BY p.name

-- name: person_by_name
SELECT p.*, (SELECT json_group_array(course) FROM given_courses WHERE person_id = p.id) AS courses
  FROM people p WHERE p.name = :name

-- name: person_insert
INSERT INTO people (name, role, created_at) VALUES (:name, :role, :now)

-- name: person_set_role
UPDATE people SET role = :role WHERE id = :id

-- name: courses_take
DELETE FROM given_courses WHERE person_id = :id

-- name: courses_give
INSERT OR IGNORE INTO given_courses (person_id, course)
SELECT :id, value FROM json_each(:courses)

-- name: pass_insert
INSERT INTO passes (handle, kind, person_id, label, sha256, created_at, expires_at)
VALUES (:handle, :kind, :person_id, :label, :sha256, :now, :expires_at)

-- The link of the first start is worth nothing once somebody administers.
-- name: pass_valid
SELECT s.*, p.name, p.role, p.created_at AS person_created_at,
       (SELECT json_group_array(course) FROM given_courses WHERE person_id = p.id) AS courses
  FROM passes s LEFT JOIN people p ON p.id = s.person_id
 WHERE s.handle = :handle AND (s.expires_at IS NULL OR s.expires_at > :now)
   AND (s.person_id IS NOT NULL OR NOT EXISTS (SELECT 1 FROM people WHERE role = 'administrator'))

-- name: passes_of_kind
SELECT s.*, p.name, p.role, p.created_at AS person_created_at,
       (SELECT json_group_array(course) FROM given_courses WHERE person_id = p.id) AS courses
  FROM passes s JOIN people p ON p.id = s.person_id
 WHERE s.kind = :kind AND (s.expires_at IS NULL OR s.expires_at > :now)
 ORDER BY s.created_at, s.handle

-- name: pass_used
UPDATE passes SET last_used_at = :now, expires_at = coalesce(:expires_at, expires_at)
 WHERE handle = :handle

-- name: pass_end
DELETE FROM passes WHERE handle = :handle

-- name: passes_end_all
DELETE FROM passes
 WHERE person_id = :person_id AND kind IN (SELECT value FROM json_each(:kinds))

-- name: passes_of_nobody_end
DELETE FROM passes WHERE person_id IS NULL

-- name: passes_over
DELETE FROM passes WHERE expires_at <= :now
