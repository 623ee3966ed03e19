-- holds: what an effect holds
SELECT account, cost, tokens, calls, millis FROM budget_holds WHERE run = ? AND path = ?;

-- balances: what accounts hold
SELECT a.name, a.used_cost, a.used_tokens, a.used_calls, a.used_millis,
       a.held_cost, a.held_tokens, a.held_calls, a.held_millis
FROM json_each(?2) j CROSS JOIN budget_accounts a ON a.tenant = ?1 AND a.name = j.value;

-- write: an account as it stands now
INSERT INTO budget_accounts (tenant, name, used_cost, used_tokens, used_calls, used_millis,
                             held_cost, held_tokens, held_calls, held_millis)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (tenant, name) DO UPDATE
SET used_cost = excluded.used_cost, used_tokens = excluded.used_tokens, used_calls = excluded.used_calls,
    used_millis = excluded.used_millis, held_cost = excluded.held_cost, held_tokens = excluded.held_tokens,
    held_calls = excluded.held_calls, held_millis = excluded.held_millis;

-- release: an effect holds nothing any more
DELETE FROM budget_holds WHERE run = ? AND path = ?;

-- hold: an effect holds this much of an account
INSERT INTO budget_holds (run, path, tenant, account, cost, tokens, calls, millis) VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- stale: effects that hold something, of runs that will not settle it
SELECT DISTINCT h.run, h.path, h.tenant FROM budget_holds h LEFT JOIN runs r ON r.number = h.run
WHERE r.number IS NULL OR r.status NOT IN ('ready', 'running', 'waiting') ORDER BY h.run, h.path LIMIT ?;

-- page: a tenant's accounts by name
SELECT name, used_cost, used_tokens, used_calls, used_millis, held_cost, held_tokens, held_calls, held_millis
FROM budget_accounts
WHERE tenant = ?1 AND name > ?3 AND name >= ?2 AND name < ?2 || char(1114111) ORDER BY name LIMIT ?4;

-- put_limit: a limit in place of the one before it
INSERT INTO budget_limits (tenant, scope, name, period, cost, tokens, calls, millis, warn, by, at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (tenant, scope, name, period) DO UPDATE
SET cost = excluded.cost, tokens = excluded.tokens, calls = excluded.calls, millis = excluded.millis,
    warn = excluded.warn, by = excluded.by, at = excluded.at;

-- remove_limit: no limit any more
DELETE FROM budget_limits WHERE tenant = ? AND scope = ? AND name = ? AND period = ? RETURNING name;

-- limits: every limit
SELECT tenant, scope, name, period, cost, tokens, calls, millis, warn, by, at FROM budget_limits
ORDER BY tenant, scope, name, period;
