-- bill: add to what an agent's calls of a model cost a run
INSERT INTO run_costs (run, agent, model, tenant, calls, cost, input_tokens, output_tokens, cached_tokens, by_provider, by_answers)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, agent, model) DO UPDATE SET calls = calls + excluded.calls, cost = cost + excluded.cost,
    input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
    cached_tokens = cached_tokens + excluded.cached_tokens, by_provider = by_provider + excluded.by_provider,
    by_answers = by_answers + excluded.by_answers;

-- billed: which of these runs have anything to file: looking is cheaper than filing nothing
SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM run_costs WHERE run = value);

-- file: what a run cost that has ended, where it is summed
UPDATE run_costs AS c SET day = CAST(r.finished_at / 86400 AS INTEGER), ended_at = r.finished_at,
    place = json_array(r.flow, r.status, c.agent, c.model),
    of_agent = c.model = (SELECT min(o.model) FROM run_costs o WHERE o.run = c.run AND o.agent = c.agent),
    of_model = c.agent = (SELECT min(o.agent) FROM run_costs o WHERE o.run = c.run AND o.model = c.model)
FROM runs r WHERE c.run = ?1 AND r.number = ?1 AND r.finished_at IS NOT NULL;

-- unfile: a run goes on
UPDATE run_costs SET place = NULL WHERE run = ?;

-- runs: what runs cost that have ended since; by day, flow, version, whether somebody's child, and how they ended
SELECT CAST(finished_at / 86400 AS INTEGER), flow, version, parent IS NOT NULL, status, count(*),
       sum(input_tokens), sum(output_tokens), sum(cost), sum(cached_tokens), sum(reasoning_tokens), sum(written_tokens)
FROM runs
WHERE tenant = ?1 AND CAST(finished_at / 86400 AS INTEGER) >= CAST(?2 / 86400 AS INTEGER) AND finished_at >= ?2
    AND finished_at IS NOT NULL
GROUP BY CAST(finished_at / 86400 AS INTEGER), flow, version, parent IS NOT NULL, status
ORDER BY CAST(finished_at / 86400 AS INTEGER), flow, version, parent IS NOT NULL, status;

-- open_runs: the same of those that have not, as of a day. All tenants' are looked at: as many as there is work
SELECT ?2, r.flow, r.version, r.parent IS NOT NULL, r.status, count(*), sum(r.input_tokens), sum(r.output_tokens),
       sum(r.cost), sum(r.cached_tokens), sum(r.reasoning_tokens), sum(r.written_tokens)
FROM (SELECT number FROM runs INDEXED BY runs_ready WHERE status = 'ready'
      UNION ALL SELECT number FROM runs INDEXED BY runs_owner WHERE owner IS NOT NULL
      UNION ALL SELECT number FROM runs INDEXED BY runs_waiting WHERE status = 'waiting'
      UNION ALL SELECT number FROM runs INDEXED BY runs_stuck
                WHERE tenant = ?1 AND status IN ('blocked', 'dead') AND status = 'blocked') o
CROSS JOIN runs r ON r.number = o.number
WHERE +r.tenant = ?1 GROUP BY r.flow, r.version, r.parent IS NOT NULL, r.status;

-- bills: what agents and models cost in runs that have ended since
SELECT day, place, sum(of_agent), sum(of_model), sum(calls), sum(input_tokens), sum(output_tokens), sum(cost),
       sum(cached_tokens), sum(by_provider), sum(by_answers)
FROM run_costs
WHERE tenant = ?1 AND day >= CAST(?2 / 86400 AS INTEGER) AND ended_at >= ?2 AND place IS NOT NULL
GROUP BY day, place;

-- open_bills: the same of those that are not filed: they go on, as of a day, or a version before this one ended them
SELECT iif(r.finished_at IS NULL, ?3, CAST(r.finished_at / 86400 AS INTEGER)) AS on_day,
       json_array(r.flow, r.status, c.agent, c.model),
       sum(c.model = (SELECT min(o.model) FROM run_costs o WHERE o.run = c.run AND o.agent = c.agent)),
       sum(c.agent = (SELECT min(o.agent) FROM run_costs o WHERE o.run = c.run AND o.model = c.model)),
       sum(c.calls), sum(c.input_tokens), sum(c.output_tokens), sum(c.cost), sum(c.cached_tokens), sum(c.by_provider),
       sum(c.by_answers)
FROM run_costs c INDEXED BY run_costs_open CROSS JOIN runs r ON r.number = c.run
WHERE c.tenant = ?1 AND c.place IS NULL AND (r.finished_at IS NULL OR r.finished_at >= ?2)
GROUP BY on_day, r.flow, r.status, c.agent, c.model;

-- tenants: who has runs, by leaps over their index
WITH RECURSIVE found (tenant) AS (
    SELECT min(tenant) FROM runs
    UNION ALL SELECT (SELECT min(r.tenant) FROM runs r WHERE r.tenant > f.tenant) FROM found f WHERE f.tenant IS NOT NULL
    LIMIT ?1)
SELECT tenant FROM found WHERE tenant IS NOT NULL;

-- purge: those of a run that is removed
DELETE FROM run_costs WHERE run = ?;
