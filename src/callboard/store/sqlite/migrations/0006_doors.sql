-- Who started a run and under which trace, what runs failed of, conversations, and messages that runs have ended.

ALTER TABLE runs ADD COLUMN started_by TEXT;
ALTER TABLE runs ADD COLUMN trace TEXT;
-- Few runs have an error. Those that wait, run or are ready have indexes of their own since before.
CREATE INDEX runs_error ON runs (tenant, number) WHERE error IS NOT NULL;
-- What runs cost is summed in the order of this index and without looking at a row: pages show it again and again.
CREATE INDEX runs_costs ON runs (
    tenant, CAST(finished_at / 86400 AS INTEGER), flow, version, parent IS NOT NULL, status, finished_at,
    input_tokens, output_tokens, cost, cached_tokens, reasoning_tokens, written_tokens
) WHERE finished_at IS NOT NULL;

CREATE TABLE chat_sessions (
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    flow TEXT NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    labels TEXT,
    head TEXT,
    turns INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant, id)
);
CREATE INDEX chat_sessions_tenant ON chat_sessions (tenant, number);

-- A turn is found by the id of its run, and in the order of its session.
CREATE TABLE chat_turns (
    tenant TEXT NOT NULL,
    session TEXT NOT NULL,
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    after TEXT,
    message BLOB NOT NULL,
    status TEXT NOT NULL,
    at REAL NOT NULL,
    options BLOB,
    silent TEXT,
    PRIMARY KEY (tenant, session, number)
);
CREATE UNIQUE INDEX chat_turns_id ON chat_turns (tenant, id);
CREATE INDEX chat_turns_pending ON chat_turns (tenant, session, number) WHERE status = 'pending';

CREATE TABLE webhook_deliveries (
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    run TEXT NOT NULL,
    url TEXT NOT NULL,
    created_at REAL NOT NULL,
    due REAL NOT NULL,
    status TEXT NOT NULL,
    tries INTEGER NOT NULL,
    said TEXT NOT NULL,
    UNIQUE (tenant, id)
);
CREATE UNIQUE INDEX webhook_deliveries_run ON webhook_deliveries (tenant, run, url);
CREATE INDEX webhook_deliveries_tenant ON webhook_deliveries (tenant, number);
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (due) WHERE status = 'pending';
