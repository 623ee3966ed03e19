-- claim: the best ready runs become this worker's, under a higher epoch. The worker's own row is locked against its
-- removal, so that a takeover either sees these runs, or leaves a worker without a row, which claims nothing. Of a run
-- that nobody has claimed before, as its locked row says, the first event is the whole journal: it comes along
WITH me AS MATERIALIZED (SELECT id FROM workers WHERE id = $1 FOR KEY SHARE),
picked AS MATERIALIZED (
    SELECT number, epoch FROM runs
    WHERE status = 'ready' AND deaths = 0 AND rank >= $4 AND flow || '@' || version = ANY ($5::text[])
      AND (needs IS NULL OR needs = ANY ($6::text[])) AND tenant <> ALL ($7::text[]) AND flow <> ALL ($8::text[])
      AND (SELECT count(*) FROM me) = 1
    ORDER BY rank LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)
UPDATE runs r SET status = 'running', owner = $1, epoch = callboard_epoch(r.epoch), updated_at = $2,
    claim_seq = (SELECT coalesce(max(e.seq), -1) FROM events e WHERE e.run = r.number)
FROM picked p WHERE r.number = p.number
RETURNING r.rank, r.number, r.inbox_seq, r.base_seq, r.fork_of,
    r.id, r.tenant, r.flow, r.version, r.status, r.priority, r.key, r.epoch, r.depth,
    (SELECT p.id FROM runs p WHERE p.number = r.parent), (SELECT f.id FROM runs f WHERE f.number = r.fork_of),
    r.created_at, r.updated_at, r.finished_at, r.wake_at, r.deaths, r.input_tokens, r.output_tokens, r.cost,
    r.cached_tokens, r.reasoning_tokens, r.written_tokens,
    (CASE WHEN r.labels_set IS NULL THEN r.labels ELSE coalesce(r.labels, '{}') || r.labels_set END)::text,
    r.error, r.start_at, r.needs, r.charges, r.started_by, r.trace, r.digest,
    CASE WHEN p.epoch = 0 AND r.fork_of IS NULL THEN (SELECT e.body FROM events e WHERE e.run = r.number AND e.seq = 0) END;

-- take_turns: workers that have limits to keep claim one after the other, until their transactions end
SELECT pg_advisory_xact_lock($1);

-- executed: how many runs of these tenants and flows are being executed
SELECT tenant, flow, count(*) FROM runs
WHERE owner IS NOT NULL AND (tenant = ANY ($1::text[]) OR flow = ANY ($2::text[])) GROUP BY tenant, flow;

-- candidates: ready runs in order, locked, for a choice that limits have a say in
SELECT number, tenant, flow FROM runs
WHERE status = 'ready' AND deaths = 0 AND flow || '@' || version = ANY ($2::text[])
  AND (needs IS NULL OR needs = ANY ($3::text[])) AND tenant <> ALL ($4::text[]) AND flow <> ALL ($5::text[])
  AND number <> ALL ($6::bigint[])
ORDER BY rank LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED;

-- claim_these: like claim, of runs that were chosen already, or that are this worker's without its knowing
WITH me AS MATERIALIZED (SELECT id FROM workers WHERE id = $1 FOR KEY SHARE)
UPDATE runs r SET status = 'running', owner = $1, epoch = callboard_epoch(r.epoch), updated_at = $2,
    claim_seq = (SELECT coalesce(max(e.seq), -1) FROM events e WHERE e.run = r.number)
WHERE r.number = ANY ($3::bigint[]) AND (r.status = 'ready' OR r.owner = $1) AND (SELECT count(*) FROM me) = 1
RETURNING r.rank, r.number, r.inbox_seq, r.base_seq, r.fork_of,
    r.id, r.tenant, r.flow, r.version, r.status, r.priority, r.key, r.epoch, r.depth,
    (SELECT p.id FROM runs p WHERE p.number = r.parent), (SELECT f.id FROM runs f WHERE f.number = r.fork_of),
    r.created_at, r.updated_at, r.finished_at, r.wake_at, r.deaths, r.input_tokens, r.output_tokens, r.cost,
    r.cached_tokens, r.reasoning_tokens, r.written_tokens,
    (CASE WHEN r.labels_set IS NULL THEN r.labels ELSE coalesce(r.labels, '{}') || r.labels_set END)::text,
    r.error, r.start_at, r.needs, r.charges, r.started_by, r.trace, r.digest, NULL::bytea;

-- mine: runs that a worker has
SELECT number, epoch FROM runs WHERE owner = $1 AND status = 'running';

-- journals: the events of runs that were claimed by an earlier statement, each from its base on, payloads included.
-- One run after the other, each in order: ordered as a whole, all events of the database would be gone through
SELECT e.run, e.seq, e.kind, e.path, e.digest, e.at, e.took,
    CASE WHEN e.blob IS NULL THEN e.body
         ELSE (SELECT b.data FROM blobs b WHERE b.tenant = w.tenant AND b.hash = e.blob) END
FROM unnest($1::bigint[], $2::integer[], $3::text[]) AS w (run, base, tenant)
CROSS JOIN LATERAL (
    SELECT run, seq, kind, path, digest, at, took, body, blob FROM events
    WHERE run = w.run AND seq >= w.base ORDER BY seq OFFSET 0) e;

-- letters: all letters of runs
SELECT run, seq, name, body FROM inbox WHERE run = ANY ($1::bigint[]) ORDER BY run, seq;

-- in_force: pauses and limits
SELECT scope, name, paused, running FROM controls WHERE scope <> 'tool' AND (paused OR running IS NOT NULL);

-- wake_due: waiting runs whose time has come are ready (those of one tenant one after the other, so that they do not
-- delay other tenants)
WITH due AS MATERIALIZED (
    SELECT number, tenant, wake_at FROM runs WHERE wake_at <= $1 AND status = 'waiting'
    ORDER BY wake_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED),
placed AS MATERIALIZED (
    SELECT number, row_number() OVER (PARTITION BY tenant ORDER BY wake_at, number) - 1 AS place FROM due)
UPDATE runs r SET status = 'ready', ready_at = $1, wake_at = NULL,
    rank = $1 - r.priority * $3::double precision + p.place * $4::double precision
FROM placed p WHERE r.number = p.number;

-- clear_lanes: queues that end in the past say nothing
DELETE FROM lanes WHERE tenant IN (
    SELECT tenant FROM lanes WHERE tail <= $1 ORDER BY tenant FOR UPDATE SKIP LOCKED);

-- outlook: what there is to do, and the letter counters of a worker's runs. Nobody needs more than a thousand counted.
-- The + 0 keeps the order from being taken from the primary key, which holds everybody's runs
SELECT
    (SELECT count(*) FROM (SELECT FROM runs WHERE status = 'ready'
        AND ($2::text[] IS NULL OR flow || '@' || version = ANY ($2)) LIMIT 1000) AS counted),
    (SELECT count(*) FROM (SELECT FROM runs WHERE status = 'ready' AND deaths > 0
        AND ($2::text[] IS NULL OR flow || '@' || version = ANY ($2)) LIMIT 1000) AS counted),
    (SELECT wake_at FROM runs WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT 1),
    ARRAY(SELECT id FROM runs WHERE owner = $1 AND status = 'running' ORDER BY number + 0),
    ARRAY(SELECT inbox_seq FROM runs WHERE owner = $1 AND status = 'running' ORDER BY number + 0),
    (SELECT count(*) FROM workers), extract(epoch FROM clock_timestamp())::double precision;

-- backlog: ready runs by tenant and since when the oldest is ready; in the row without tenant, those at work and waiting
SELECT * FROM callboard_backlog();
