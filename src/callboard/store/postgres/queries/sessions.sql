-- create: a new conversation; one that is there stays
INSERT INTO chat_sessions (tenant, id, flow, created_at, updated_at, labels, webhook)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7)
ON CONFLICT (tenant, id) DO NOTHING;

-- get: one conversation
SELECT tenant, id, flow, created_at, updated_at, labels::text, head, turns, webhook FROM chat_sessions
WHERE tenant = $1 AND id = $2;

-- lock: the same, and nobody else adds to it until this transaction ends
SELECT tenant, id, flow, created_at, updated_at, labels::text, head, turns, webhook FROM chat_sessions
WHERE tenant = $1 AND id = $2 FOR NO KEY UPDATE;

-- lock_pending: turns that wait; who notes meanwhile that their runs were started waits too
SELECT number FROM chat_turns WHERE tenant = $1 AND session = $2 AND status = 'pending' ORDER BY number FOR NO KEY UPDATE;

-- find: a page of conversations, newest first, in the order of their index
SELECT s.tenant, s.id, s.flow, s.created_at, s.updated_at, s.labels::text, s.head, s.turns, s.webhook FROM chat_sessions s
WHERE s.tenant = $1
  AND ($2::text IS NULL OR s.flow = $2)
  AND ($3::text IS NULL OR s.labels @> $3::text::jsonb)
  AND -s.number > CASE WHEN $4::text IS NULL THEN -9223372036854775807
                       ELSE (SELECT -b.number FROM chat_sessions b WHERE b.tenant = $1 AND b.id = $4) END
ORDER BY -s.number LIMIT $5;

-- going: turns that wait, and those whose runs have not ended; each run is looked up by its id
SELECT t.number, t.id, t.after, t.status, r.begun IS NOT NULL
FROM chat_turns t LEFT JOIN LATERAL (
    SELECT true AS begun FROM runs WHERE id = t.id AND (tenant = $1) IS TRUE
    AND status NOT IN ('succeeded', 'failed', 'cancelled', 'dead') OFFSET 0) r ON true
WHERE t.tenant = $1 AND t.session = $2 AND (t.status = 'pending' OR r.begun IS NOT NULL) ORDER BY t.number;

-- follows: which turn each comes after, from one on
SELECT id, after FROM chat_turns WHERE tenant = $1 AND session = $2 AND number >= $3 AND status <> 'dropped';

-- status: where a turn of a session stands
SELECT status FROM chat_turns WHERE tenant = $1 AND id = $3 AND (session = $2) IS TRUE;

-- insert: a new turn
INSERT INTO chat_turns (tenant, session, number, id, after, message, status, at, options)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- numbers: rows of a tenant's runs
SELECT number FROM runs WHERE id = ANY ($2::text[]) AND (tenant = $1) IS TRUE;

-- grow: a conversation that has a new last turn
UPDATE chat_sessions SET head = $3, turns = $4, updated_at = greatest(updated_at, $5) WHERE tenant = $1 AND id = $2;

-- mark: turns that others have overtaken
UPDATE chat_turns SET status = $3 WHERE tenant = $1 AND id = ANY ($2::text[]);

-- started: a turn whose run was started
UPDATE chat_turns SET status = 'started', silent = $3 WHERE tenant = $1 AND id = $2 AND (status = 'pending') IS TRUE
RETURNING id;

-- turn: one turn
SELECT tenant, session, number, id, after, message, status, at, options, silent FROM chat_turns
WHERE tenant = $1 AND id = $2;

-- turns: a page of turns, in their order
SELECT tenant, session, number, id, after, message, status, at, options, silent FROM chat_turns
WHERE tenant = $1 AND session = $2 AND number > $3 ORDER BY number LIMIT $4;

-- path: the turns from the first to one
WITH RECURSIVE line AS (
    SELECT tenant, session, number, id, after, message, status, at, options, silent, 0 AS steps FROM chat_turns
    WHERE tenant = $1 AND id = $2
    UNION ALL
    SELECT t.tenant, t.session, t.number, t.id, t.after, t.message, t.status, t.at, t.options, t.silent, l.steps + 1
    FROM line l CROSS JOIN LATERAL (SELECT * FROM chat_turns WHERE tenant = $1 AND id = l.after OFFSET 0) t)
SELECT tenant, session, number, id, after, message, status, at, options, silent FROM line ORDER BY steps DESC;

-- due: the first of each conversation that waits, where nothing goes on; of others, usually the last does
SELECT t.tenant, t.session, t.number, t.id, t.after, t.message, t.status, t.at, t.options, t.silent FROM chat_turns t
WHERE t.status = 'pending'
  AND NOT EXISTS (SELECT 1 FROM chat_turns p WHERE p.tenant = t.tenant AND p.session = t.session AND p.status = 'pending'
                  AND p.number < t.number OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM (SELECT id, tenant, status FROM chat_turns
                                 WHERE tenant = t.tenant AND session = t.session ORDER BY number DESC) s
                  CROSS JOIN LATERAL (
                      SELECT 1 FROM runs r WHERE r.id = s.id AND (r.tenant = s.tenant) IS TRUE
                      AND r.status NOT IN ('succeeded', 'failed', 'cancelled', 'dead') OFFSET 0) going
                  WHERE s.status <> 'pending' OFFSET 0)
ORDER BY t.at LIMIT $1;

-- purge: conversations of long ago that have no run any more and wait for none
WITH gone AS MATERIALIZED (
    SELECT s.tenant, s.id FROM chat_sessions s
    WHERE s.tenant = $1 AND s.updated_at < $2
      AND NOT EXISTS (SELECT 1 FROM chat_turns t WHERE t.tenant = s.tenant AND t.session = s.id AND t.status = 'pending' OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM chat_turns t CROSS JOIN LATERAL (
                          SELECT 1 FROM runs r WHERE r.id = t.id AND (r.tenant = t.tenant) IS TRUE OFFSET 0) left_over
                      WHERE t.tenant = s.tenant AND t.session = s.id OFFSET 0)
    LIMIT $3 FOR UPDATE SKIP LOCKED)
DELETE FROM chat_sessions s USING gone g WHERE s.tenant = g.tenant AND s.id = g.id AND s.updated_at < $2 RETURNING s.id;

-- purge_turns: what was said in them
DELETE FROM chat_turns WHERE tenant = $1 AND session = ANY ($2::text[]);
