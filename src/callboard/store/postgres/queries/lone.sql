-- start: one new run with its place in the tenant's queue and its first event
WITH lane AS (
    INSERT INTO lanes AS l (tenant, tail, last) VALUES ($2, $10::double precision + $11::double precision, $1)
    ON CONFLICT (tenant) DO UPDATE SET last = excluded.last, tail = CASE
        WHEN (SELECT r.status FROM runs r WHERE r.id = l.last) = 'ready'
        THEN greatest(l.tail + $11, excluded.tail) ELSE excluded.tail END
    RETURNING tail),
run AS (
    INSERT INTO runs (id, tenant, flow, version, status, priority, digest, labels, depth, rank, ready_at, needs,
        created_at, updated_at, started_by, trace)
    SELECT $1, $2, $3, $4, 'ready', $5::integer, $6::bytea, $7::jsonb, $8::integer, lane.tail - $11 - $12::double precision, $10, $9, $10, $10,
        $15::text, $16::text FROM lane
    ON CONFLICT (id) DO NOTHING
    RETURNING number),
begun AS (
    INSERT INTO events (run, seq, kind, path, digest, at, took, body)
    SELECT number, 0, 1, '', $6, $14::bigint, 0, $13::bytea FROM run)
SELECT number FROM run;

-- there: whether a run was started
SELECT number FROM runs WHERE id = $2 AND (tenant = $1) IS TRUE;

-- finish: one run ends for good, which has no letters and nobody to tell; the lock makes a takeover wait
WITH held AS MATERIALIZED (
    SELECT number, flow FROM runs WHERE number = $1 AND epoch = $2 AND status = 'running' AND inbox_seq = 0
    FOR NO KEY UPDATE),
ended AS (
    INSERT INTO events (run, seq, kind, path, digest, at, took, body)
    SELECT number, $3::integer, $4::smallint, $5::text, $6::bytea, $7::bigint, $8::bigint, $9::bytea FROM held),
withdrawn AS (
    UPDATE approvals a SET status = 'withdrawn' FROM held WHERE a.run = held.number AND a.status = 'open'),
filed AS (
    UPDATE run_costs c SET day = floor($12::double precision / 86400), ended_at = $12::double precision,
        place = json_build_array(held.flow, $10::text, c.agent, c.model)::text,
        of_agent = (c.model = (SELECT min(o.model) FROM run_costs o WHERE o.run = c.run AND o.agent = c.agent))::integer,
        of_model = (c.agent = (SELECT min(o.agent) FROM run_costs o WHERE o.run = c.run AND o.model = c.model))::integer
    FROM held WHERE c.run = held.number)
UPDATE runs r SET status = $10::text, owner = NULL, error = $11::bytea, updated_at = $12::double precision, finished_at = $12, wake_at = NULL, deaths = 0
FROM held WHERE r.number = held.number;
