-- gradeq's whole schema, version 1 (SQLite 3.38 or newer).
-- Times are wall milliseconds since 1970 UTC, passed in by the program; JSON is kept as text.
-- What must always hold is a CHECK, a unique index or a trigger here, not a habit of the program.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Work is shared out fairly between owners: a teacher, a tenant, a script.
CREATE TABLE owners (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE CHECK (name <> ''),
    last_served INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE rubrics (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL CHECK (name <> ''),
    version    INTEGER NOT NULL CHECK (version >= 1),
    sha256     TEXT NOT NULL CHECK (length(sha256) = 64),
    source     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (name, version),
    UNIQUE (name, sha256)
) STRICT;

-- An assignment's row carries its badges; triggers keep them in the transaction of every change.
CREATE TABLE assignments (
    id          INTEGER PRIMARY KEY,
    course      TEXT NOT NULL CHECK (course <> ''),
    name        TEXT NOT NULL CHECK (name <> ''),
    rubric_id   INTEGER REFERENCES rubrics (id),
    in_progress INTEGER NOT NULL DEFAULT 0 CHECK (in_progress >= 0),
    submitted   INTEGER NOT NULL DEFAULT 0 CHECK (submitted >= 0),
    graded      INTEGER NOT NULL DEFAULT 0 CHECK (graded >= 0),
    released    INTEGER NOT NULL DEFAULT 0 CHECK (released >= 0),
    grading     INTEGER NOT NULL DEFAULT 0 CHECK (grading >= 0),
    UNIQUE (course, name)
) STRICT;

-- Every rubric that an assignment was ever given, so that one can go back to it.
CREATE TABLE assignment_rubrics (
    id            INTEGER PRIMARY KEY,
    assignment_id INTEGER NOT NULL REFERENCES assignments (id),
    rubric_id     INTEGER NOT NULL REFERENCES rubrics (id),
    assigned_at   INTEGER NOT NULL,
    UNIQUE (assignment_id, rubric_id)
) STRICT;

CREATE TABLE submissions (
    id            INTEGER PRIMARY KEY,
    assignment_id INTEGER NOT NULL REFERENCES assignments (id),
    external_id   TEXT NOT NULL CHECK (external_id <> ''),
    student       TEXT NOT NULL,
    extra         TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    status        TEXT NOT NULL CHECK (status IN ('in_progress', 'submitted', 'graded', 'released')),
    version       INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
    -- Of that version's text, so that what can be graded is told without opening any text: how long
    -- it is, and 1 where a person surely reads something; where 0, only the text itself tells.
    characters    INTEGER NOT NULL DEFAULT 0 CHECK (characters >= 0),
    has_words     INTEGER NOT NULL DEFAULT 0 CHECK (has_words IN (0, 1)),
    archived_at   INTEGER,
    released_at   INTEGER,
    released_by   TEXT,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    UNIQUE (assignment_id, external_id),
    -- Nothing is released without a person's name and a time.
    CHECK ((status = 'released') = (released_at IS NOT NULL)),
    CHECK ((status = 'released') = (released_by IS NOT NULL AND trim(released_by) <> ''))
) STRICT;
CREATE INDEX submissions_by_tab ON submissions (assignment_id, status, id)
    WHERE archived_at IS NULL;
-- By name: a student's, or the paper's own id where no student is known.
CREATE INDEX submissions_by_name
    ON submissions (assignment_id, status, coalesce(nullif(student, ''), external_id) COLLATE NOCASE,
                    id, version)
    WHERE archived_at IS NULL;
CREATE INDEX submissions_archived ON submissions (assignment_id, id)
    WHERE archived_at IS NOT NULL;
CREATE INDEX submissions_by_external_id ON submissions (external_id);

-- Every release there was, also those that were taken back: events are pruned, these rows are not.
CREATE TABLE releases (
    id            INTEGER PRIMARY KEY,
    submission_id INTEGER NOT NULL REFERENCES submissions (id),
    released_at   INTEGER NOT NULL,
    released_by   TEXT NOT NULL CHECK (trim(released_by) <> ''),
    taken_back_at INTEGER
) STRICT;
CREATE INDEX releases_by_submission ON releases (submission_id);
CREATE UNIQUE INDEX releases_in_force ON releases (submission_id) WHERE taken_back_at IS NULL;

-- The texts, one row a version: evidence keeps pointing into the text that was graded.
CREATE TABLE papers (
    submission_id INTEGER NOT NULL REFERENCES submissions (id),
    version       INTEGER NOT NULL CHECK (version >= 1),
    text          TEXT NOT NULL,
    sha256        TEXT NOT NULL CHECK (length(sha256) = 64),
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (submission_id, version)
) STRICT;

-- Jobs started together. `ready`, `waiting`, … count its jobs; the view batch_status derives one word.
CREATE TABLE batches (
    id              INTEGER PRIMARY KEY,
    kind            TEXT NOT NULL DEFAULT 'grading',
    grader          TEXT NOT NULL CHECK (grader <> ''),
    pool            TEXT NOT NULL CHECK (pool <> ''),
    owner_id        INTEGER NOT NULL REFERENCES owners (id),
    rubric_id       INTEGER REFERENCES rubrics (id),
    interactive     INTEGER NOT NULL DEFAULT 0 CHECK (interactive IN (0, 1)),
    priority        INTEGER NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 10),
    -- The largest integer stands for "no deadline", so that one index orders both.
    deadline        INTEGER NOT NULL DEFAULT 9223372036854775807,
    -- 'overnight': through the provider's batch API; from `fallback_at` on live, like all others.
    mode            TEXT NOT NULL DEFAULT 'live' CHECK (mode IN ('live', 'overnight')),
    fallback_at     INTEGER,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    started_at      INTEGER,
    paused_at       INTEGER,
    paused_by       TEXT,
    pause_reason    TEXT,
    pause_cause     TEXT,
    cancelled_at    INTEGER,
    archived_at     INTEGER,
    finished_at     INTEGER,
    failure_cause   TEXT,
    failure_streak  INTEGER NOT NULL DEFAULT 0 CHECK (failure_streak >= 0),
    total           INTEGER NOT NULL DEFAULT 0 CHECK (total >= 0),
    ready           INTEGER NOT NULL DEFAULT 0 CHECK (ready >= 0),
    waiting         INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    processing      INTEGER NOT NULL DEFAULT 0 CHECK (processing >= 0),
    completed       INTEGER NOT NULL DEFAULT 0 CHECK (completed >= 0),
    failed          INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    cancelled       INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    requests        INTEGER NOT NULL DEFAULT 0 CHECK (requests >= 0),
    rate_limited    INTEGER NOT NULL DEFAULT 0 CHECK (rate_limited >= 0),
    input_tokens    INTEGER NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
    output_tokens   INTEGER NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
    cost            REAL NOT NULL DEFAULT 0 CHECK (cost >= 0),
    -- What ended without an answer may have cost this; what is reserved for calls on their way.
    uncertain_cost  REAL NOT NULL DEFAULT 0 CHECK (uncertain_cost >= 0),
    reserved_cost   REAL NOT NULL DEFAULT 0 CHECK (reserved_cost >= 0),
    reserving       INTEGER NOT NULL DEFAULT 0 CHECK (reserving >= 0),
    cost_cap        REAL CHECK (cost_cap > 0),
    -- The most that the call could cost which last did not fit under the cap.
    needed_cost     REAL CHECK (needed_cost > 0),
    -- 1 while such a call has to wait for money that calls in hand may still free.
    is_short        INTEGER NOT NULL DEFAULT 0 CHECK (is_short IN (0, 1)),
    CHECK (needed_cost IS NULL OR cost_cap IS NOT NULL),
    CHECK (reserving > 0 OR reserved_cost = 0),
    CHECK (total = ready + waiting + processing + completed + failed + cancelled),
    CHECK ((paused_at IS NULL) = (paused_by IS NULL)),
    CHECK (paused_at IS NOT NULL OR pause_reason IS NULL),
    CHECK (pause_reason IS NOT NULL OR pause_cause IS NULL),
    CHECK (finished_at IS NULL OR ready + waiting + processing = 0),
    CHECK ((failure_cause IS NULL) = (failure_streak = 0)),
    CHECK (mode = 'live' OR fallback_at IS NOT NULL)
) STRICT;
-- The claim's order: interactive, priority, deadline, then the owner's turn, then age.
CREATE INDEX batches_claimable
    ON batches (pool, interactive DESC, priority, deadline, owner_id, id)
    WHERE ready > 0 AND paused_at IS NULL AND started_at IS NOT NULL AND mode = 'live'
      AND is_short = 0;
CREATE INDEX batches_overnight ON batches (id) WHERE mode = 'overnight' AND finished_at IS NULL;
CREATE INDEX batches_working ON batches (owner_id) WHERE processing > 0;
CREATE INDEX batches_open ON batches (grader) WHERE finished_at IS NULL;
CREATE INDEX batches_by_rubric ON batches (rubric_id) WHERE rubric_id IS NOT NULL;

-- Orders that may come again: the same key of the same owner is answered as it was the first time.
CREATE TABLE order_keys (
    owner_id   INTEGER NOT NULL REFERENCES owners (id),
    key        TEXT NOT NULL,
    grader     TEXT NOT NULL,
    -- NULL where nothing new was queued: such an order makes no batch.
    batch_id   INTEGER REFERENCES batches (id),
    ordered_at INTEGER NOT NULL,
    PRIMARY KEY (owner_id, key)
) STRICT, WITHOUT ROWID;

-- Where a batch's papers belong: who may see it is asked often, and its jobs may be very many.
CREATE TABLE batch_assignments (
    batch_id      INTEGER NOT NULL REFERENCES batches (id),
    assignment_id INTEGER NOT NULL REFERENCES assignments (id),
    PRIMARY KEY (batch_id, assignment_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id            INTEGER PRIMARY KEY,
    batch_id      INTEGER NOT NULL REFERENCES batches (id),
    grader        TEXT NOT NULL,
    submission_id INTEGER REFERENCES submissions (id),
    -- The submission's own, kept here so that a badge moves without looking the paper up.
    assignment_id INTEGER,
    payload       TEXT CHECK (payload IS NULL OR json_valid(payload)),
    state         TEXT NOT NULL DEFAULT 'pending'
                  CHECK (state IN ('pending', 'processing', 'completed', 'failed', 'cancelled')),
    -- 1 while `run_at` lies ahead: a retry, a snooze or a schedule that is not due yet.
    waiting       INTEGER NOT NULL DEFAULT 0 CHECK (waiting IN (0, 1)),
    run_at        INTEGER NOT NULL,
    max_attempts  INTEGER NOT NULL DEFAULT 5 CHECK (max_attempts >= 1),
    attempts      INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    snoozes       INTEGER NOT NULL DEFAULT 0 CHECK (snoozes >= 0),
    interruptions INTEGER NOT NULL DEFAULT 0 CHECK (interruptions >= 0),
    unusable      INTEGER NOT NULL DEFAULT 0 CHECK (unusable >= 0),
    overloaded_since INTEGER,
    lease         TEXT,
    lease_until   INTEGER,
    error         TEXT,
    reason        TEXT,
    result        TEXT CHECK (result IS NULL OR json_valid(result)),
    created_at    INTEGER NOT NULL,
    claimed_at    INTEGER,
    finished_at   INTEGER,
    updated_at    INTEGER NOT NULL,
    CHECK ((state = 'processing') = (lease IS NOT NULL)),
    CHECK ((lease IS NULL) = (lease_until IS NULL)),
    CHECK ((state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CHECK (waiting = 0 OR state = 'pending'),
    CHECK ((submission_id IS NULL) = (assignment_id IS NULL)),
    CHECK (attempts <= max_attempts),
    -- A failure always says why.
    CHECK (state <> 'failed' OR (error IS NOT NULL AND reason IS NOT NULL))
) STRICT;
-- One open job per submission and grader.
CREATE UNIQUE INDEX jobs_open_once ON jobs (submission_id, grader)
    WHERE state IN ('pending', 'processing') AND submission_id IS NOT NULL;
-- Interrupted jobs go behind the untouched ones: a poison job holds up nobody.
CREATE INDEX jobs_ready ON jobs (batch_id, interruptions, id)
    WHERE state = 'pending' AND waiting = 0;
CREATE INDEX jobs_waiting ON jobs (run_at) WHERE state = 'pending' AND waiting = 1;
CREATE INDEX jobs_processing ON jobs (batch_id) WHERE state = 'processing';
CREATE INDEX jobs_by_batch ON jobs (batch_id);
CREATE INDEX jobs_by_submission ON jobs (submission_id) WHERE submission_id IS NOT NULL;
CREATE INDEX jobs_failed ON jobs (batch_id) WHERE state = 'failed';

-- One row per try, whatever came of it. `error` is NULL where an answer came.
CREATE TABLE attempts (
    id                INTEGER PRIMARY KEY,
    job_id            INTEGER NOT NULL REFERENCES jobs (id),
    batch_id          INTEGER NOT NULL REFERENCES batches (id),
    submission_id     INTEGER REFERENCES submissions (id),
    error             TEXT,
    reason            TEXT,
    -- What became of the answer: none came; stored and not read yet; made a grade; came too late or
    -- for an archived paper and is kept unapplied; could not be used.
    answer_use        TEXT NOT NULL DEFAULT 'none'
                      CHECK (answer_use IN ('none', 'stored', 'applied', 'salvage', 'unusable')),
    request_key       TEXT,
    model             TEXT,
    request_id        TEXT,
    http_status       INTEGER,
    input_tokens      INTEGER NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
    output_tokens     INTEGER NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
    cache_read_tokens INTEGER NOT NULL DEFAULT 0 CHECK (cache_read_tokens >= 0),
    cost              REAL NOT NULL DEFAULT 0 CHECK (cost >= 0),
    -- At most this much, where nobody can tell whether the call was charged.
    uncertain_cost    REAL NOT NULL DEFAULT 0 CHECK (uncertain_cost >= 0),
    -- The claim whose call that was, where its answer may still come.
    lease             TEXT,
    -- The local date on which the call began: the day that it counts for.
    day               TEXT NOT NULL,
    started_at        INTEGER NOT NULL,
    finished_at       INTEGER NOT NULL,
    -- An attempt that carries an error carries its reason too.
    CHECK (error IS NULL OR reason IS NOT NULL),
    CHECK (error IS NOT NULL OR answer_use <> 'none' OR request_key IS NULL)
) STRICT;
CREATE INDEX attempts_by_job ON attempts (job_id);
CREATE INDEX attempts_unapplied ON attempts (submission_id, request_key)
    WHERE answer_use IN ('stored', 'salvage');
CREATE INDEX attempts_unread ON attempts (job_id) WHERE answer_use = 'stored';

-- Money kept back for calls on their way, where a cap is in force: the most that each can cost. The
-- row is on disk before its call is made, and goes when the call's own cost is known.
CREATE TABLE reservations (
    job_id      INTEGER NOT NULL REFERENCES jobs (id),
    lease       TEXT NOT NULL,
    batch_id    INTEGER NOT NULL REFERENCES batches (id),
    day         TEXT NOT NULL,
    amount      REAL NOT NULL CHECK (amount > 0),
    reserved_at INTEGER NOT NULL,
    PRIMARY KEY (job_id, lease)
) STRICT, WITHOUT ROWID;

-- What each local day's calls have cost.
CREATE TABLE days (
    day            TEXT PRIMARY KEY
                   CHECK (day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    cost           REAL NOT NULL DEFAULT 0 CHECK (cost >= 0),
    uncertain_cost REAL NOT NULL DEFAULT 0 CHECK (uncertain_cost >= 0),
    reserved_cost  REAL NOT NULL DEFAULT 0 CHECK (reserved_cost >= 0),
    reserving      INTEGER NOT NULL DEFAULT 0 CHECK (reserving >= 0),
    CHECK (reserving > 0 OR reserved_cost = 0)
) STRICT, WITHOUT ROWID;

-- Pools whose last call did not fit under the day's cap, and the most that it could cost.
CREATE TABLE short_pools (
    pool        TEXT PRIMARY KEY,
    day         TEXT NOT NULL,
    cost_cap    REAL NOT NULL CHECK (cost_cap > 0),
    needed_cost REAL NOT NULL CHECK (needed_cost > 0)
) STRICT, WITHOUT ROWID;

-- What was sent and what came back, to the letter; written once, before the answer is read.
CREATE TABLE answers (
    attempt_id INTEGER PRIMARY KEY REFERENCES attempts (id),
    prefix_id  INTEGER REFERENCES prompt_prefixes (id),
    sent       TEXT NOT NULL,
    text       TEXT NOT NULL,
    stop       TEXT NOT NULL,
    raw        TEXT NOT NULL
) STRICT;

-- The part of a prompt that all papers of one rubric share.
CREATE TABLE prompt_prefixes (
    id     INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
    text   TEXT NOT NULL
) STRICT;

-- Jobs of one overnight batch that went to the provider's batch API together. The row is on disk
-- before the POST, so that no crash hides what may have been paid for. While `ended_at` is NULL,
-- `intent` is also the lease of its jobs: nobody else takes, renews or returns them.
CREATE TABLE provider_batches (
    id                INTEGER PRIMARY KEY,
    batch_id          INTEGER NOT NULL REFERENCES batches (id),
    intent            TEXT NOT NULL UNIQUE
                      CHECK (length(intent) BETWEEN 1 AND 32 AND NOT intent GLOB '*[^a-z0-9]*'),
    state             TEXT NOT NULL DEFAULT 'intended'
                      CHECK (state IN ('intended', 'posted', 'ended', 'abandoned')),
    provider_batch_id TEXT,
    entries           INTEGER NOT NULL CHECK (entries >= 1),
    -- As the provider last said.
    answered          INTEGER NOT NULL DEFAULT 0 CHECK (answered >= 0),
    failed            INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    looks             INTEGER NOT NULL DEFAULT 0 CHECK (looks >= 0),
    look_at           INTEGER NOT NULL,
    -- Since when the provider has said, each time, that it knows no such batch.
    lost_since        INTEGER,
    reason            TEXT,
    created_at        INTEGER NOT NULL,
    posted_at         INTEGER,
    cancel_asked_at   INTEGER,
    ended_at          INTEGER,
    CHECK ((provider_batch_id IS NULL) = (posted_at IS NULL)),
    CHECK (state = 'abandoned' OR (state = 'intended') = (posted_at IS NULL)),
    CHECK ((state IN ('ended', 'abandoned')) = (ended_at IS NOT NULL)),
    CHECK (state <> 'abandoned' OR reason IS NOT NULL)
) STRICT;
CREATE INDEX provider_batches_open ON provider_batches (batch_id) WHERE ended_at IS NULL;
CREATE INDEX provider_batches_known ON provider_batches (provider_batch_id)
    WHERE provider_batch_id IS NOT NULL;

-- What a provider's batch has not brought yet, with the prompt as it was sent. A row goes in the
-- transaction that stores its answer; so a job is in one provider's batch at most.
CREATE TABLE provider_batch_items (
    job_id            INTEGER PRIMARY KEY REFERENCES jobs (id),
    provider_batch_id INTEGER NOT NULL REFERENCES provider_batches (id),
    request_key       TEXT NOT NULL,
    prefix_id         INTEGER REFERENCES prompt_prefixes (id),
    sent              TEXT NOT NULL
) STRICT;
CREATE INDEX provider_batch_items_open ON provider_batch_items (provider_batch_id);

CREATE TABLE grades (
    id            INTEGER PRIMARY KEY,
    submission_id INTEGER NOT NULL REFERENCES submissions (id),
    version       INTEGER NOT NULL CHECK (version >= 1),
    paper_version INTEGER NOT NULL CHECK (paper_version >= 1),
    current       INTEGER NOT NULL CHECK (current IN (0, 1)),
    source        TEXT NOT NULL CHECK (source IN ('model', 'code', 'person')),
    grader        TEXT,
    job_id        INTEGER REFERENCES jobs (id),
    attempt_id    INTEGER REFERENCES attempts (id),
    rubric_id     INTEGER REFERENCES rubrics (id),
    request_key   TEXT,
    model         TEXT,
    score         REAL NOT NULL,
    max_score     REAL NOT NULL CHECK (max_score >= 0),
    criteria      TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(criteria)),
    feedback      TEXT NOT NULL DEFAULT '',
    flags         TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(flags)),
    confidence    REAL CHECK (confidence BETWEEN 0 AND 1),
    edited_by     TEXT,
    -- Who found a machine's grade right as it is. A person's own counts as reviewed without.
    reviewed_at   INTEGER,
    reviewed_by   TEXT,
    created_at    INTEGER NOT NULL,
    UNIQUE (submission_id, version),
    CHECK ((reviewed_at IS NULL) = (reviewed_by IS NULL)),
    CHECK (reviewed_by IS NULL OR trim(reviewed_by) <> ''),
    -- A person's grade carries the person's name, a machine's grade its job.
    CHECK ((source = 'person') = (edited_by IS NOT NULL AND trim(edited_by) <> '')),
    CHECK (source = 'person' OR job_id IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX grades_current ON grades (submission_id) WHERE current = 1;
-- A list in order of scores, or a chart of them, opens no grade.
CREATE INDEX grades_scores ON grades (submission_id, current, score, max_score, job_id);
-- That a model was simulated, or a grade provisional, is true of all papers or none, so it is no
-- reason to look.
CREATE INDEX grades_doubtful ON grades (submission_id, paper_version)
    WHERE flags NOT IN ('[]', '["simulated"]', '["provisional"]');
CREATE INDEX grades_sure ON grades (submission_id, paper_version, confidence)
    WHERE confidence IS NOT NULL;
CREATE INDEX grades_looked_at ON grades (submission_id)
    WHERE current = 1 AND (source = 'person' OR reviewed_by IS NOT NULL);

CREATE TABLE events (
    seq           INTEGER PRIMARY KEY,
    at            INTEGER NOT NULL,
    kind          TEXT NOT NULL,
    assignment_id INTEGER,
    batch_id      INTEGER,
    job_id        INTEGER,
    submission_id INTEGER,
    data          TEXT CHECK (data IS NULL OR json_valid(data))
) STRICT;

-- What a pool's limiter leaves behind, and what it read last; no reading outlives its process.
CREATE TABLE limiter_state (
    pool       TEXT PRIMARY KEY,
    state      TEXT NOT NULL CHECK (json_valid(state)),
    reading    TEXT CHECK (reading IS NULL OR json_valid(reading)),
    updated_at INTEGER NOT NULL
) STRICT;

-- Who may work here. As long as nobody is known, whoever can ask may do everything.
CREATE TABLE people (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE CHECK (name <> '' AND name = trim(name)),
    role       TEXT NOT NULL CHECK (role IN ('administrator', 'teacher')),
    created_at INTEGER NOT NULL
) STRICT;

-- What a teacher may see and do: these courses and nothing else.
CREATE TABLE given_courses (
    person_id INTEGER NOT NULL REFERENCES people (id),
    course    TEXT NOT NULL CHECK (course <> ''),
    PRIMARY KEY (person_id, course)
) STRICT, WITHOUT ROWID;

-- What lets a person in: a token for programs, a browser's session, a link that works once. Of each
-- secret only the hash is here. A pass that was used up or taken back is deleted.
CREATE TABLE passes (
    handle       TEXT PRIMARY KEY CHECK (handle <> ''),
    kind         TEXT NOT NULL CHECK (kind IN ('token', 'session', 'link')),
    person_id    INTEGER REFERENCES people (id),
    label        TEXT NOT NULL DEFAULT '',
    sha256       TEXT NOT NULL CHECK (length(sha256) = 64),
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    expires_at   INTEGER,
    -- Only the link of the first start belongs to nobody yet.
    CHECK (person_id IS NOT NULL OR kind = 'link'),
    CHECK (kind = 'token' OR expires_at IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX passes_by_person ON passes (person_id);
CREATE UNIQUE INDEX passes_first ON passes (kind) WHERE person_id IS NULL;

CREATE VIEW batch_status AS
SELECT id AS batch_id,
       CASE WHEN archived_at IS NOT NULL THEN 'archived'
            WHEN cancelled_at IS NOT NULL THEN 'cancelled'
            WHEN started_at IS NULL THEN 'draft'
            WHEN paused_at IS NOT NULL AND ready + waiting + processing > 0 THEN 'paused'
            WHEN ready + waiting + processing > 0
                 THEN CASE WHEN processing + completed + failed > 0 THEN 'processing'
                           ELSE 'pending' END
            WHEN failed = 0 THEN 'completed'
            WHEN completed = 0 THEN 'failed'
            ELSE 'completed_with_errors' END AS status
  FROM batches;

-- A batch with what is kept elsewhere: its owner's name, its status, what a provider's batch API has.
CREATE VIEW batch_rows AS
SELECT b.*, o.name AS owner, v.status,
       (SELECT coalesce(sum(p.entries), 0) FROM provider_batches p
         WHERE p.batch_id = b.id AND p.ended_at IS NULL) AS posted,
       (SELECT coalesce(sum(p.answered + p.failed), 0) FROM provider_batches p
         WHERE p.batch_id = b.id AND p.ended_at IS NULL) AS answered
  FROM batches b JOIN owners o ON o.id = b.owner_id JOIN batch_status v ON v.batch_id = b.id;

-- Badges ---------------------------------------------------------------------------------------

CREATE TRIGGER submission_counted AFTER INSERT ON submissions WHEN NEW.archived_at IS NULL
BEGIN
    UPDATE assignments
       SET in_progress = in_progress + (NEW.status = 'in_progress'),
           submitted = submitted + (NEW.status = 'submitted'),
           graded = graded + (NEW.status = 'graded'),
           released = released + (NEW.status = 'released')
     WHERE id = NEW.assignment_id;
END;

CREATE TRIGGER submission_recounted AFTER UPDATE OF status, archived_at ON submissions
WHEN OLD.status <> NEW.status OR (OLD.archived_at IS NULL) <> (NEW.archived_at IS NULL)
BEGIN
    UPDATE assignments
       SET in_progress = in_progress
               - (OLD.archived_at IS NULL AND OLD.status = 'in_progress')
               + (NEW.archived_at IS NULL AND NEW.status = 'in_progress'),
           submitted = submitted
               - (OLD.archived_at IS NULL AND OLD.status = 'submitted')
               + (NEW.archived_at IS NULL AND NEW.status = 'submitted'),
           graded = graded
               - (OLD.archived_at IS NULL AND OLD.status = 'graded')
               + (NEW.archived_at IS NULL AND NEW.status = 'graded'),
           released = released
               - (OLD.archived_at IS NULL AND OLD.status = 'released')
               + (NEW.archived_at IS NULL AND NEW.status = 'released')
     WHERE id = NEW.assignment_id;
    INSERT INTO events (at, kind, assignment_id, submission_id)
    VALUES (NEW.updated_at,
            CASE WHEN OLD.archived_at IS NULL AND NEW.archived_at IS NOT NULL
                      THEN 'submission.archived'
                 WHEN OLD.archived_at IS NOT NULL AND NEW.archived_at IS NULL
                      THEN 'submission.unarchived'
                 WHEN OLD.status = 'released' THEN 'submission.unreleased'
                 ELSE 'submission.' || NEW.status END,
            NEW.assignment_id, NEW.id);
END;

CREATE TRIGGER release_recorded AFTER UPDATE OF status ON submissions
WHEN OLD.status <> 'released' AND NEW.status = 'released'
BEGIN
    INSERT INTO releases (submission_id, released_at, released_by)
    VALUES (NEW.id, NEW.released_at, NEW.released_by);
END;

CREATE TRIGGER release_taken_back AFTER UPDATE OF status ON submissions
WHEN OLD.status = 'released' AND NEW.status <> 'released'
BEGIN
    UPDATE releases SET taken_back_at = NEW.updated_at
     WHERE submission_id = NEW.id AND taken_back_at IS NULL;
END;

CREATE TRIGGER submission_stays_in_its_assignment BEFORE UPDATE OF assignment_id ON submissions
WHEN OLD.assignment_id <> NEW.assignment_id
BEGIN
    SELECT RAISE(ABORT, 'a submission cannot move to another assignment');
END;

-- Batch counters and job events ------------------------------------------------------------------

CREATE TRIGGER job_counted AFTER INSERT ON jobs
BEGIN
    SELECT RAISE(ABORT, 'a job starts as pending') WHERE NEW.state <> 'pending';
    UPDATE batches
       SET total = total + 1, ready = ready + (NEW.waiting = 0), waiting = waiting + NEW.waiting
     WHERE id = NEW.batch_id;
    UPDATE assignments SET grading = grading + 1 WHERE id = NEW.assignment_id;
END;

CREATE TRIGGER job_belongs_to_an_assignment AFTER INSERT ON jobs
WHEN NEW.assignment_id IS NOT NULL
     AND NOT EXISTS (SELECT 1 FROM batch_assignments
                      WHERE batch_id = NEW.batch_id AND assignment_id = NEW.assignment_id)
BEGIN
    INSERT INTO batch_assignments (batch_id, assignment_id)
    VALUES (NEW.batch_id, NEW.assignment_id);
END;

CREATE TRIGGER job_recounted AFTER UPDATE OF state, waiting ON jobs
WHEN OLD.state <> NEW.state OR OLD.waiting <> NEW.waiting
BEGIN
    -- The job's end is told before its batch's, which the update below may tell.
    INSERT INTO events (at, kind, assignment_id, batch_id, job_id, submission_id)
    SELECT NEW.updated_at, 'job.' || NEW.state, NEW.assignment_id, NEW.batch_id, NEW.id,
           NEW.submission_id
     WHERE OLD.state <> NEW.state;
    UPDATE batches
       SET ready = ready - (OLD.state = 'pending' AND OLD.waiting = 0)
                         + (NEW.state = 'pending' AND NEW.waiting = 0),
           waiting = waiting - OLD.waiting + NEW.waiting,
           processing = processing - (OLD.state = 'processing') + (NEW.state = 'processing'),
           completed = completed - (OLD.state = 'completed') + (NEW.state = 'completed'),
           failed = failed - (OLD.state = 'failed') + (NEW.state = 'failed'),
           cancelled = cancelled - (OLD.state = 'cancelled') + (NEW.state = 'cancelled'),
           finished_at = CASE WHEN ready + waiting + processing
                                   - (OLD.finished_at IS NULL) + (NEW.finished_at IS NULL) = 0
                              THEN NEW.updated_at END,
           updated_at = NEW.updated_at
     WHERE id = NEW.batch_id;
END;

CREATE TRIGGER job_left_or_rejoined_the_badge AFTER UPDATE OF finished_at ON jobs
WHEN NEW.assignment_id IS NOT NULL AND (OLD.finished_at IS NULL) <> (NEW.finished_at IS NULL)
BEGIN
    UPDATE assignments
       SET grading = grading - (OLD.finished_at IS NULL) + (NEW.finished_at IS NULL)
     WHERE id = NEW.assignment_id;
END;

CREATE TRIGGER batch_told AFTER UPDATE OF finished_at, paused_at, cancelled_at, started_at ON batches
WHEN (OLD.finished_at IS NULL) <> (NEW.finished_at IS NULL)
     OR (OLD.paused_at IS NULL) <> (NEW.paused_at IS NULL)
     OR (OLD.cancelled_at IS NULL) <> (NEW.cancelled_at IS NULL)
     OR (OLD.started_at IS NULL) <> (NEW.started_at IS NULL)
BEGIN
    INSERT INTO events (at, kind, batch_id, data)
    SELECT NEW.updated_at, 'batch.' || status, NEW.id,
           CASE WHEN NEW.pause_reason IS NOT NULL
                THEN json_object('reason', NEW.pause_reason) END
      FROM batch_status WHERE batch_id = NEW.id;
END;

CREATE TRIGGER attempt_summed AFTER INSERT ON attempts
BEGIN
    UPDATE batches
       SET requests = requests + (NEW.model IS NOT NULL),
           rate_limited = rate_limited + coalesce(NEW.error IN ('rate_limited', 'slow_down'), 0),
           input_tokens = input_tokens + NEW.input_tokens,
           output_tokens = output_tokens + NEW.output_tokens,
           cost = cost + NEW.cost,
           uncertain_cost = uncertain_cost + NEW.uncertain_cost
     WHERE id = NEW.batch_id;
END;

CREATE TRIGGER attempt_counted_for_its_day AFTER INSERT ON attempts
WHEN NEW.cost > 0 OR NEW.uncertain_cost > 0
BEGIN
    INSERT INTO days (day, cost, uncertain_cost) VALUES (NEW.day, NEW.cost, NEW.uncertain_cost)
        ON CONFLICT (day) DO UPDATE
       SET cost = days.cost + excluded.cost,
           uncertain_cost = days.uncertain_cost + excluded.uncertain_cost;
END;

-- An answer that was given up came after all: now its cost is known.
CREATE TRIGGER attempt_certain_after_all AFTER UPDATE OF uncertain_cost ON attempts
BEGIN
    UPDATE batches
       SET uncertain_cost = max(0, uncertain_cost - OLD.uncertain_cost + NEW.uncertain_cost)
     WHERE id = NEW.batch_id;
    UPDATE days
       SET uncertain_cost = max(0, uncertain_cost - OLD.uncertain_cost + NEW.uncertain_cost)
     WHERE day = NEW.day;
END;

CREATE TRIGGER money_reserved AFTER INSERT ON reservations
BEGIN
    UPDATE batches SET reserving = reserving + 1, reserved_cost = reserved_cost + NEW.amount
     WHERE id = NEW.batch_id;
    INSERT INTO days (day, reserving, reserved_cost) VALUES (NEW.day, 1, NEW.amount)
        ON CONFLICT (day) DO UPDATE
       SET reserving = reserving + 1, reserved_cost = reserved_cost + excluded.reserved_cost;
END;

-- The last one leaves exactly nothing, whatever was rounded on the way.
CREATE TRIGGER money_freed AFTER DELETE ON reservations
BEGIN
    UPDATE batches
       SET reserving = reserving - 1,
           reserved_cost = CASE reserving WHEN 1 THEN 0
                                ELSE max(0, reserved_cost - OLD.amount) END
     WHERE id = OLD.batch_id;
    UPDATE days
       SET reserving = reserving - 1,
           reserved_cost = CASE reserving WHEN 1 THEN 0
                                ELSE max(0, reserved_cost - OLD.amount) END
     WHERE day = OLD.day;
END;

-- A job in hand that has reserved nothing yet is taken for one that will need as much.
CREATE TRIGGER batch_short_of_money
AFTER UPDATE OF cost, uncertain_cost, reserved_cost, reserving, processing, cost_cap, needed_cost
ON batches
WHEN NEW.is_short
     <> (NEW.needed_cost IS NOT NULL AND max(NEW.processing, NEW.reserving) > 0
         AND NEW.cost + NEW.uncertain_cost + NEW.reserved_cost
             + NEW.needed_cost * (1 + max(0, NEW.processing - NEW.reserving))
             > NEW.cost_cap * 1.000000001)
BEGIN
    UPDATE batches SET is_short = 1 - is_short WHERE id = NEW.id;
END;

CREATE TRIGGER reservation_stays_as_it_is
BEFORE UPDATE OF job_id, batch_id, day, amount, reserved_at ON reservations
BEGIN
    SELECT RAISE(ABORT, 'money is reserved and freed, never changed');
END;

-- Pools ----------------------------------------------------------------------------------------

CREATE TRIGGER pool_began_parked AFTER INSERT ON limiter_state
WHEN json_extract(NEW.state, '$.parked_reason') IS NOT NULL
BEGIN
    INSERT INTO events (at, kind, data)
    VALUES (NEW.updated_at, 'pool.parked',
            json_object('pool', NEW.pool, 'reason', json_extract(NEW.state, '$.parked_reason'),
                        'until', json_extract(NEW.state, '$.parked_until_ms')));
END;

CREATE TRIGGER pool_told AFTER UPDATE OF state ON limiter_state
WHEN json_extract(OLD.state, '$.parked_reason') IS NOT json_extract(NEW.state, '$.parked_reason')
BEGIN
    INSERT INTO events (at, kind, data)
    SELECT NEW.updated_at, CASE WHEN why IS NULL THEN 'pool.resumed' ELSE 'pool.parked' END,
           json_object('pool', NEW.pool,
                       'reason', coalesce(why, json_extract(OLD.state, '$.parked_reason')),
                       'until', json_extract(NEW.state, '$.parked_until_ms'))
      FROM (SELECT json_extract(NEW.state, '$.parked_reason') AS why);
END;

-- Overnight --------------------------------------------------------------------------------------

CREATE TRIGGER provider_batch_ends_once BEFORE UPDATE OF state ON provider_batches
WHEN OLD.ended_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a provider''s batch that has ended stays as it is');
END;

-- Grades ---------------------------------------------------------------------------------------

CREATE TRIGGER person_is_never_overwritten BEFORE INSERT ON grades
WHEN NEW.current = 1 AND NEW.source <> 'person'
     AND EXISTS (SELECT 1 FROM grades
                  WHERE submission_id = NEW.submission_id AND current = 1 AND source = 'person')
BEGIN
    SELECT RAISE(ABORT, 'a person''s grade is never overwritten by a machine''s');
END;

CREATE TRIGGER released_grade_stands BEFORE INSERT ON grades
WHEN NEW.current = 1
     AND EXISTS (SELECT 1 FROM submissions WHERE id = NEW.submission_id AND status = 'released')
BEGIN
    SELECT RAISE(ABORT, 'a released grade is not replaced');
END;

CREATE TRIGGER grade_is_kept_as_given BEFORE UPDATE ON grades
WHEN OLD.score <> NEW.score OR OLD.criteria <> NEW.criteria OR OLD.feedback <> NEW.feedback
     OR OLD.source <> NEW.source OR OLD.version <> NEW.version
     OR OLD.submission_id <> NEW.submission_id OR OLD.edited_by IS NOT NEW.edited_by
     OR OLD.reviewed_by <> NEW.reviewed_by OR OLD.reviewed_at <> NEW.reviewed_at
     OR (OLD.reviewed_by IS NOT NULL AND NEW.reviewed_by IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'a grade is changed by a new version, never in place');
END;

CREATE TRIGGER events_are_append_only BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'an event is never changed');
END;
