-- name: assignment_ensure
INSERT INTO assignments (course, name) VALUES (:course, :name) ON CONFLICT DO NOTHING

-- name: assignment_id
SELECT id FROM assignments WHERE course = :course AND name = :name

-- name: assignment_rubric
SELECT rubric_id FROM assignments WHERE course = :course AND name = :name

-- name: assignment_set_rubric
UPDATE assignments SET rubric_id = :rubric_id WHERE id = :id

-- name: assignment_replace_rubric
UPDATE assignments SET rubric_id = :rubric_id
 WHERE id = :id AND (rubric_id IS :seen OR rubric_id = :rubric_id)

-- name: assignment_rubric_keep
INSERT INTO assignment_rubrics (assignment_id, rubric_id, assigned_at)
VALUES (:id, :rubric_id, :now)
    ON CONFLICT (assignment_id, rubric_id) DO UPDATE SET assigned_at = excluded.assigned_at

-- Of a batch's papers one is looked at: they belong to one assignment, but for a few batches.
-- name: assignment_rubrics
SELECT r.id, r.name, r.version, r.sha256, r.source, r.created_at, u.assigned_at,
       row_number() OVER (ORDER BY u.id) AS number, r.id = a.rubric_id AS is_assigned,
       (SELECT coalesce(sum(b.completed), 0) FROM batches b
         WHERE b.rubric_id = r.id
           AND (SELECT j.assignment_id FROM jobs j WHERE j.batch_id = b.id LIMIT 1) = a.id
       ) AS graded,
       (SELECT json_group_array(b.id) FROM batches b
         WHERE b.rubric_id = r.id AND b.finished_at IS NULL
           AND (SELECT j.assignment_id FROM jobs j WHERE j.batch_id = b.id LIMIT 1) = a.id
       ) AS open_batches
  FROM assignments a
  JOIN assignment_rubrics u ON u.assignment_id = a.id
  JOIN rubrics r ON r.id = u.rubric_id
 WHERE a.course = :course AND a.name = :name
 ORDER BY u.id DESC

-- name: badges
SELECT in_progress, submitted, graded, released, grading
  FROM assignments WHERE course = :course AND name = :name

-- name: assignments_all
SELECT course, name, in_progress, submitted, graded, released, grading
  FROM assignments ORDER BY course, name

-- name: assignments_of
SELECT DISTINCT a.course, a.name, a.rubric_id
  FROM json_each(:ids) w
  JOIN submissions s ON s.id = w.value
  JOIN assignments a ON a.id = s.assignment_id

-- name: submission_known
SELECT s.id, s.status, s.version, s.archived_at, s.student, s.extra, p.sha256,
       EXISTS (SELECT 1 FROM grades g
                WHERE g.submission_id = s.id AND g.current = 1 AND g.source = 'person') AS by_person
  FROM submissions s JOIN papers p ON p.submission_id = s.id AND p.version = s.version
 WHERE s.assignment_id = :assignment_id AND s.external_id = :external_id

-- name: submission_insert
INSERT INTO submissions (assignment_id, external_id, student, extra, status, characters, has_words,
                         created_at, updated_at)
VALUES (:assignment_id, :external_id, :student, :extra, :status, :characters, :has_words,
        :now, :now)

-- name: submission_replace
UPDATE submissions
   SET version = version + 1, student = :student, extra = :extra, status = :status,
       characters = :characters, has_words = :has_words, updated_at = :now
 WHERE id = :id

-- name: submission_touch
UPDATE submissions SET student = :student, extra = :extra, status = :status, updated_at = :now
 WHERE id = :id

-- name: paper_insert
INSERT INTO papers (submission_id, version, text, sha256, created_at)
VALUES (:submission_id, :version, :text, :sha256, :now)

-- name: submission_get
SELECT s.*, a.course, a.name AS assignment, p.text, p.sha256 AS text_sha256
  FROM submissions s
  JOIN assignments a ON a.id = s.assignment_id
  JOIN papers p ON p.submission_id = s.id AND p.version = s.version
 WHERE s.id = :id

-- name: submissions_list
SELECT s.*, a.course, a.name AS assignment, p.text, p.sha256 AS text_sha256
  FROM assignments a
  JOIN submissions s ON s.assignment_id = a.id
  JOIN papers p ON p.submission_id = s.id AND p.version = s.version
 WHERE a.course = :course AND a.name = :name AND s.archived_at IS NULL
   AND s.status = :status AND s.id > :after
 ORDER BY s.id LIMIT :limit

-- name: submissions_list_archived
SELECT s.*, a.course, a.name AS assignment, p.text, p.sha256 AS text_sha256
  FROM assignments a
  JOIN submissions s ON s.assignment_id = a.id
  JOIN papers p ON p.submission_id = s.id AND p.version = s.version
 WHERE a.course = :course AND a.name = :name AND s.archived_at IS NOT NULL AND s.id > :after
 ORDER BY s.id LIMIT :limit

-- name: submissions_ids
SELECT s.id
  FROM assignments a JOIN submissions s ON s.assignment_id = a.id
 WHERE a.course = :course AND a.name = :name
   AND s.archived_at IS NULL AND s.status = :status
 ORDER BY s.id

-- name: submissions_ids_by_student
SELECT s.id
  FROM assignments a JOIN submissions s ON s.assignment_id = a.id
 WHERE a.course = :course AND a.name = :name
   AND s.archived_at IS NULL AND s.status = :status
 ORDER BY coalesce(nullif(s.student, ''), s.external_id) COLLATE NOCASE, s.id

-- name: submissions_ids_by_score
SELECT s.id
  FROM assignments a JOIN submissions s ON s.assignment_id = a.id
 WHERE a.course = :course AND a.name = :name
   AND s.archived_at IS NULL AND s.status = :status
 ORDER BY (SELECT g.score FROM grades g INDEXED BY grades_scores
            WHERE g.submission_id = s.id AND g.current = 1), s.id

-- Candidates for a search: SQLite folds the case of ASCII letters only, and names have others.
-- name: submissions_named
SELECT s.id, s.student, s.external_id
  FROM assignments a JOIN submissions s ON s.assignment_id = a.id
 WHERE a.course = :course AND a.name = :name
   AND s.archived_at IS NULL AND s.status = :status
   AND (s.student LIKE :like ESCAPE '\' OR s.external_id LIKE :like ESCAPE '\'
        OR s.student || s.external_id GLOB '*[^ -~]*')

-- name: submissions_named_archived
SELECT s.id, s.student, s.external_id
  FROM assignments a JOIN submissions s ON s.assignment_id = a.id
 WHERE a.course = :course AND a.name = :name AND s.archived_at IS NOT NULL
   AND (s.student LIKE :like ESCAPE '\' OR s.external_id LIKE :like ESCAPE '\'
        OR s.student || s.external_id GLOB '*[^ -~]*')

-- name: submissions_ids_archived
SELECT s.id
  FROM assignments a JOIN submissions s ON s.assignment_id = a.id
 WHERE a.course = :course AND a.name = :name AND s.archived_at IS NOT NULL
 ORDER BY CASE :order
          WHEN 'student' THEN coalesce(nullif(s.student, ''), s.external_id)
          WHEN 'score' THEN (SELECT g.score FROM grades g
                              WHERE g.submission_id = s.id AND g.current = 1)
          END COLLATE NOCASE, s.id

-- name: submissions_find
SELECT s.external_id, s.id
  FROM json_each(:external_ids) w
  JOIN submissions s ON s.external_id = w.value
  JOIN assignments a ON a.id = s.assignment_id
 WHERE (:course IS NULL OR a.course = :course) AND (:name IS NULL OR a.name = :name)
 ORDER BY s.id

-- name: submission_states
SELECT w.value AS wanted, s.id, s.status, s.archived_at, s.assignment_id
  FROM json_each(:ids) w LEFT JOIN submissions s ON s.id = w.value

-- name: submission_archive
UPDATE submissions SET archived_at = :now, updated_at = :now WHERE id = :id AND archived_at IS NULL

-- name: submission_unarchive
UPDATE submissions SET archived_at = NULL, updated_at = :now
 WHERE id = :id AND archived_at IS NOT NULL

-- name: submission_release
UPDATE submissions
   SET status = 'released', released_at = :now, released_by = :by, updated_at = :now
 WHERE id = :id AND status = 'graded' AND archived_at IS NULL

-- name: submissions_graded
UPDATE submissions SET status = 'graded', updated_at = :now
 WHERE id IN (SELECT value FROM json_each(:ids)) AND status = 'submitted'

-- name: submission_courses
SELECT s.id, a.course
  FROM json_each(:ids) w
  JOIN submissions s ON s.id = w.value JOIN assignments a ON a.id = s.assignment_id

-- name: submission_releases
SELECT w.value AS wanted, s.id, s.status, s.archived_at, s.released_at, s.released_by
  FROM json_each(:ids) w LEFT JOIN submissions s ON s.id = w.value

-- name: submission_unrelease
UPDATE submissions
   SET status = 'graded', released_at = NULL, released_by = NULL, updated_at = :now
 WHERE id = :id AND status = 'released'

-- name: releases_of
SELECT released_at, released_by, taken_back_at
  FROM releases WHERE submission_id = :submission_id ORDER BY id

-- name: released_together
SELECT t.id
  FROM submissions s JOIN submissions t ON t.assignment_id = s.assignment_id
 WHERE s.id = :id AND t.status = 'released' AND t.archived_at IS NULL
   AND t.released_at = s.released_at AND t.released_by = s.released_by
 ORDER BY t.id

-- name: submissions_reviewed
SELECT s.id
  FROM assignments a
  JOIN submissions s ON s.assignment_id = a.id
  JOIN grades g INDEXED BY grades_looked_at ON g.submission_id = s.id AND g.current = 1
 WHERE a.course = :course AND a.name = :name
   AND s.archived_at IS NULL AND s.status = 'graded'
   AND (g.source = 'person' OR g.reviewed_by IS NOT NULL)
 ORDER BY s.id

-- A flag of any grade of this text counts: an edit must not move a paper while somebody walks
-- through.
-- name: submissions_ids_doubtful
SELECT s.id
  FROM assignments a JOIN submissions s ON s.assignment_id = a.id
 WHERE a.course = :course AND a.name = :name
   AND s.archived_at IS NULL AND s.status = :status
   AND EXISTS (SELECT 1 FROM grades g INDEXED BY grades_doubtful
                WHERE g.submission_id = s.id AND g.paper_version = s.version
                  AND g.flags NOT IN ('[]', '["simulated"]', '["provisional"]'))
 ORDER BY (SELECT min(g.confidence) FROM grades g INDEXED BY grades_sure
            WHERE g.submission_id = s.id AND g.paper_version = s.version
              AND g.confidence IS NOT NULL) NULLS LAST,
          coalesce(nullif(s.student, ''), s.external_id) COLLATE NOCASE, s.id

-- The least sure first. Most graders tell no confidence: then there are none.
-- name: submissions_ids_unsure
SELECT s.id
  FROM assignments a JOIN submissions s ON s.assignment_id = a.id
  JOIN grades g INDEXED BY grades_sure ON g.submission_id = s.id AND g.paper_version = s.version
                                      AND g.confidence IS NOT NULL
 WHERE a.course = :course AND a.name = :name
   AND s.archived_at IS NULL AND s.status = :status
 GROUP BY s.id
 ORDER BY min(g.confidence), coalesce(nullif(s.student, ''), s.external_id) COLLATE NOCASE, s.id
