-- spend: add to the usage of runs, and to what agents' calls of models cost them; of runs that this transaction has locked
WITH spent AS (
    UPDATE runs r SET input_tokens = r.input_tokens + s.input_tokens, output_tokens = r.output_tokens + s.output_tokens,
        cost = r.cost + s.cost, cached_tokens = r.cached_tokens + s.cached_tokens,
        reasoning_tokens = r.reasoning_tokens + s.reasoning_tokens, written_tokens = r.written_tokens + s.written_tokens
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
        AS s (number, input_tokens, output_tokens, cost, cached_tokens, reasoning_tokens, written_tokens)
    WHERE r.number = s.number)
INSERT INTO run_costs AS c (run, agent, model, tenant, calls, cost, input_tokens, output_tokens, cached_tokens,
    by_provider, by_answers)
SELECT * FROM unnest($8::bigint[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[],
    $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[])
ON CONFLICT (run, agent, model) DO UPDATE SET calls = c.calls + excluded.calls, cost = c.cost + excluded.cost,
    input_tokens = c.input_tokens + excluded.input_tokens, output_tokens = c.output_tokens + excluded.output_tokens,
    cached_tokens = c.cached_tokens + excluded.cached_tokens, by_provider = c.by_provider + excluded.by_provider,
    by_answers = c.by_answers + excluded.by_answers;

-- unfile: a run goes on
UPDATE run_costs SET place = NULL WHERE run = $1 AND place IS NOT NULL;

-- runs: what runs cost that have ended since; by day, flow, version, whether somebody's child, and how they ended
SELECT floor(finished_at / 86400)::integer AS day, flow, version, parent IS NOT NULL AS child, status, count(*) AS runs,
       sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(cost) AS cost,
       sum(cached_tokens) AS cached_tokens, sum(reasoning_tokens) AS reasoning_tokens,
       sum(written_tokens) AS written_tokens
FROM runs WHERE tenant = $1 AND finished_at >= $2 GROUP BY floor(finished_at / 86400), 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5;

-- open_runs: the same of those that have not, as of a day. All tenants' are looked at: as many as there is work
SELECT $2::integer, r.flow, r.version, r.parent IS NOT NULL, r.status, count(*), sum(r.input_tokens),
       sum(r.output_tokens), sum(r.cost), sum(r.cached_tokens), sum(r.reasoning_tokens), sum(r.written_tokens)
FROM (SELECT number FROM runs WHERE status = 'ready'
      UNION ALL SELECT number FROM runs WHERE owner IS NOT NULL
      UNION ALL SELECT number FROM runs WHERE status = 'waiting'
      UNION ALL SELECT number FROM runs WHERE tenant = $1 AND status = 'blocked') o
CROSS JOIN LATERAL (SELECT * FROM runs WHERE number = o.number AND (tenant = $1) IS TRUE OFFSET 0) r
GROUP BY r.flow, r.version, r.parent IS NOT NULL, r.status;

-- bills: what agents and models cost in runs that have ended since
SELECT day, place, sum(of_agent), sum(of_model), sum(calls), sum(input_tokens), sum(output_tokens), sum(cost),
       sum(cached_tokens), sum(by_provider), sum(by_answers)
FROM run_costs
WHERE tenant = $1 AND day >= floor($2::double precision / 86400)::integer AND ended_at >= $2 AND place IS NOT NULL
GROUP BY day, place;

-- open_bills: the same of those that are not filed: they go on, as of a day, or a version before this one ended them
SELECT CASE WHEN r.finished_at IS NULL THEN $3::integer ELSE floor(r.finished_at / 86400)::integer END,
       json_build_array(r.flow, r.status, c.agent, c.model)::text,
       count(*) FILTER (WHERE c.model = (SELECT min(o.model) FROM run_costs o WHERE o.run = c.run AND o.agent = c.agent)),
       count(*) FILTER (WHERE c.agent = (SELECT min(o.agent) FROM run_costs o WHERE o.run = c.run AND o.model = c.model)),
       sum(c.calls), sum(c.input_tokens), sum(c.output_tokens), sum(c.cost), sum(c.cached_tokens), sum(c.by_provider),
       sum(c.by_answers)
FROM run_costs c
CROSS JOIN LATERAL (SELECT flow, status, finished_at FROM runs WHERE number = c.run OFFSET 0) r
WHERE c.tenant = $1 AND c.place IS NULL AND (r.finished_at IS NULL OR r.finished_at >= $2) GROUP BY 1, 2;

-- tenants: who has runs; a door, which sees one of them, is told the names
SELECT callboard_tenants($1);

-- purge: those of runs that are removed
DELETE FROM run_costs WHERE run = ANY($1::bigint[]);
