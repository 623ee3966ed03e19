-- What agents spent at models, for each run: a row is written with the answer, and filed when its run ends.

-- `place` is flow, status, agent and model as JSON: what is summed together. It is there, with the day and the time of
-- the end, once the run has ended. A run with several models has several rows of an agent: `of_agent` is 1 in one of
-- them, so that runs are counted once; `of_model` the same for a model.
CREATE TABLE run_costs (
    run INTEGER NOT NULL,
    agent TEXT NOT NULL,
    model TEXT NOT NULL,
    tenant TEXT NOT NULL,
    calls INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    by_provider INTEGER NOT NULL,
    by_answers INTEGER NOT NULL,
    day INTEGER,
    ended_at REAL,
    place TEXT,
    of_agent INTEGER,
    of_model INTEGER,
    PRIMARY KEY (run, agent, model)
) WITHOUT ROWID;
CREATE INDEX run_costs_open ON run_costs (tenant) WHERE place IS NULL;
-- They are summed in the order of this index and without looking at a row, as runs are by runs_costs.
CREATE INDEX run_costs_ended ON run_costs (
    tenant, day, place, ended_at, of_agent, of_model, calls, cost, input_tokens, output_tokens, cached_tokens,
    by_provider, by_answers
) WHERE place IS NOT NULL;
