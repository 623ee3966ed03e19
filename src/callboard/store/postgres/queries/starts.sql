-- lock_lanes: takes the queues of tenants; a later statement sees what the holders before have written
SELECT tenant FROM lanes WHERE tenant = ANY ($1::text[]) ORDER BY tenant FOR UPDATE;

-- queue_up: the queues grow; where the run at the end has been claimed, the queue begins anew. No EXISTS: of one that names
-- a status the planner may make a list of all ready runs, and then each start reads them all
INSERT INTO lanes AS l (tenant, tail, last)
SELECT n.tenant, n.at + ($4::jsonb ->> n.tenant)::double precision, n.last
FROM unnest($1::text[], $2::double precision[], $3::text[]) AS n (tenant, at, last) ORDER BY n.tenant
ON CONFLICT (tenant) DO UPDATE SET last = excluded.last, tail = CASE
    WHEN (SELECT r.status FROM runs r WHERE r.id = l.last) = 'ready'
    THEN greatest(l.tail + ($4::jsonb ->> l.tenant)::double precision, excluded.tail) ELSE excluded.tail END
RETURNING tenant, tail;

-- by_key: the runs that keys made
SELECT r.tenant, r.flow, r.key, r.id, r.digest
FROM unnest($1::text[], $2::text[], $3::text[]) AS k (tenant, flow, key)
JOIN runs r ON r.tenant = k.tenant AND r.flow = k.flow AND r.key = k.key;

-- insert: new runs, ready or to begin later; one whose key is taken in this moment is left out
INSERT INTO runs (id, tenant, flow, version, status, priority, key, digest, labels, depth, parent, parent_path,
    detached, rank, ready_at, start_at, wake_at, needs, created_at, updated_at, charges,
    started_by, trace)
SELECT n.id, n.tenant, n.flow, n.version, CASE WHEN n.start_at IS NULL THEN 'ready' ELSE 'waiting' END, n.priority,
    n.key, n.digest, n.labels::jsonb, n.depth, n.parent, n.parent_path, n.detached, n.rank, n.at, n.start_at,
    n.start_at, n.needs, n.at, n.at, n.charges, n.started_by, n.trace
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::bytea[], $8::text[],
    $9::integer[], $10::bigint[], $11::text[], $12::boolean[], $13::double precision[], $14::double precision[],
    $15::text[], $16::double precision[], $17::text[], $18::text[], $19::text[])
    AS n (id, tenant, flow, version, priority, key, digest, labels, depth, parent, parent_path, detached, rank,
    start_at, needs, at, charges, started_by, trace)
ON CONFLICT (tenant, flow, key) WHERE key IS NOT NULL DO NOTHING
RETURNING number, id;

-- knock: letters for runs that this transaction has locked
INSERT INTO inbox (run, seq, name, body, at)
SELECT * FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::bytea[], $5::double precision[]);

-- wake: what letters change of runs that this transaction has locked; as much as a door may write
UPDATE runs r SET status = u.status, inbox_seq = u.inbox_seq, rank = u.rank, ready_at = u.ready_at, wake_at = u.wake_at
FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::double precision[], $5::double precision[],
    $6::double precision[]) AS u (number, status, inbox_seq, rank, ready_at, wake_at)
WHERE r.number = u.number;
