-- add: new deliveries; one for the same run, address and end is left as it is
INSERT INTO webhook_deliveries (tenant, id, run, url, created_at, due, status, tries, said, ending)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::double precision[], $6::double precision[],
    $7::text[], $8::integer[], $9::text[], $10::integer[]) ON CONFLICT DO NOTHING;

-- told: to which addresses a run's ends are told, and which end is to be told next
SELECT url, max(ending) FROM webhook_deliveries WHERE tenant = $1 AND run = $2 GROUP BY url;

-- overtaken: those of an end that is none any more, since the run was requeued
UPDATE webhook_deliveries d SET status = 'failed', said = 'the run was requeued'
WHERE d.status = 'pending' AND d.due <= $1
  AND EXISTS (SELECT 1 FROM webhook_deliveries n WHERE n.tenant = d.tenant AND n.run = d.run AND n.url = d.url
              AND n.ending > d.ending OFFSET 0);

-- take: what is due of runs that have ended, and then is not due for a while; others pass over what one takes
WITH taken AS MATERIALIZED (
    SELECT d.number, r.flow, r.status FROM webhook_deliveries d
    CROSS JOIN LATERAL (
        SELECT flow, status FROM runs WHERE id = d.run AND (tenant = d.tenant) IS TRUE
        AND status IN ('succeeded', 'failed', 'cancelled', 'dead') OFFSET 0) r
    WHERE d.status = 'pending' AND d.due <= $1
      AND NOT EXISTS (SELECT 1 FROM webhook_deliveries n WHERE n.tenant = d.tenant AND n.run = d.run AND n.url = d.url
                      AND n.ending > d.ending OFFSET 0)
    ORDER BY d.due LIMIT $3 FOR NO KEY UPDATE OF d SKIP LOCKED)
UPDATE webhook_deliveries d SET due = $2 FROM taken t WHERE d.number = t.number
RETURNING d.tenant, d.id, d.run, d.url, d.created_at, d.due, d.status, d.tries, d.said, d.ending, t.flow, t.status;

-- settle: what came of a try
UPDATE webhook_deliveries SET status = $3, due = $4, said = $5, tries = tries + 1
WHERE tenant = $1 AND id = $2 AND (status = 'pending') IS TRUE;

-- find: deliveries, newest first
SELECT tenant, id, run, url, created_at, due, status, tries, said, ending FROM webhook_deliveries
WHERE tenant = $1 AND ($2::text IS NULL OR status = $2) ORDER BY -number LIMIT $3;

-- find_of_run: the same of one run, by their index and by no other: hence the + 0
SELECT tenant, id, run, url, created_at, due, status, tries, said, ending FROM webhook_deliveries
WHERE tenant = $1 AND run = $4 AND ($2::text IS NULL OR status = $2) ORDER BY number + 0 DESC LIMIT $3;

-- any: whether anything may be due: a delivery of a run that does not go on
SELECT 1 FROM webhook_deliveries d
WHERE d.status = 'pending' AND d.due <= $1
  AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = d.run AND (r.tenant = d.tenant) IS TRUE
                  AND r.status NOT IN ('succeeded', 'failed', 'cancelled', 'dead') OFFSET 0) LIMIT 1;

-- signing: with what a tenant's messages are signed
SELECT generation, before_until FROM webhook_signing WHERE tenant = $1;

-- rotate: from now on with the next; with the one before for a while
INSERT INTO webhook_signing AS s (tenant, generation, before_until) VALUES ($1, 2, $2)
ON CONFLICT (tenant) DO UPDATE SET generation = s.generation + 1, before_until = excluded.before_until
RETURNING generation, before_until;
