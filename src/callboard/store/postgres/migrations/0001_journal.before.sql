-- The first schema. Times: seconds as double precision; events in microseconds as bigint; heartbeats by the
-- database's own clock. No foreign keys: their KEY SHARE locks let a takeover slip past the fence.

CREATE TABLE runs (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    tenant text COLLATE "C" NOT NULL,
    flow text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    key text COLLATE "C",
    digest bytea NOT NULL,
    labels jsonb,
    labels_set jsonb,
    depth integer NOT NULL DEFAULT 0,
    parent bigint,
    parent_path text,
    detached boolean NOT NULL DEFAULT false,
    fork_of bigint,
    fork_seq integer,
    base_seq integer NOT NULL DEFAULT 0,
    epoch integer NOT NULL DEFAULT 0,
    owner text COLLATE "C",
    claim_seq integer NOT NULL DEFAULT 0,
    deaths integer NOT NULL DEFAULT 0,
    inbox_seq integer NOT NULL DEFAULT 0,
    rank double precision NOT NULL,
    ready_at double precision NOT NULL,
    start_at double precision,
    wake_at double precision,
    needs text COLLATE "C",
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    finished_at double precision,
    input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cost bigint NOT NULL DEFAULT 0,
    cached_tokens bigint NOT NULL DEFAULT 0,
    reasoning_tokens bigint NOT NULL DEFAULT 0,
    error bytea
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.2);
-- The next epoch of a run: higher than any before, and, since it goes with the time, not one that a claim already had
-- whose commit was lost in a failover.
CREATE FUNCTION callboard_epoch(epoch integer) RETURNS integer LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN greatest(epoch + 1, extract(epoch FROM clock_timestamp())::bigint - 1735689600)::integer;

CREATE UNIQUE INDEX runs_key ON runs (tenant, flow, key) WHERE key IS NOT NULL;
-- Newest first. Of an expression, because no other index can then seem to give a page of a tenant's runs in this
-- order: the primary key, read backwards, would go through everybody's newer runs first.
CREATE INDEX runs_tenant ON runs (tenant, (-number));
CREATE INDEX runs_ready ON runs (rank) WHERE status = 'ready';
CREATE INDEX runs_suspect ON runs (rank) WHERE status = 'ready' AND deaths > 0;
CREATE INDEX runs_waiting ON runs (number) WHERE status = 'waiting';
CREATE INDEX runs_wake ON runs (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX runs_owner ON runs (owner) WHERE owner IS NOT NULL;
CREATE INDEX runs_parent ON runs (parent) WHERE parent IS NOT NULL;
CREATE INDEX runs_fork ON runs (fork_of) WHERE fork_of IS NOT NULL;
CREATE INDEX runs_finished ON runs (tenant, finished_at) WHERE finished_at IS NOT NULL;

-- Clustered in practice: numbers of runs grow, so appends and reads of living runs touch the index's right edge.
CREATE TABLE events (
    run bigint NOT NULL,
    seq integer NOT NULL,
    kind smallint NOT NULL,
    path text NOT NULL,
    digest bytea NOT NULL,
    at bigint NOT NULL,
    took bigint NOT NULL,
    body bytea,
    blob bytea,
    PRIMARY KEY (run, seq)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX events_blob ON events (blob) WHERE blob IS NOT NULL;

CREATE TABLE inbox (
    run bigint NOT NULL,
    seq integer NOT NULL,
    name text NOT NULL,
    body bytea NOT NULL,
    at double precision NOT NULL,
    PRIMARY KEY (run, seq)
);

CREATE TABLE approvals (
    id text COLLATE "C" PRIMARY KEY,
    run bigint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    path text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    proposal bytea NOT NULL,
    opened_at double precision NOT NULL,
    deadline double precision,
    decided_at double precision,
    decided_by text,
    decision bytea
);
CREATE INDEX approvals_open ON approvals (tenant, status, deadline);
CREATE INDEX approvals_run ON approvals (run);

CREATE TABLE blobs (
    tenant text COLLATE "C" NOT NULL,
    hash bytea NOT NULL,
    data bytea NOT NULL,
    touched_at double precision NOT NULL,
    PRIMARY KEY (tenant, hash)
);

CREATE TABLE workers (
    id text COLLATE "C" PRIMARY KEY,
    pid integer NOT NULL,
    host text NOT NULL,
    started_at double precision NOT NULL,
    beat timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Where each tenant's queue ends, and the id of the run that stands there, see `rank` in callboard.store.claims.
CREATE TABLE lanes (
    tenant text COLLATE "C" PRIMARY KEY,
    tail double precision NOT NULL,
    last text COLLATE "C" NOT NULL
) WITH (fillfactor = 50);

-- The last group that each writer has committed: what it looks at when the answer to a COMMIT was lost. Names of
-- transactions do not serve: after a crash the server gives those that it lost to others.
CREATE TABLE marks (
    writer text COLLATE "C" PRIMARY KEY,
    mark bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

CREATE TABLE controls (
    scope text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    paused boolean NOT NULL,
    running integer,
    by text NOT NULL,
    at double precision NOT NULL,
    PRIMARY KEY (scope, name)
);

CREATE TABLE schedules (
    tenant text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    flow text NOT NULL,
    cron text NOT NULL,
    zone text NOT NULL,
    input bytea NOT NULL,
    overlap text NOT NULL,
    catch_up text NOT NULL,
    paused boolean NOT NULL,
    next_at double precision NOT NULL,
    last_at double precision,
    last_run text,
    PRIMARY KEY (tenant, name)
);
CREATE INDEX schedules_due ON schedules (next_at) WHERE NOT paused;
