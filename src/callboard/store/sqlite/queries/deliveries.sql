-- add: a new delivery; one for the same run, address and end is left as it is
INSERT INTO webhook_deliveries (tenant, id, run, url, created_at, due, status, tries, said, ending)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- told: to which addresses a run's ends are told, and which end is to be told next
SELECT url, max(ending) FROM webhook_deliveries WHERE tenant = ? AND run = ? GROUP BY url;

-- overtaken: those of an end that is none any more, since the run was requeued
UPDATE webhook_deliveries INDEXED BY webhook_deliveries_pending SET status = 'failed', said = 'the run was requeued'
WHERE status = 'pending' AND due <= ?1
  AND EXISTS (SELECT 1 FROM webhook_deliveries n INDEXED BY webhook_deliveries_run
              WHERE n.tenant = webhook_deliveries.tenant AND n.run = webhook_deliveries.run
                AND n.url = webhook_deliveries.url AND n.ending > webhook_deliveries.ending);

-- take: what is due of runs that have ended, and then is not due for a while
UPDATE webhook_deliveries SET due = ?2
WHERE number IN (
    SELECT d.number FROM webhook_deliveries d INDEXED BY webhook_deliveries_pending
    CROSS JOIN runs r ON r.id = d.run AND +r.tenant = d.tenant
    WHERE d.status = 'pending' AND d.due <= ?1 AND +r.status IN ('succeeded', 'failed', 'cancelled', 'dead')
    ORDER BY d.due LIMIT ?3)
RETURNING tenant, id, run, url, created_at, due, status, tries, said, ending,
    (SELECT r.flow FROM runs r WHERE r.id = run), (SELECT r.status FROM runs r WHERE r.id = run);

-- settle: what came of a try
UPDATE webhook_deliveries SET status = ?3, due = ?4, said = ?5, tries = tries + 1
WHERE tenant = ?1 AND id = ?2 AND status = 'pending';

-- find: deliveries, newest first
SELECT tenant, id, run, url, created_at, due, status, tries, said, ending
FROM webhook_deliveries INDEXED BY webhook_deliveries_tenant
WHERE tenant = ?1 AND (?2 IS NULL OR status = ?2) ORDER BY number DESC LIMIT ?3;

-- find_of_run: the same of one run
SELECT tenant, id, run, url, created_at, due, status, tries, said, ending
FROM webhook_deliveries INDEXED BY webhook_deliveries_run
WHERE tenant = ?1 AND run = ?4 AND (?2 IS NULL OR status = ?2) ORDER BY number DESC LIMIT ?3;

-- any: whether anything may be due: a delivery of a run that does not go on
SELECT 1 FROM webhook_deliveries d INDEXED BY webhook_deliveries_pending
WHERE d.status = 'pending' AND d.due <= ?1
  AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = d.run AND +r.tenant = d.tenant
                  AND +r.status NOT IN ('succeeded', 'failed', 'cancelled', 'dead')) LIMIT 1;

-- signing: with what a tenant's messages are signed
SELECT generation, before_until FROM webhook_signing WHERE tenant = ?;

-- rotate: from now on with the next; with the one before for a while
INSERT INTO webhook_signing (tenant, generation, before_until) VALUES (?1, 2, ?2)
ON CONFLICT (tenant) DO UPDATE SET generation = generation + 1, before_until = excluded.before_until
RETURNING generation, before_until;
