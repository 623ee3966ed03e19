-- add: a new delivery; one for the same run and address is left as it is, as is one of this id
INSERT INTO webhook_deliveries (tenant, id, run, url, created_at, due, status, tries, said)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- lost: those whose run there is none of, though there was time to start it
UPDATE webhook_deliveries INDEXED BY webhook_deliveries_pending SET status = 'failed', said = 'there is no such run'
WHERE status = 'pending' AND due <= ?1 AND created_at <= ?2
  AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = webhook_deliveries.run AND +r.tenant = webhook_deliveries.tenant);

-- take: what is due of runs that have ended, and then is not due for a while
UPDATE webhook_deliveries SET due = ?2
WHERE number IN (
    SELECT d.number FROM webhook_deliveries d INDEXED BY webhook_deliveries_pending
    CROSS JOIN runs r ON r.id = d.run AND +r.tenant = d.tenant
    WHERE d.status = 'pending' AND d.due <= ?1 AND +r.status IN ('succeeded', 'failed', 'cancelled', 'dead')
    ORDER BY d.due LIMIT ?3)
RETURNING tenant, id, run, url, created_at, due, status, tries, said,
    (SELECT r.flow FROM runs r WHERE r.id = run), (SELECT r.status FROM runs r WHERE r.id = run);

-- settle: what came of a try
UPDATE webhook_deliveries SET status = ?3, due = ?4, said = ?5, tries = tries + 1
WHERE tenant = ?1 AND id = ?2 AND status = 'pending';

-- find: deliveries, newest first
SELECT tenant, id, run, url, created_at, due, status, tries, said FROM webhook_deliveries INDEXED BY webhook_deliveries_tenant
WHERE tenant = ?1 AND (?2 IS NULL OR status = ?2) ORDER BY number DESC LIMIT ?3;

-- find_of_run: the same of one run
SELECT tenant, id, run, url, created_at, due, status, tries, said FROM webhook_deliveries INDEXED BY webhook_deliveries_run
WHERE tenant = ?1 AND run = ?4 AND (?2 IS NULL OR status = ?2) ORDER BY number DESC LIMIT ?3;

-- any: whether anything may be due: a delivery of a run that has ended or that there is not
SELECT 1 FROM webhook_deliveries d INDEXED BY webhook_deliveries_pending
WHERE d.status = 'pending' AND d.due <= ?1
  AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = d.run AND +r.tenant = d.tenant
                  AND +r.status NOT IN ('succeeded', 'failed', 'cancelled', 'dead')) LIMIT 1;
