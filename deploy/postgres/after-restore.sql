-- After commits were lost: a failover to a replica that was behind, or a restore to a point in time. Stop all workers
-- and doors, run this as callboard_migrator, start them again:
--
--   psql -U callboard_migrator -d callboard -f after-restore.sql
--
-- A process that does not know yet may hold claims that this database never heard of, or gives out a second time:
-- the same epoch of a run, even the same number for another run. Here both are moved out of their reach.

\set ON_ERROR_STOP on
BEGIN;

-- Numbers of new runs begin where nobody has been.
SELECT setval(pg_get_serial_sequence('runs', 'number'), (SELECT coalesce(max(number), 0) FROM runs) + 1000000);

-- No claim from before holds. What was being executed is ready, without blame.
UPDATE runs
SET epoch = callboard_epoch(epoch) + 1000000, owner = NULL,
    status = CASE status WHEN 'running' THEN 'ready' ELSE status END,
    ready_at = CASE status WHEN 'running' THEN extract(epoch FROM clock_timestamp()) ELSE ready_at END
WHERE status NOT IN ('succeeded', 'cancelled');

DELETE FROM workers;
COMMIT;
