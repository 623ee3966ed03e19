-- page: a page of the runs that are found, newest first. {found} and {clauses} are made of pieces, {limit} is a value
SELECT r.id, r.tenant, r.flow, r.version, r.status, r.priority, r.key, r.epoch, r.depth,
       (SELECT p.id FROM runs p WHERE p.number = r.parent), (SELECT f.id FROM runs f WHERE f.number = r.fork_of),
       r.created_at, r.updated_at, r.finished_at, r.wake_at, r.deaths, r.input_tokens, r.output_tokens, r.cost,
       r.cached_tokens, r.reasoning_tokens, r.written_tokens,
       (CASE WHEN r.labels_set IS NULL THEN r.labels ELSE coalesce(r.labels, '{}') || r.labels_set END)::text, r.error,
       r.start_at, r.needs, r.charges, r.started_by, r.trace
FROM (SELECT r.number FROM {found} WHERE {clauses} ORDER BY {place} LIMIT {limit}) page
CROSS JOIN LATERAL (SELECT * FROM runs WHERE number = page.number OFFSET 0) r ORDER BY -page.number;

-- totals: what the runs that are found come to, by how they stand and what they failed of
SELECT r.status, CASE WHEN r.error IS NOT NULL THEN callboard_kind(r.error) END, count(*), sum(r.input_tokens),
       sum(r.output_tokens), sum(r.cost), sum(r.cached_tokens), sum(r.reasoning_tokens), sum(r.written_tokens)
FROM {found} WHERE {clauses} GROUP BY 1, 2;

-- reach: the last run that is looked at where not all are, and one behind it
SELECT last.id FROM (SELECT r.id, r.created_at FROM runs r WHERE {clauses}
                     ORDER BY -r.number LIMIT 2 OFFSET {among}::bigint - 1) last WHERE {young};

-- newest: some of a tenant's, the newest first
(SELECT *, -r.number AS place FROM runs r WHERE {bounds} ORDER BY -r.number LIMIT {most}) r;

-- among: how many are looked at
{among}::bigint;

-- fresh: no more than can have been created since then
callboard_since({tenant}, {since});

-- young: those that were
last.created_at >= {since};

-- every: all runs of a tenant
runs r;

-- open: those of all tenants that a worker has or will have; as many as there is work
({parts}) o CROSS JOIN LATERAL (SELECT * FROM runs WHERE number = o.number OFFSET 0) r;

-- ready: a part of the open ones
SELECT number FROM runs WHERE status = 'ready';

-- running: a part of the open ones
SELECT number FROM runs WHERE owner IS NOT NULL;

-- waiting: a part of the open ones
SELECT number FROM runs WHERE status = 'waiting';

-- tenant: whose runs
r.tenant = {tenant};

-- error: those that have one, by their index
r.error IS NOT NULL;

-- halted: those that go on when somebody acts, by their index
r.status IN ('blocked', 'dead');

-- before: older than the last of the page before
-r.number > (SELECT -b.number FROM runs b WHERE b.id = {before} AND (b.tenant = {tenant}) IS TRUE);

-- statuses: in one of these
r.status = ANY ({statuses}::text[]);

-- flows: of a flow with one of these names or of these shapes
r.flow LIKE ANY ({flows}::text[]);

-- label: with this label
coalesce(r.labels_set ->> {name}, r.labels ->> {name}) = {value};

-- kind: failed of this
callboard_kind(r.error) = {kind};

-- by: started by somebody
r.started_by = {by};

-- since: created then or later
r.created_at >= {since};

-- until: created before
r.created_at < {until};

-- roots: that nobody spawned
r.parent IS NULL;

-- texts: what words are looked for in, in small letters; as it is, and what is kept as JSON
CROSS JOIN LATERAL (SELECT
    lower(r.id || E'\n' || r.flow || coalesce(E'\n' || r.key, '') || coalesce(E'\n' || r.started_by, '')) AS plain,
    lower((coalesce((CASE WHEN r.labels_set IS NULL THEN r.labels
                          ELSE coalesce(r.labels, '{}') || r.labels_set END)::text, '')
           || CASE WHEN r.error IS NULL THEN '' ELSE callboard_said(r.error) END) COLLATE "C") AS quoted OFFSET 0) said;

-- word: that hold a word somewhere, in one of its cases; {words} are its patterns, {quoted} the same as JSON has them
(said.plain LIKE ANY ({words}::text[]) OR said.quoted LIKE ANY ({quoted}::text[]));
