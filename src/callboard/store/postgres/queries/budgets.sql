-- balances: what accounts hold, each looked up by its key
SELECT a.* FROM unnest($2::text[]) AS w (name) CROSS JOIN LATERAL (
    SELECT name, used_cost, used_tokens, used_calls, used_millis, held_cost, held_tokens, held_calls, held_millis
    FROM budget_accounts WHERE tenant = $1 AND name = w.name OFFSET 0) a;

-- page: a tenant's accounts by name
SELECT name, used_cost, used_tokens, used_calls, used_millis, held_cost, held_tokens, held_calls, held_millis
FROM budget_accounts
WHERE tenant = $1 AND name > $3 AND name >= $2 AND name < $2 || chr(1114111) ORDER BY name LIMIT $4;

-- put_limit: a limit in place of the one before it
INSERT INTO budget_limits (tenant, scope, name, period, cost, tokens, calls, millis, warn, by, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (tenant, scope, name, period) DO UPDATE
SET cost = excluded.cost, tokens = excluded.tokens, calls = excluded.calls, millis = excluded.millis,
    warn = excluded.warn, by = excluded.by, at = excluded.at;

-- remove_limit: no limit any more
DELETE FROM budget_limits WHERE tenant = $1 AND scope = $2 AND name = $3 AND period = $4 RETURNING name;

-- limits: every limit
SELECT tenant, scope, name, period, cost, tokens, calls, millis, warn, by, at FROM budget_limits
ORDER BY tenant, scope, name, period;

-- stale: runs that hold something and will not settle it. OFFSET 0: each is looked up by its key
SELECT DISTINCT h.run FROM budget_holds h
WHERE NOT EXISTS (SELECT FROM runs r WHERE r.number = h.run AND r.status IN ('ready', 'running', 'waiting') OFFSET 0)
LIMIT $1;

-- still: those of them that have gone on meanwhile; all are locked, so that no more do
SELECT number, status IN ('ready', 'running', 'waiting') FROM runs WHERE number = ANY ($1::bigint[])
ORDER BY number FOR NO KEY UPDATE;

-- held_by: all that runs hold, locked: of a run that is no longer there, nothing else is
SELECT run, path, tenant, account, cost, tokens, calls, millis FROM budget_holds
WHERE run = ANY ($1::bigint[]) ORDER BY run, path, account FOR UPDATE;
