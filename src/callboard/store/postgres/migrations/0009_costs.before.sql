-- What agents spent at models, for each run: a row is written with the answer, and filed when its run ends.

-- `place` is flow, status, agent and model as JSON: what is summed together. It is there, with the day and the time of
-- the end, once the run has ended. A run with several models has several rows of an agent: `of_agent` is 1 in one of
-- them, so that runs are counted once; `of_model` the same for a model. Only who has locked a run's row writes to these.
CREATE TABLE run_costs (
    run bigint NOT NULL,
    agent text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    calls bigint NOT NULL,
    cost bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    by_provider bigint NOT NULL,
    by_answers bigint NOT NULL,
    day integer,
    ended_at double precision,
    place text COLLATE "C",
    of_agent integer,
    of_model integer,
    PRIMARY KEY (run, agent, model)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX run_costs_open ON run_costs (tenant) WHERE place IS NULL;
-- They are summed without looking at a row.
CREATE INDEX run_costs_ended ON run_costs (tenant, day, place) INCLUDE (
    ended_at, of_agent, of_model, calls, cost, input_tokens, output_tokens, cached_tokens, by_provider, by_answers
) WHERE place IS NOT NULL;

-- The names of tenants that have runs, by leaps over their index: whoever may see what all of them cost has to know them.
CREATE FUNCTION callboard_tenants(most integer) RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
    WITH RECURSIVE found (tenant) AS (
        (SELECT r.tenant FROM runs r ORDER BY r.tenant LIMIT 1)
        UNION ALL
        SELECT (SELECT r.tenant FROM runs r WHERE r.tenant > f.tenant ORDER BY r.tenant LIMIT 1) FROM found f
        WHERE f.tenant IS NOT NULL)
    SELECT f.tenant FROM found f WHERE f.tenant IS NOT NULL LIMIT most;
END;
REVOKE EXECUTE ON FUNCTION callboard_tenants FROM PUBLIC;
GRANT EXECUTE ON FUNCTION callboard_tenants TO callboard_door, callboard_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON run_costs TO callboard_worker;
-- A run that a door requeues has not ended any more.
GRANT SELECT, UPDATE (place) ON run_costs TO callboard_door;
ALTER TABLE run_costs ENABLE ROW LEVEL SECURITY;
CREATE POLICY worker ON run_costs TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY door ON run_costs TO callboard_door
    USING (tenant = callboard_tenant()) WITH CHECK (tenant = callboard_tenant());
