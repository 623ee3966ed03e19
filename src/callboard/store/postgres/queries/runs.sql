-- A run is looked up by its id. IS TRUE keeps the planner, which knows nothing of a new table, from looking through
-- all of the tenant's runs for it instead.

-- number: a tenant's run
SELECT number FROM runs WHERE id = $2 AND (tenant = $1) IS TRUE;

-- get: one run's row
SELECT r.id, r.tenant, r.flow, r.version, r.status, r.priority, r.key, r.epoch, r.depth,
       (SELECT p.id FROM runs p WHERE p.number = r.parent), (SELECT f.id FROM runs f WHERE f.number = r.fork_of),
       r.created_at, r.updated_at, r.finished_at, r.wake_at, r.deaths, r.input_tokens, r.output_tokens, r.cost,
       r.cached_tokens, r.reasoning_tokens, r.written_tokens,
       (CASE WHEN r.labels_set IS NULL THEN r.labels ELSE coalesce(r.labels, '{}') || r.labels_set END)::text, r.error,
       r.start_at, r.needs, r.charges, r.started_by, r.trace
FROM runs r WHERE r.id = $2 AND (r.tenant = $1) IS TRUE;

-- rows: the same of many runs, each looked up by its key
SELECT r.id, r.tenant, r.flow, r.version, r.status, r.priority, r.key, r.epoch, r.depth,
       (SELECT p.id FROM runs p WHERE p.number = r.parent), (SELECT f.id FROM runs f WHERE f.number = r.fork_of),
       r.created_at, r.updated_at, r.finished_at, r.wake_at, r.deaths, r.input_tokens, r.output_tokens, r.cost,
       r.cached_tokens, r.reasoning_tokens, r.written_tokens,
       (CASE WHEN r.labels_set IS NULL THEN r.labels ELSE coalesce(r.labels, '{}') || r.labels_set END)::text, r.error,
       r.start_at, r.needs, r.charges, r.started_by, r.trace
FROM unnest($2::text[]) AS w (id) CROSS JOIN LATERAL (SELECT * FROM runs WHERE id = w.id AND (tenant = $1) IS TRUE OFFSET 0) r;

-- by_keys: the runs that keys made, each looked up by its index
SELECT r.key, r.id FROM unnest($3::text[]) AS w (key)
CROSS JOIN LATERAL (SELECT key, id FROM runs WHERE tenant = $1 AND flow = $2 AND key = w.key OFFSET 0) r;

-- find: a page of runs, newest first, in the order of their index
SELECT r.id, r.tenant, r.flow, r.version, r.status, r.priority, r.key, r.epoch, r.depth,
       (SELECT p.id FROM runs p WHERE p.number = r.parent), (SELECT f.id FROM runs f WHERE f.number = r.fork_of),
       r.created_at, r.updated_at, r.finished_at, r.wake_at, r.deaths, r.input_tokens, r.output_tokens, r.cost,
       r.cached_tokens, r.reasoning_tokens, r.written_tokens,
       (CASE WHEN r.labels_set IS NULL THEN r.labels ELSE coalesce(r.labels, '{}') || r.labels_set END)::text, r.error,
       r.start_at, r.needs, r.charges, r.started_by, r.trace
FROM runs r
WHERE r.tenant = $1
  AND ($2::text IS NULL OR r.status = $2)
  AND ($3::text IS NULL OR r.flow = $3)
  AND ($4::jsonb IS NULL OR coalesce(r.labels, '{}') || coalesce(r.labels_set, '{}') @> $4)
  AND -r.number > CASE WHEN $5::text IS NULL THEN -9223372036854775807
                       ELSE (SELECT -b.number FROM runs b WHERE b.id = $5 AND (b.tenant = $1) IS TRUE) END
ORDER BY -r.number LIMIT $6;

-- find_children: the same among one run's children, by their index and by no other: hence the + 0
SELECT r.id, r.tenant, r.flow, r.version, r.status, r.priority, r.key, r.epoch, r.depth,
       (SELECT p.id FROM runs p WHERE p.number = r.parent), (SELECT f.id FROM runs f WHERE f.number = r.fork_of),
       r.created_at, r.updated_at, r.finished_at, r.wake_at, r.deaths, r.input_tokens, r.output_tokens, r.cost,
       r.cached_tokens, r.reasoning_tokens, r.written_tokens,
       (CASE WHEN r.labels_set IS NULL THEN r.labels ELSE coalesce(r.labels, '{}') || r.labels_set END)::text, r.error,
       r.start_at, r.needs, r.charges, r.started_by, r.trace
FROM runs r
WHERE r.parent = (SELECT p.number FROM runs p WHERE p.id = $7 AND (p.tenant = $1) IS TRUE) AND r.tenant = $1
  AND ($2::text IS NULL OR r.status = $2)
  AND ($3::text IS NULL OR r.flow = $3)
  AND ($4::jsonb IS NULL OR coalesce(r.labels, '{}') || coalesce(r.labels_set, '{}') @> $4)
  AND r.number < CASE WHEN $5::text IS NULL THEN 9223372036854775807
                      ELSE (SELECT b.number FROM runs b WHERE b.id = $5 AND (b.tenant = $1) IS TRUE) END
ORDER BY r.number + 0 DESC LIMIT $6;

-- counts: runs by status
SELECT status, count(*) FROM runs WHERE tenant = $1 GROUP BY status;

-- outcomes: last events of runs that have ended; each run and each event is looked up by its key
SELECT r.id, r.status, r.error,
       CASE WHEN e.blob IS NULL THEN e.body
            ELSE (SELECT b.data FROM blobs b WHERE b.tenant = $1 AND b.hash = e.blob) END
FROM unnest($2::text[]) AS w (id)
CROSS JOIN LATERAL (
    SELECT number, id, status, error FROM runs
    WHERE id = w.id AND (tenant = $1) IS TRUE AND status IN ('succeeded', 'failed', 'cancelled', 'dead') OFFSET 0) r
LEFT JOIN LATERAL (
    SELECT body, blob FROM events WHERE run = r.number ORDER BY seq DESC LIMIT 1) e ON r.status = 'succeeded';

-- requeue: a blocked, failed or dead run is ready again; and what it was
WITH held AS MATERIALIZED (
    SELECT number, status FROM runs WHERE id = $2 AND (tenant = $1) IS TRUE AND status IN ('blocked', 'failed', 'dead')
    FOR NO KEY UPDATE)
UPDATE runs r SET status = 'ready', ready_at = $3::double precision, rank = $3 - r.priority * $4::double precision, updated_at = $3, finished_at = NULL,
    error = NULL, deaths = 0
FROM held WHERE r.number = held.number RETURNING r.number, held.status;

-- status: where a run stands
SELECT status FROM runs WHERE id = $2 AND (tenant = $1) IS TRUE;

-- append_free: an event outside any claim, after the run's last; the run's row is locked by the statement before
INSERT INTO events (run, seq, kind, path, digest, at, took, body)
SELECT $1, 1 + (SELECT e.seq FROM events e WHERE e.run = $1 ORDER BY e.seq DESC LIMIT 1), $2, '', '', $3, 0, $4;

-- keep_origin: a purge passes over a run while somebody makes a fork of it
SELECT number FROM runs WHERE id = $2 AND (tenant = $1) IS TRUE FOR KEY SHARE;

-- fork: a run that begins as another did
INSERT INTO runs (id, tenant, flow, version, status, priority, digest, labels, depth, fork_of, fork_seq, ready_at,
                  created_at, updated_at, rank, needs, base_seq, charges)
SELECT $2, tenant, flow, version, 'ready', priority, digest, labels, depth, number, $3::integer, $4::double precision, $4, $4,
       $4 - priority * $5::double precision, needs, $6::integer, charges
FROM runs WHERE number = $1 RETURNING number;

-- insert_forked: a fork's first event of its own
INSERT INTO events (run, seq, kind, path, digest, at, took, body) VALUES ($1, $2, $3, '', '', $4, 0, $5);

-- purgeable: ended runs that nothing else needs, locked so that nobody forks or requeues them meanwhile.
-- OFFSET 0: asked of each run by an index, never as a join with all runs
SELECT r.number FROM runs r
WHERE r.tenant = $1 AND r.finished_at < $2 AND r.status = ANY($3::text[])
  AND NOT EXISTS (SELECT 1 FROM runs f WHERE f.fork_of = r.number OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM runs c WHERE c.parent = r.number AND c.finished_at IS NULL OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM budget_holds h WHERE h.run = r.number OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.tenant = $1 AND d.run = r.id AND (d.status = 'pending') IS TRUE OFFSET 0)
ORDER BY r.finished_at LIMIT $4 FOR UPDATE SKIP LOCKED;

-- purge_runs: their rows; asked anew, because a fork may have been committed before the lock was taken
DELETE FROM runs r WHERE r.number = ANY($1::bigint[])
  AND NOT EXISTS (SELECT 1 FROM runs f WHERE f.fork_of = r.number OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM runs c WHERE c.parent = r.number AND c.finished_at IS NULL OFFSET 0)
RETURNING r.number, r.id;

-- purge_accounts: what they were charged, unless a run far below them is still at it
DELETE FROM budget_accounts WHERE tenant = $1 AND name = ANY ($2::text[])
  AND held_cost = 0 AND held_tokens = 0 AND held_calls = 0 AND held_millis = 0;

-- purge_deliveries: who was told of their end
DELETE FROM webhook_deliveries WHERE tenant = $1 AND run = ANY ($2::text[]);

-- purge_events: the journals of purged runs
DELETE FROM events WHERE run = ANY($1::bigint[]);

-- purge_inbox: their letters
DELETE FROM inbox WHERE run = ANY($1::bigint[]);

-- purge_approvals: their questions
DELETE FROM approvals WHERE run = ANY($1::bigint[]);

-- purge_blobs: payloads that nothing refers to and nobody touched lately
DELETE FROM blobs WHERE tenant = $1 AND touched_at < $2 AND hash IN (
    SELECT b.hash FROM blobs b WHERE b.tenant = $1 AND b.touched_at < $2
    AND NOT EXISTS (SELECT 1 FROM events e JOIN runs r ON r.number = e.run
                    WHERE e.blob = b.hash AND r.tenant = $1 OFFSET 0) LIMIT $3);
