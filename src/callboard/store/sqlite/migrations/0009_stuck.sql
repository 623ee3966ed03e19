-- Runs that go on only when somebody acts are counted on every look at the first page; nearly none ever are.

CREATE INDEX runs_stuck ON runs (tenant, number) WHERE status IN ('blocked', 'dead');
