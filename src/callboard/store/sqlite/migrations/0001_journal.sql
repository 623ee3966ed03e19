-- The first schema. Times: runs and approvals in seconds (REAL), events in microseconds (INTEGER).

CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
-- Numbers of runs are never used twice, even after a purge: an old claim must not fit a new run.
INSERT INTO meta VALUES ('next_run', 1);

CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    flow TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 0,
    key TEXT,
    digest BLOB NOT NULL,
    labels TEXT,
    labels_set TEXT,
    depth INTEGER NOT NULL DEFAULT 0,
    parent INTEGER,
    parent_path TEXT,
    detached INTEGER NOT NULL DEFAULT 0,
    fork_of INTEGER,
    fork_seq INTEGER,
    epoch INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    claim_seq INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    inbox_seq INTEGER NOT NULL DEFAULT 0,
    ready_at REAL NOT NULL,
    wake_at REAL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    finished_at REAL,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    cost INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens INTEGER NOT NULL DEFAULT 0,
    error BLOB
);
CREATE UNIQUE INDEX runs_key ON runs (tenant, flow, key) WHERE key IS NOT NULL;
CREATE INDEX runs_tenant ON runs (tenant, number);
CREATE INDEX runs_ready ON runs (priority DESC, ready_at) WHERE status = 'ready';
CREATE INDEX runs_wake ON runs (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX runs_owner ON runs (owner) WHERE owner IS NOT NULL;
CREATE INDEX runs_parent ON runs (parent) WHERE parent IS NOT NULL;
CREATE INDEX runs_fork ON runs (fork_of) WHERE fork_of IS NOT NULL;
CREATE INDEX runs_finished ON runs (finished_at) WHERE finished_at IS NOT NULL;

-- An append-only log in insertion order: appends touch only the last pages, the index reads one run.
CREATE TABLE events (
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    path TEXT NOT NULL,
    digest BLOB NOT NULL,
    at INTEGER NOT NULL,
    took INTEGER NOT NULL,
    body BLOB,
    blob BLOB
);
CREATE UNIQUE INDEX events_run ON events (run, seq);
CREATE INDEX events_blob ON events (blob) WHERE blob IS NOT NULL;

CREATE TABLE inbox (
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;

CREATE TABLE approvals (
    id TEXT PRIMARY KEY,
    run INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    proposal BLOB NOT NULL,
    opened_at REAL NOT NULL,
    deadline REAL,
    decided_at REAL,
    decided_by TEXT,
    decision BLOB
) WITHOUT ROWID;
CREATE INDEX approvals_open ON approvals (tenant, status, deadline);
CREATE INDEX approvals_run ON approvals (run);

CREATE TABLE blobs (
    tenant TEXT NOT NULL,
    hash BLOB NOT NULL,
    data BLOB NOT NULL,
    touched_at REAL NOT NULL,
    PRIMARY KEY (tenant, hash)
);

CREATE TABLE workers (
    id TEXT PRIMARY KEY,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    boot TEXT NOT NULL,
    started_at REAL NOT NULL,
    beat REAL NOT NULL
) WITHOUT ROWID;
