-- What runs are charged to, what accounts hold, the limits that operators set, and answers that may be given again.
-- Money in micro-dollars, time in milliseconds.

ALTER TABLE runs ADD COLUMN charges TEXT;
ALTER TABLE runs ADD COLUMN written_tokens INTEGER NOT NULL DEFAULT 0;

CREATE TABLE budget_accounts (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    used_cost INTEGER NOT NULL,
    used_tokens INTEGER NOT NULL,
    used_calls INTEGER NOT NULL,
    used_millis INTEGER NOT NULL,
    held_cost INTEGER NOT NULL,
    held_tokens INTEGER NOT NULL,
    held_calls INTEGER NOT NULL,
    held_millis INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
) WITHOUT ROWID;

-- What effects in flight have reserved: gone as soon as they are settled.
CREATE TABLE budget_holds (
    run INTEGER NOT NULL,
    path TEXT NOT NULL,
    tenant TEXT NOT NULL,
    account TEXT NOT NULL,
    cost INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    millis INTEGER NOT NULL,
    PRIMARY KEY (run, path, account)
) WITHOUT ROWID;

CREATE TABLE budget_limits (
    tenant TEXT NOT NULL,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    period TEXT NOT NULL,
    cost INTEGER,
    tokens INTEGER,
    calls INTEGER,
    millis INTEGER,
    warn TEXT NOT NULL,
    by TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (tenant, scope, name, period)
) WITHOUT ROWID;

CREATE TABLE cached_answers (
    tenant TEXT NOT NULL,
    key BLOB NOT NULL,
    body BLOB NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (tenant, key)
);
CREATE INDEX cached_answers_at ON cached_answers (at);
