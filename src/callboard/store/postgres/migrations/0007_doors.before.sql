-- Who started a run and under which trace, what runs failed of, conversations, and messages that runs have ended.

ALTER TABLE runs ADD COLUMN started_by text COLLATE "C", ADD COLUMN trace text COLLATE "C";
GRANT INSERT (started_by, trace) ON runs TO callboard_door;
-- Few runs have an error. Those that wait, run or are ready have indexes of their own since before.
CREATE INDEX runs_error ON runs (tenant, (-number)) WHERE error IS NOT NULL;
-- What runs cost is summed by day; without these the planner expects a group for each run, and sorts them all.
CREATE STATISTICS runs_day ON (floor(finished_at / 86400)) FROM runs;
CREATE STATISTICS runs_child ON (parent IS NOT NULL) FROM runs;

-- An error begins with its code, its kind and its message, see callboard.domain.kinds.ErrorRecord, with no quotation mark
-- in the first two. They are not read as JSON: this database's JSON has no NUL characters, and a message may. The kind;
-- and the message as JSON has it.
CREATE FUNCTION callboard_kind(error bytea) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN split_part(encode(substring(error FROM 1 FOR 400), 'escape'), '"', 8);

CREATE FUNCTION callboard_said(error bytea) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN substring(split_part(convert_from(error, 'UTF8'), '","', 3) FROM 11);

CREATE TABLE chat_sessions (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    flow text COLLATE "C" NOT NULL,
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    labels jsonb,
    head text COLLATE "C",
    turns integer NOT NULL DEFAULT 0,
    UNIQUE (tenant, id)
) WITH (fillfactor = 70);
-- Newest first, as runs_tenant is.
CREATE INDEX chat_sessions_tenant ON chat_sessions (tenant, (-number));

-- A turn is found by the id of its run, and in the order of its session.
CREATE TABLE chat_turns (
    tenant text COLLATE "C" NOT NULL,
    session text COLLATE "C" NOT NULL,
    number integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    after text COLLATE "C",
    message bytea NOT NULL,
    status text COLLATE "C" NOT NULL,
    at double precision NOT NULL,
    options bytea,
    silent text,
    PRIMARY KEY (tenant, session, number)
);
CREATE UNIQUE INDEX chat_turns_id ON chat_turns (tenant, id);
CREATE INDEX chat_turns_pending ON chat_turns (tenant, session, number) WHERE status = 'pending';

CREATE TABLE webhook_deliveries (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    run text COLLATE "C" NOT NULL,
    url text NOT NULL,
    created_at double precision NOT NULL,
    due double precision NOT NULL,
    status text COLLATE "C" NOT NULL,
    tries integer NOT NULL,
    said text NOT NULL,
    UNIQUE (tenant, id),
    UNIQUE (tenant, run, url)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX webhook_deliveries_tenant ON webhook_deliveries (tenant, (-number));
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (due) WHERE status = 'pending';

GRANT SELECT, INSERT, UPDATE, DELETE ON chat_sessions, chat_turns, webhook_deliveries TO callboard_worker;
-- Doors open conversations and add to them, and ask for messages; they take nothing back. What became of a message to
-- the outside, workers say.
GRANT SELECT ON chat_sessions, chat_turns, webhook_deliveries TO callboard_door;
GRANT INSERT (tenant, id, flow, created_at, updated_at, labels), UPDATE (updated_at, head, turns) ON chat_sessions
    TO callboard_door;
GRANT INSERT, UPDATE (status, silent) ON chat_turns TO callboard_door;
GRANT INSERT (tenant, id, run, url, created_at, due, status, tries, said) ON webhook_deliveries TO callboard_door;

ALTER TABLE chat_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE chat_turns ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY;

CREATE POLICY worker ON chat_sessions TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON chat_turns TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON webhook_deliveries TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY door ON chat_sessions TO callboard_door
    USING (tenant = callboard_tenant()) WITH CHECK (tenant = callboard_tenant());
CREATE POLICY door ON chat_turns TO callboard_door
    USING (tenant = callboard_tenant()) WITH CHECK (tenant = callboard_tenant());
CREATE POLICY door ON webhook_deliveries TO callboard_door
    USING (tenant = callboard_tenant()) WITH CHECK (tenant = callboard_tenant());

-- What comes through doors is counted there: requests, starts, log-ins that failed. Of all else that is counted they
-- have no part, or one door could stop what workers do.
GRANT SELECT, INSERT, UPDATE ON counter_rates TO callboard_door;
ALTER TABLE counter_rates ENABLE ROW LEVEL SECURITY;
CREATE POLICY worker ON counter_rates TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY door ON counter_rates TO callboard_door
    USING (name ~ '^(door|login):') WITH CHECK (name ~ '^(door|login):');
