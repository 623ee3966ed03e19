-- beat: a worker announces itself, or shows that it lives
INSERT INTO workers (id, pid, host, started_at, beat) VALUES ($1, $2, $3, $4, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET beat = excluded.beat;

-- keep: a worker that claims has a row, also if it was taken for dead a moment ago
INSERT INTO workers (id, pid, host, started_at, beat) VALUES ($1, $2, $3, $4, clock_timestamp()) ON CONFLICT DO NOTHING;

-- lose: as if it had died
UPDATE workers SET beat = '-infinity' WHERE id = $1;

-- gone: workers that have not beaten for so many seconds, but for the one that asks
SELECT id FROM workers WHERE id <> $1 AND beat < clock_timestamp() - make_interval(secs => $2);

-- lock_gone: those of them that still have not; none of them can claim until this transaction ends
SELECT id FROM workers WHERE id = ANY ($1::text[]) AND beat < clock_timestamp() - make_interval(secs => $2)
ORDER BY id FOR UPDATE SKIP LOCKED;

-- lock_runs: what they have. What is being written to in this moment is left to the next sweep. (The + 0 keeps the
-- order from being taken from the primary key, which holds everybody's runs.)
SELECT number FROM runs WHERE owner = ANY ($1::text[]) AND status = 'running'
ORDER BY number + 0 FOR NO KEY UPDATE SKIP LOCKED;

-- take_over: locked runs of workers that are gone are ready, with a higher epoch, and a death if nothing was got done:
-- intents (kind 2) and beats (12) alone are no progress, or a call that kills its worker would be begun for ever
UPDATE runs r SET epoch = callboard_epoch(r.epoch), owner = NULL, status = 'ready', ready_at = $2, updated_at = $2,
    rank = $2 - r.priority * $3::double precision,
    deaths = CASE WHEN EXISTS (SELECT FROM events e WHERE e.run = r.number AND e.seq > r.claim_seq
                               AND e.kind NOT IN (2, 12)) THEN 0 ELSE r.deaths + 1 END
WHERE r.number = ANY ($1::bigint[])
RETURNING r.number, r.id, r.deaths, r.tenant, r.parent, r.parent_path, r.detached,
    (SELECT max(e.seq) FROM events e WHERE e.run = r.number);

-- drop_gone: workers that have nothing left
DELETE FROM workers w WHERE w.id = ANY ($1::text[])
AND NOT EXISTS (SELECT FROM runs r WHERE r.owner = w.id) RETURNING w.id;

-- bury: runs that keep killing their workers; what they cost is filed
WITH buried AS (
    UPDATE runs r SET status = 'dead', finished_at = $3, updated_at = $3, error = d.error
    FROM unnest($1::bigint[], $2::bytea[]) AS d (number, error) WHERE r.number = d.number
    RETURNING r.number, r.flow, r.status)
UPDATE run_costs c SET day = floor($3::double precision / 86400), ended_at = $3::double precision,
    place = json_build_array(b.flow, b.status, c.agent, c.model)::text,
    of_agent = (c.model = (SELECT min(o.model) FROM run_costs o WHERE o.run = c.run AND o.agent = c.agent))::integer,
    of_model = (c.agent = (SELECT min(o.agent) FROM run_costs o WHERE o.run = c.run AND o.model = c.model))::integer
FROM buried b WHERE c.run = b.number;

-- drop: a worker leaves
DELETE FROM workers WHERE id = $1;

-- lock_mine: runs that it still has
SELECT number FROM runs WHERE owner = $1 AND status = 'running' ORDER BY number + 0 FOR NO KEY UPDATE;

-- hand_back: they are ready, at their old places in the queue
UPDATE runs SET status = 'ready', owner = NULL WHERE number = ANY ($1::bigint[]);

-- all: every worker, and how many runs it has
SELECT w.id, w.pid, w.host, w.started_at, isfinite(w.beat),
    CASE WHEN isfinite(w.beat)
         THEN greatest(extract(epoch FROM clock_timestamp() - w.beat), 0)::double precision ELSE 'infinity' END,
    (SELECT count(*) FROM runs r WHERE r.owner = w.id)
FROM workers w ORDER BY w.started_at, w.id;
