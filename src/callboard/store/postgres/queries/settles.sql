-- touch: locks, in order, all runs that a group writes to: those it names, parents of those that end, children that
-- must end with them, those that letters name
WITH wanted AS MATERIALIZED (
    SELECT unnest($1::bigint[]) AS number
    UNION SELECT parent FROM runs WHERE number = ANY ($2::bigint[]) AND parent IS NOT NULL AND NOT detached
    UNION SELECT number FROM runs WHERE parent = ANY ($3::bigint[]) AND NOT detached AND finished_at IS NULL
    UNION SELECT number FROM runs WHERE id = ANY ($4::text[]))
SELECT number, id, tenant, epoch, status, inbox_seq, priority, parent, parent_path, detached, start_at, base_seq, rank,
    ready_at, wake_at, deaths, updated_at, finished_at
FROM runs WHERE number = ANY (ARRAY(SELECT number FROM wanted)) ORDER BY number FOR NO KEY UPDATE;

-- put: what has become of runs that this transaction has locked; only a run that is executed keeps its owner. What
-- those cost that have ended is filed where it is summed
WITH put AS (
UPDATE runs r SET status = u.status, owner = CASE u.status WHEN 'running' THEN r.owner END, inbox_seq = u.inbox_seq,
    base_seq = u.base_seq, rank = u.rank, ready_at = u.ready_at, wake_at = u.wake_at, deaths = u.deaths,
    updated_at = u.updated_at, finished_at = u.finished_at, detached = u.detached,
    error = CASE WHEN u.ended THEN u.error ELSE r.error END
FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::integer[], $5::double precision[], $6::double precision[],
    $7::double precision[], $8::integer[], $9::double precision[], $10::double precision[], $11::boolean[],
    $12::boolean[], $13::bytea[])
    AS u (number, status, inbox_seq, base_seq, rank, ready_at, wake_at, deaths, updated_at, finished_at, detached, ended,
    error)
WHERE r.number = u.number
RETURNING r.number, r.flow, r.status, r.finished_at)
UPDATE run_costs c SET day = floor(p.finished_at / 86400), ended_at = p.finished_at,
    place = json_build_array(p.flow, p.status, c.agent, c.model)::text,
    of_agent = (c.model = (SELECT min(o.model) FROM run_costs o WHERE o.run = c.run AND o.agent = c.agent))::integer,
    of_model = (c.agent = (SELECT min(o.agent) FROM run_costs o WHERE o.run = c.run AND o.model = c.model))::integer
FROM put p WHERE c.run = p.number AND p.finished_at IS NOT NULL;

-- withdraw: questions of runs that have ended
UPDATE approvals SET status = 'withdrawn' WHERE run = ANY ($1::bigint[]) AND status = 'open';

-- forget_children: a run that begins anew has no letters from children of before
DELETE FROM inbox WHERE run = ANY ($1::bigint[]) AND name LIKE 'child:%';

-- drop_letters: what was sent to runs that have ended for good
DELETE FROM inbox WHERE run = ANY ($1::bigint[]);
