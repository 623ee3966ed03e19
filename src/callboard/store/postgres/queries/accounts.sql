-- holds: what effects hold, of runs that this transaction has locked
SELECT h.run, h.path, h.tenant, h.account, h.cost, h.tokens, h.calls, h.millis
FROM unnest($1::bigint[], $2::text[]) AS w (run, path)
CROSS JOIN LATERAL (SELECT * FROM budget_holds WHERE run = w.run AND path = w.path OFFSET 0) h;

-- open: accounts that were never charged; in order, so that nobody waits in a circle
INSERT INTO budget_accounts (tenant, name) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING;

-- lock: accounts, in order, after all that has to be opened is
SELECT a.tenant, a.name, a.used_cost, a.used_tokens, a.used_calls, a.used_millis,
    a.held_cost, a.held_tokens, a.held_calls, a.held_millis
FROM unnest($1::text[], $2::text[]) AS w (tenant, name)
JOIN budget_accounts a ON a.tenant = w.tenant AND a.name = w.name
ORDER BY a.tenant, a.name FOR NO KEY UPDATE OF a;

-- write: locked accounts as they stand now
UPDATE budget_accounts a SET used_cost = u.used_cost, used_tokens = u.used_tokens, used_calls = u.used_calls,
    used_millis = u.used_millis, held_cost = u.held_cost, held_tokens = u.held_tokens, held_calls = u.held_calls,
    held_millis = u.held_millis
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::bigint[])
    AS u (tenant, name, used_cost, used_tokens, used_calls, used_millis, held_cost, held_tokens, held_calls,
    held_millis)
WHERE a.tenant = u.tenant AND a.name = u.name;

-- release: effects hold nothing any more
DELETE FROM budget_holds h USING unnest($1::bigint[], $2::text[]) AS w (run, path)
WHERE h.run = w.run AND h.path = w.path;

-- hold: effects hold this much of accounts
INSERT INTO budget_holds (run, path, tenant, account, cost, tokens, calls, millis)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint[]);
