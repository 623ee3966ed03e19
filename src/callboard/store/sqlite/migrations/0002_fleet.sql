-- Ranks, delayed runs, labels of workers, runs that begin anew, pauses and limits, schedules.

ALTER TABLE runs ADD COLUMN rank REAL NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN start_at REAL;
ALTER TABLE runs ADD COLUMN needs TEXT;
ALTER TABLE runs ADD COLUMN base_seq INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET rank = ready_at - priority * 60.0;
DROP INDEX runs_ready;
CREATE INDEX runs_ready ON runs (rank) WHERE status = 'ready';
CREATE INDEX runs_waiting ON runs (number) WHERE status = 'waiting';

-- Where each tenant's queue ends, and the run that stands there, see `rank` in callboard.store.claims.
CREATE TABLE lanes (tenant TEXT PRIMARY KEY, tail REAL NOT NULL, last TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE controls (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    paused INTEGER NOT NULL,
    running INTEGER,
    by TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;

CREATE TABLE schedules (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    flow TEXT NOT NULL,
    cron TEXT NOT NULL,
    zone TEXT NOT NULL,
    input BLOB NOT NULL,
    overlap TEXT NOT NULL,
    catch_up TEXT NOT NULL,
    paused INTEGER NOT NULL,
    next_at REAL NOT NULL,
    last_at REAL,
    last_run TEXT,
    PRIMARY KEY (tenant, name)
) WITHOUT ROWID;
CREATE INDEX schedules_due ON schedules (next_at) WHERE paused = 0;
