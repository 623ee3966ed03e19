-- Two numbers for what scales workers (deploy/kubernetes/keda-postgresql). Run it as callboard_migrator, after
-- migrating: the view looks with its owner's rights, so the scaler sees these numbers and no run.
--
--   psql -U callboard_migrator -d callboard -f scaling.sql

\set ON_ERROR_STOP on

CREATE OR REPLACE VIEW callboard_demand AS
SELECT
    -- runs that workers execute or could execute
    (SELECT count(*) FROM runs WHERE status IN ('ready', 'running')) AS runs,
    -- seconds for which the run that has been ready longest has waited
    (SELECT coalesce(greatest(0, extract(epoch FROM clock_timestamp()) - min(ready_at)), 0)::bigint
     FROM runs WHERE status = 'ready') AS age;

GRANT USAGE ON SCHEMA public TO callboard_scaler;
GRANT SELECT ON callboard_demand TO callboard_scaler;
