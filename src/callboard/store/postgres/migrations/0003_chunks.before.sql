-- Live chunks of runs, for readers in other processes: kept for a while, and not through a crash of the server.
-- Their order is (epoch, number), which the run's owner counts: no sequence that a crash could set back.

CREATE UNLOGGED TABLE chunks (
    tenant text COLLATE "C" NOT NULL,
    run text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    number bigint NOT NULL,
    path text NOT NULL,
    kind text NOT NULL,
    value bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, run, epoch, number)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.2);
CREATE INDEX chunks_at ON chunks USING brin (at) WITH (pages_per_range = 32);

-- UPDATE, because rows to be deleted are locked first, and those that others delete are passed over.
GRANT SELECT, INSERT, UPDATE, DELETE ON chunks TO callboard_worker;
GRANT SELECT ON chunks TO callboard_door;

-- A chunk names its tenant itself: a look at `runs` for each of thousands would cost more than the name.
ALTER TABLE chunks ENABLE ROW LEVEL SECURITY;
CREATE POLICY worker ON chunks TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY door ON chunks FOR SELECT TO callboard_door USING (tenant = callboard_tenant());
