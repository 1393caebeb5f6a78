-- A school in the middle of a term. Of 20 papers of an assignment one is still being written, two
-- are handed in, one could not be graded, one is archived, three are released, twelve are graded.

CREATE TEMP TABLE paper AS
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :papers)
SELECT i AS id, i % 20 AS part,
       CASE WHEN i <= :large THEN 1
            WHEN i <= :large + :middle THEN 2
            ELSE 3 + (i - :large - :middle - 1) / :small END AS place
  FROM n;

INSERT INTO owners (name) SELECT 'Teacher ' || (place % 20) FROM paper GROUP BY 1;
INSERT INTO rubrics (name, version, sha256, source, created_at)
SELECT 'essay ' || place, version, printf('%032d%032d', place, version), :rubric, :now
  FROM (SELECT DISTINCT place FROM paper), (SELECT 1 AS version UNION SELECT 2 UNION SELECT 3)
 ORDER BY place, version;
INSERT INTO assignments (course, name, rubric_id)
SELECT CASE place WHEN 1 THEN 'Lecture' WHEN 2 THEN 'Seminar' ELSE 'Class ' || (place % 26) END,
       CASE place WHEN 1 THEN 'Exam' WHEN 2 THEN 'Essay' ELSE 'Homework ' || place END, 3 * place
  FROM paper GROUP BY place ORDER BY place;
INSERT INTO assignment_rubrics (assignment_id, rubric_id, assigned_at)
SELECT (id + 2) / 3, id, :now FROM rubrics;

INSERT INTO submissions (id, assignment_id, external_id, student, status, characters, has_words,
                         archived_at, released_at, released_by, created_at, updated_at)
SELECT id, place, printf('s%06d', id * 7919 % 1000003),
       substr('AdaBenCleoDëanEvaFinnGülHugoInaJean', 1 + id * 13 % 10 * 3, 4) || ' '
       || char(65 + id * 31 % 26, 97 + id * 17 % 26, 228, 97 + id * 7 % 26) || ' ' || id % 997,
       CASE WHEN part = 0 THEN 'in_progress' WHEN part <= 3 THEN 'submitted'
            WHEN part BETWEEN 5 AND 7 THEN 'released' ELSE 'graded' END,
       length(printf(:text, id)), 1,
       CASE WHEN part = 4 THEN :now END,
       CASE WHEN part BETWEEN 5 AND 7 THEN :now END,
       CASE WHEN part BETWEEN 5 AND 7 THEN 'Ms Lee' END, :now - 1000 * id, :now
  FROM paper;
INSERT INTO papers (submission_id, version, text, sha256, created_at)
SELECT id, 1, printf(:text, id), printf('%064d', id), :now FROM paper;
INSERT INTO releases (submission_id, released_at, released_by)
SELECT id, released_at, released_by FROM submissions WHERE status = 'released';

-- One order for each assignment.
INSERT INTO batches (id, grader, pool, owner_id, rubric_id, priority, created_at, updated_at,
                     started_at, finished_at, total, completed, failed, requests)
SELECT place, 'llm', 'simulated', 1, 3 * place, 5, :now - 7200000, :now, :now - 7200000, :now,
       sum(part >= 3), sum(part > 3), sum(part = 3), sum(part > 3)
  FROM paper GROUP BY place;
INSERT INTO jobs (id, batch_id, grader, submission_id, assignment_id, state, run_at, attempts,
                  error, reason, created_at, claimed_at, finished_at, updated_at)
SELECT id, place, 'llm', id, place, iif(part = 3, 'failed', 'completed'), :now, part = 3,
       iif(part = 3, 'bad_reply', NULL), iif(part = 3, 'the answer was cut off', NULL),
       :now - 7200000, :now - 10000 - id * 37 % 9000, :now - 1000, :now
  FROM paper WHERE part >= 3;
INSERT INTO batch_assignments (batch_id, assignment_id) SELECT id, id FROM batches;
INSERT INTO attempts (id, job_id, batch_id, submission_id, answer_use, request_key, model,
                      input_tokens, output_tokens, day, started_at, finished_at)
SELECT id, id, batch_id, submission_id, 'applied', 'key', 'model', 900, 200, '2026-01-01', :now, :now
  FROM jobs WHERE state = 'completed';
INSERT INTO prompt_prefixes (sha256, text) VALUES (printf('%064d', 0), :rubric);
INSERT INTO answers (attempt_id, prefix_id, sent, text, stop, raw)
SELECT id, 1, printf(:text, id), :criteria, 'end_turn', :criteria FROM attempts;
INSERT INTO grades (submission_id, version, paper_version, current, source, grader, job_id,
                    attempt_id, rubric_id, model, score, max_score, criteria, feedback, flags,
                    reviewed_at, reviewed_by, created_at)
SELECT submission_id, 1, 1, submission_id % 16 <> 11, 'model', 'llm', job_id, id,
       3 * batch_id, 'model', id * 7 % 6, 5, :criteria, 'A clear claim; more support is needed.',
       iif(id % 10 = 9, '["unverified_evidence"]', '[]'),
       iif(id % 16 = 3, :now, NULL), iif(id % 16 = 3, 'Ms Lee', NULL), :now
  FROM attempts;
INSERT INTO grades (submission_id, version, paper_version, current, source, score, max_score,
                    criteria, feedback, edited_by, created_at)
SELECT submission_id, 2, 1, 1, 'person', score, 5, criteria, 'Better than it looks.', 'Ms Lee', :now
  FROM grades WHERE current = 0;
INSERT INTO events (at, kind, assignment_id, batch_id, job_id, submission_id)
SELECT :now, 'job.' || state, assignment_id, batch_id, id, submission_id FROM jobs;

UPDATE batches SET input_tokens = 900 * requests, output_tokens = 200 * requests;
UPDATE assignments
   SET (in_progress, submitted, graded, released) =
       (SELECT count(*) FILTER (WHERE status = 'in_progress'),
               count(*) FILTER (WHERE status = 'submitted'),
               count(*) FILTER (WHERE status = 'graded'),
               count(*) FILTER (WHERE status = 'released')
          FROM submissions WHERE assignment_id = assignments.id AND archived_at IS NULL);
DROP TABLE temp.paper;
