-- Who may do what. Two roles that nobody logs in as: workers see every tenant, doors see the one that their
-- transaction names. Log-in roles are made members of one of them: GRANT callboard_worker TO somebody.
-- Roles belong to the server, so another database of it may have them, or be making them in this moment.
DO $$
BEGIN
    IF to_regrole('callboard_worker') IS NULL THEN -- made before by somebody who may
        CREATE ROLE callboard_worker NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
    IF to_regrole('callboard_door') IS NULL THEN -- made before by somebody who may
        CREATE ROLE callboard_door NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- A store that is opened as a door takes that role whoever logs in: workers and owners may become it.
DO $$
BEGIN
    IF NOT pg_has_role('callboard_worker', 'callboard_door', 'MEMBER') THEN
        GRANT callboard_door TO callboard_worker;
    END IF;
EXCEPTION WHEN insufficient_privilege OR unique_violation THEN NULL; -- opening it as a door says what is missing
END $$;
DO $$
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        GRANT callboard_door TO CURRENT_USER;
    END IF;
EXCEPTION WHEN insufficient_privilege OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO callboard_worker, callboard_door', current_schema());
EXCEPTION WHEN insufficient_privilege THEN NULL; -- the schema is somebody else's, who decides who enters it
END $$;

GRANT SELECT ON callboard_schema TO callboard_worker, callboard_door;
GRANT SELECT, INSERT, UPDATE, DELETE ON runs, events, inbox, approvals, blobs, workers, lanes, controls, schedules, marks
    TO callboard_worker;

-- Doors start and fork runs, wake and requeue them, send letters, decide; they never write a run's number, move a
-- run to another parent, or delete history. Numbers of new runs are always drawn by the database.
GRANT SELECT ON runs, events, inbox, approvals, blobs, workers, lanes, controls, schedules TO callboard_door;
GRANT INSERT (id, tenant, flow, version, status, priority, key, digest, labels, depth, parent, parent_path, detached,
              fork_of, fork_seq, base_seq, rank, ready_at, start_at, wake_at, needs, created_at, updated_at)
    ON runs TO callboard_door;
GRANT UPDATE (status, rank, ready_at, wake_at, updated_at, finished_at, inbox_seq, deaths, error)
    ON runs TO callboard_door;
GRANT INSERT ON events, inbox TO callboard_door;
GRANT SELECT, INSERT, UPDATE, DELETE ON marks TO callboard_door;
GRANT UPDATE (status, decided_at, decided_by, decision) ON approvals TO callboard_door;
GRANT INSERT, UPDATE ON blobs, lanes TO callboard_door;
GRANT INSERT, UPDATE, DELETE ON schedules TO callboard_door;

ALTER TABLE runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE inbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE approvals ENABLE ROW LEVEL SECURITY;
ALTER TABLE blobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE lanes ENABLE ROW LEVEL SECURITY;
ALTER TABLE schedules ENABLE ROW LEVEL SECURITY;
ALTER TABLE marks ENABLE ROW LEVEL SECURITY;

CREATE POLICY worker ON runs TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON events TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON inbox TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON approvals TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON blobs TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON lanes TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON schedules TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON marks TO callboard_worker USING (true) WITH CHECK (true);

-- The tenant that a door's transaction named. None named, or none any more (then the setting is empty), is NULL
-- and matches nothing.
CREATE FUNCTION callboard_tenant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('callboard.tenant', true), '');

-- Whether a run is that tenant's: a policy on `runs` cannot look into `runs` itself. A body in this form means the
-- tables that there are now, whatever the caller's search path or temporary tables are called.
CREATE FUNCTION callboard_owns(wanted bigint) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
RETURN EXISTS (SELECT 1 FROM runs WHERE number = wanted AND tenant = callboard_tenant());
REVOKE EXECUTE ON FUNCTION callboard_owns FROM PUBLIC;
GRANT EXECUTE ON FUNCTION callboard_owns TO callboard_door;

-- The same for a run that this very statement may have made: only a volatile function sees it.
CREATE FUNCTION callboard_began(wanted bigint) RETURNS boolean LANGUAGE sql VOLATILE SECURITY DEFINER
RETURN EXISTS (SELECT 1 FROM runs WHERE number = wanted AND tenant = callboard_tenant());
REVOKE EXECUTE ON FUNCTION callboard_began FROM PUBLIC;
GRANT EXECUTE ON FUNCTION callboard_began TO callboard_door;

-- A new run may continue only runs of its own tenant: workers follow these links and see every tenant.
CREATE POLICY door_reads ON runs FOR SELECT TO callboard_door USING (tenant = callboard_tenant());
CREATE POLICY door_writes ON runs FOR UPDATE TO callboard_door
    USING (tenant = callboard_tenant()) WITH CHECK (tenant = callboard_tenant());
CREATE POLICY door_starts ON runs FOR INSERT TO callboard_door
    WITH CHECK (tenant = callboard_tenant() AND (parent IS NULL OR callboard_owns(parent))
                AND (fork_of IS NULL OR callboard_owns(fork_of)));

-- Events and letters have no tenant of their own (it would be stored once per step): they are as visible as
-- their run, and `runs` has a policy itself. OFFSET 0: looked up row by row, never by reading all of the tenant's runs.
CREATE POLICY door ON events TO callboard_door
    USING (EXISTS (SELECT 1 FROM runs r WHERE r.number = run OFFSET 0))
    WITH CHECK (callboard_began(run));
CREATE POLICY door ON inbox TO callboard_door
    USING (EXISTS (SELECT 1 FROM runs r WHERE r.number = run OFFSET 0))
    WITH CHECK (EXISTS (SELECT 1 FROM runs r WHERE r.number = run OFFSET 0));
CREATE POLICY door ON approvals TO callboard_door
    USING (tenant = callboard_tenant()) WITH CHECK (tenant = callboard_tenant());
CREATE POLICY door ON blobs TO callboard_door
    USING (tenant = callboard_tenant()) WITH CHECK (tenant = callboard_tenant());
CREATE POLICY door ON lanes TO callboard_door
    USING (tenant = callboard_tenant()) WITH CHECK (tenant = callboard_tenant());
CREATE POLICY door ON schedules TO callboard_door
    USING (tenant = callboard_tenant()) WITH CHECK (tenant = callboard_tenant());

-- A mark belongs to no tenant but to one writer, whose name is random: a door that does not know it has no access.
CREATE POLICY door ON marks TO callboard_door
    USING (writer = current_setting('callboard.writer', true))
    WITH CHECK (writer = current_setting('callboard.writer', true));

-- How much is waiting, over all tenants: a door that refuses starts has to know, and sees one tenant otherwise. In the
-- row without a tenant: runs at work, and runs that wait.
CREATE FUNCTION callboard_backlog() RETURNS TABLE (tenant text, runs bigint, detail double precision)
LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
    SELECT r.tenant, count(*), min(r.ready_at) FROM runs r WHERE r.status = 'ready' GROUP BY r.tenant
    UNION ALL
    SELECT NULL, (SELECT count(*) FROM runs r WHERE r.owner IS NOT NULL),
        (SELECT count(*) FROM runs r WHERE r.status = 'waiting')::double precision;
END;
REVOKE EXECUTE ON FUNCTION callboard_backlog FROM PUBLIC;
GRANT EXECUTE ON FUNCTION callboard_backlog TO callboard_door, callboard_worker;
