-- add: a new delivery; one for the same run and address is left as it is, as is one of this id
INSERT INTO webhook_deliveries (tenant, id, run, url, created_at, due, status, tries, said)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING;

-- lost: those whose run there is none of, though there was time to start it
UPDATE webhook_deliveries d SET status = 'failed', said = 'there is no such run'
WHERE d.status = 'pending' AND d.due <= $1 AND d.created_at <= $2
  AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = d.run AND (r.tenant = d.tenant) IS TRUE OFFSET 0);

-- take: what is due of runs that have ended, and then is not due for a while; others pass over what one takes
WITH taken AS MATERIALIZED (
    SELECT d.number, r.flow, r.status FROM webhook_deliveries d
    CROSS JOIN LATERAL (
        SELECT flow, status FROM runs WHERE id = d.run AND (tenant = d.tenant) IS TRUE
        AND status IN ('succeeded', 'failed', 'cancelled', 'dead') OFFSET 0) r
    WHERE d.status = 'pending' AND d.due <= $1 ORDER BY d.due LIMIT $3 FOR NO KEY UPDATE OF d SKIP LOCKED)
UPDATE webhook_deliveries d SET due = $2 FROM taken t WHERE d.number = t.number
RETURNING d.tenant, d.id, d.run, d.url, d.created_at, d.due, d.status, d.tries, d.said, t.flow, t.status;

-- settle: what came of a try
UPDATE webhook_deliveries SET status = $3, due = $4, said = $5, tries = tries + 1
WHERE tenant = $1 AND id = $2 AND (status = 'pending') IS TRUE;

-- find: deliveries, newest first
SELECT tenant, id, run, url, created_at, due, status, tries, said FROM webhook_deliveries
WHERE tenant = $1 AND ($2::text IS NULL OR status = $2) ORDER BY -number LIMIT $3;

-- find_of_run: the same of one run, by their index and by no other: hence the + 0
SELECT tenant, id, run, url, created_at, due, status, tries, said FROM webhook_deliveries
WHERE tenant = $1 AND run = $4 AND ($2::text IS NULL OR status = $2) ORDER BY number + 0 DESC LIMIT $3;

-- any: whether anything may be due: a delivery of a run that has ended or that there is not
SELECT 1 FROM webhook_deliveries d
WHERE d.status = 'pending' AND d.due <= $1
  AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = d.run AND (r.tenant = d.tenant) IS TRUE
                  AND r.status NOT IN ('succeeded', 'failed', 'cancelled', 'dead') OFFSET 0) LIMIT 1;
