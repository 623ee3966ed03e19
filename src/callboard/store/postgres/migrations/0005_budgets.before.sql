-- What runs are charged to, what accounts hold, the limits that operators set, and answers that may be given again.
-- Money in micro-dollars, time in milliseconds.

ALTER TABLE runs ADD COLUMN charges text, ADD COLUMN written_tokens bigint NOT NULL DEFAULT 0;
GRANT INSERT (charges) ON runs TO callboard_door;

-- Few rows, updated by every call: room in their pages keeps the updates there.
CREATE TABLE budget_accounts (
    tenant text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    used_cost bigint NOT NULL DEFAULT 0,
    used_tokens bigint NOT NULL DEFAULT 0,
    used_calls bigint NOT NULL DEFAULT 0,
    used_millis bigint NOT NULL DEFAULT 0,
    held_cost bigint NOT NULL DEFAULT 0,
    held_tokens bigint NOT NULL DEFAULT 0,
    held_calls bigint NOT NULL DEFAULT 0,
    held_millis bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, name)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

-- What effects in flight have reserved: gone as soon as they are settled. Written under the lock of their run.
CREATE TABLE budget_holds (
    run bigint NOT NULL,
    path text NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    cost bigint NOT NULL,
    tokens bigint NOT NULL,
    calls bigint NOT NULL,
    millis bigint NOT NULL,
    PRIMARY KEY (run, path, account)
) WITH (autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE budget_limits (
    tenant text COLLATE "C" NOT NULL,
    scope text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    cost bigint,
    tokens bigint,
    calls bigint,
    millis bigint,
    warn text NOT NULL,
    by text NOT NULL,
    at double precision NOT NULL,
    PRIMARY KEY (tenant, scope, name, period)
);

CREATE TABLE cached_answers (
    tenant text COLLATE "C" NOT NULL,
    key bytea NOT NULL,
    body bytea NOT NULL,
    at double precision NOT NULL,
    PRIMARY KEY (tenant, key)
);
CREATE INDEX cached_answers_at ON cached_answers (at);

GRANT SELECT, INSERT, UPDATE, DELETE ON budget_accounts, budget_holds, budget_limits, cached_answers
    TO callboard_worker;
-- Doors look: a tenant does not raise its own limits. What models answered is for workers alone.
GRANT SELECT ON budget_accounts, budget_holds, budget_limits TO callboard_door;

ALTER TABLE budget_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE budget_holds ENABLE ROW LEVEL SECURITY;
ALTER TABLE budget_limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE cached_answers ENABLE ROW LEVEL SECURITY;

CREATE POLICY worker ON budget_accounts TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON budget_holds TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON budget_limits TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON cached_answers TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY door ON budget_accounts FOR SELECT TO callboard_door USING (tenant = callboard_tenant());
CREATE POLICY door ON budget_holds FOR SELECT TO callboard_door USING (tenant = callboard_tenant());
CREATE POLICY door ON budget_limits FOR SELECT TO callboard_door USING (tenant = callboard_tenant());
