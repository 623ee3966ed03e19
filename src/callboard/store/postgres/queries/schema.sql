-- tables: which of these are there, all in one look: another process may be making them
SELECT c.relname::text FROM pg_class c WHERE c.relname = ANY($1::name[]) AND pg_table_is_visible(c.oid);

-- applied: the parts of migrations that this database has
SELECT number, phase, extract(epoch FROM applied_at)::double precision FROM callboard_schema;

-- lock: one process at a time changes the schema; it holds until the transaction ends, also behind a bouncer
SELECT pg_advisory_xact_lock($1);

-- patience: how long a change waits for a table that is in use
SET LOCAL lock_timeout = '10s';

-- create: the record of the schema
CREATE TABLE IF NOT EXISTS callboard_schema (
    number integer NOT NULL,
    phase text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (number, phase)
);

-- record: a part was applied
INSERT INTO callboard_schema (number, phase) VALUES ($1, $2);

-- rights: who works here, whether row-level security leaves them alone, and whether they are workers
SELECT current_user::text, NOT row_security_active('runs'), pg_has_role('callboard_worker', 'USAGE');

-- facts: for the doctor
SELECT current_setting('server_version'), pg_database_size(current_database()), current_setting('synchronous_commit'),
       current_setting('fsync'), current_user::text,
       (SELECT string_agg(number || ' ' || phase, ', ' ORDER BY number, phase DESC) FROM callboard_schema);

-- now: what time it is here, for clocks that are wrong
SELECT extract(epoch FROM clock_timestamp())::double precision;
