-- start: new runs of one tenant, in the order of their ids, with their places in its queue and their first events; one
-- whose key or id is taken is left out. Where the run at the queue's end cannot be seen, another process has just started it
WITH lane AS (
    INSERT INTO lanes AS l (tenant, tail, last) VALUES ($1, $2::double precision + $3::double precision, $4)
    ON CONFLICT (tenant) DO UPDATE SET last = excluded.last, tail = CASE
        WHEN coalesce((SELECT r.status FROM runs r WHERE r.id = l.last), 'ready') = 'ready'
        THEN greatest(l.tail + $3, excluded.tail) ELSE excluded.tail END
    RETURNING tail),
run AS (
    INSERT INTO runs (id, tenant, flow, version, status, priority, key, digest, labels, depth, rank, ready_at, needs,
        created_at, updated_at, started_by, trace)
    SELECT n.id, $1, n.flow, n.version, 'ready', n.priority, n.key, n.digest, n.labels::jsonb, n.depth,
        lane.tail - $3 + n.place, n.at, n.needs, n.at, n.at, n.started_by, n.trace
    FROM lane, unnest($5::text[], $6::text[], $7::text[], $8::integer[], $9::text[], $10::bytea[], $11::text[],
        $12::integer[], $13::double precision[], $14::double precision[], $15::text[], $16::text[], $17::text[])
        AS n (id, flow, version, priority, key, digest, labels, depth, place, at, needs, started_by, trace)
    ON CONFLICT DO NOTHING
    RETURNING number, id, digest, created_at),
begun AS (
    INSERT INTO events (run, seq, kind, path, digest, at, took, body)
    SELECT number, 0, 1, '', digest, trunc(created_at * 1e6)::bigint, 0,
        ($18::bytea[])[width_bucket(id, $5::text[] COLLATE "C")] FROM run)
SELECT id FROM run;

-- there: which of these runs were started
SELECT id FROM runs WHERE id = ANY ($2::text[]) AND (tenant = $1) IS TRUE;
