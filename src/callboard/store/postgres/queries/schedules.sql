-- put: a new schedule, or other rules for one that was there; what it started last stays
INSERT INTO schedules (tenant, name, flow, cron, zone, input, overlap, catch_up, paused, next_at, last_at, last_run)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (tenant, name) DO UPDATE
SET flow = excluded.flow, cron = excluded.cron, zone = excluded.zone, input = excluded.input,
    overlap = excluded.overlap, catch_up = excluded.catch_up, paused = excluded.paused, next_at = excluded.next_at;

-- remove: no schedule any more
DELETE FROM schedules WHERE tenant = $1 AND name = $2 RETURNING name;

-- find: a tenant's schedules
SELECT tenant, name, flow, cron, zone, input, overlap, catch_up, paused, next_at, last_at, last_run
FROM schedules WHERE tenant = $1 ORDER BY name;

-- get: one schedule
SELECT tenant, name, flow, cron, zone, input, overlap, catch_up, paused, next_at, last_at, last_run
FROM schedules WHERE tenant = $1 AND name = $2;

-- due: whose time has come, over all tenants
SELECT tenant, name, flow, cron, zone, input, overlap, catch_up, paused, next_at, last_at, last_run
FROM schedules WHERE NOT paused AND next_at <= $1 ORDER BY next_at LIMIT $2;

-- advance: on to the next time, unless somebody was faster; with a run, that is the last start
UPDATE schedules SET next_at = $4,
    last_at = CASE WHEN $5::text IS NULL THEN last_at ELSE next_at END, last_run = coalesce($5, last_run)
WHERE tenant = $1 AND name = $2 AND next_at = $3 RETURNING name;

-- pause: stop or go on
UPDATE schedules SET paused = $3 WHERE tenant = $1 AND name = $2 RETURNING name;
