-- page: a page of the runs that are found, newest first. {found} and {clauses} are made of the pieces below
SELECT r.id, r.tenant, r.flow, r.version, r.status, r.priority, r.key, r.epoch, r.depth,
       (SELECT p.id FROM runs p WHERE p.number = r.parent), (SELECT f.id FROM runs f WHERE f.number = r.fork_of),
       r.created_at, r.updated_at, r.finished_at, r.wake_at, r.deaths, r.input_tokens, r.output_tokens, r.cost,
       r.cached_tokens, r.reasoning_tokens, r.written_tokens,
       iif(r.labels_set IS NULL, r.labels, json_patch(coalesce(r.labels, '{}'), r.labels_set)), r.error,
       r.start_at, r.needs, r.charges, r.started_by, r.trace
FROM (SELECT r.number AS number FROM {found} WHERE {clauses} ORDER BY r.number DESC LIMIT :limit) page
CROSS JOIN runs r ON r.number = page.number ORDER BY page.number DESC;

-- totals: what the runs that are found come to
SELECT count(*) FILTER (WHERE r.status = 'succeeded'), count(*) FILTER (WHERE r.status = 'failed'),
       count(*) FILTER (WHERE r.status = 'cancelled'), count(*) FILTER (WHERE r.status = 'dead'),
       count(*) FILTER (WHERE r.status = 'blocked'), count(*) FILTER (WHERE r.status = 'waiting'),
       count(*) FILTER (WHERE r.status = 'running'), count(*) FILTER (WHERE r.status = 'ready'),
       sum(r.input_tokens), sum(r.output_tokens), sum(r.cost), sum(r.cached_tokens), sum(r.reasoning_tokens),
       sum(r.written_tokens)
FROM {found} WHERE {clauses};

-- kinds: of what those failed that have an error
SELECT json_extract(CAST(r.error AS TEXT), '$.kind'), count(*) FROM {found} WHERE {clauses} GROUP BY 1;

-- reach: the last run that is looked at where not all are, and one behind it
SELECT r.id FROM {found} WHERE {clauses} ORDER BY r.number DESC LIMIT 2 OFFSET :among - 1;

-- every: all runs of a tenant
runs r INDEXED BY runs_tenant;

-- failed: those that have an error
runs r INDEXED BY runs_error;

-- stuck: those that go on when somebody acts
runs r INDEXED BY runs_stuck;

-- open: those of all tenants that a worker has or will have; as many as there is work
({parts}) o CROSS JOIN runs r ON r.number = o.number;

-- ready: a part of the open ones
SELECT number FROM runs INDEXED BY runs_ready WHERE status = 'ready';

-- running: a part of the open ones
SELECT number FROM runs INDEXED BY runs_owner WHERE owner IS NOT NULL;

-- waiting: a part of the open ones
SELECT number FROM runs INDEXED BY runs_waiting WHERE status = 'waiting';

-- tenant: whose runs
r.tenant = :tenant;

-- open_tenant: the same where runs are found by their number
+r.tenant = :tenant;

-- error: those that have one
r.error IS NOT NULL;

-- halted: those that go on when somebody acts, by their index
r.status IN ('blocked', 'dead');

-- last: no older than the last run that is looked at
r.number >= coalesce((SELECT r.number FROM {found} WHERE {bounds} ORDER BY r.number DESC LIMIT 1 OFFSET :among - 1), 0);

-- begun: not before the first created then: by halving, as numbers follow time but for clocks an hour apart at most
r.number > (WITH RECURSIVE halves (at, step) AS (
    SELECT 0, 1 << 40
    UNION ALL
    SELECT at + step * (coalesce((SELECT p.created_at FROM runs p INDEXED BY runs_tenant
                                  WHERE p.tenant = :tenant AND p.number <= at + step
                                  ORDER BY p.number DESC LIMIT 1), 0) < :since - 3600), step / 2
    FROM halves WHERE step > 0
) SELECT max(at) FROM halves);

-- before: older than the last of the page before
r.number < (SELECT number FROM runs WHERE tenant = :tenant AND id = :before);

-- statuses: in one of these
r.status IN (SELECT value FROM json_each(:statuses));

-- names: of one of these flows
r.flow IN (SELECT value FROM json_each(:names));

-- glob: of a flow whose name has a shape
r.flow GLOB {glob};

-- labels: with these labels; the texts that are looked for first keep JSON from being read for each run
(instr(r.labels, :needle) OR instr(r.labels_set, :needle)) AND NOT EXISTS (
    SELECT 1 FROM json_each(:labels) w
    WHERE NOT EXISTS (SELECT 1 FROM json_each(json_patch(coalesce(r.labels, '{}'), coalesce(r.labels_set, '{}'))) h
                      WHERE h.key = w.key AND h.value = w.value));

-- kind: failed of this
json_extract(CAST(r.error AS TEXT), '$.kind') = :kind;

-- by: started by somebody
r.started_by = :by;

-- since: created then or later
r.created_at >= :since;

-- until: created before
r.created_at < :until;

-- roots: that nobody spawned
r.parent IS NULL;

-- word: that hold a word somewhere; {word} is its pattern, {quoted} the same as JSON has it
(r.id LIKE {word} ESCAPE '\' OR r.flow LIKE {word} ESCAPE '\' OR r.key LIKE {word} ESCAPE '\'
 OR r.started_by LIKE {word} ESCAPE '\'
 OR iif(r.labels_set IS NULL, r.labels, json_patch(coalesce(r.labels, '{}'), r.labels_set)) LIKE {quoted} ESCAPE '\'
 OR (r.error IS NOT NULL AND (CAST(r.error AS TEXT) -> '$.message') LIKE {quoted} ESCAPE '\'));
