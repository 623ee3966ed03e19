-- create: a new conversation; one that is there stays
INSERT INTO chat_sessions (tenant, id, flow, created_at, updated_at, labels, webhook) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (tenant, id) DO NOTHING;

-- get: one conversation
SELECT tenant, id, flow, created_at, updated_at, labels, head, turns, webhook FROM chat_sessions WHERE tenant = ? AND id = ?;

-- find: a page of conversations, newest first
SELECT s.tenant, s.id, s.flow, s.created_at, s.updated_at, s.labels, s.head, s.turns, s.webhook FROM chat_sessions s
WHERE s.tenant = :tenant
  AND (:flow IS NULL OR s.flow = :flow)
  AND (:before IS NULL OR s.number < (SELECT number FROM chat_sessions WHERE tenant = :tenant AND id = :before))
  AND (:labels IS NULL OR NOT EXISTS (
        SELECT 1 FROM json_each(:labels) w
        WHERE NOT EXISTS (SELECT 1 FROM json_each(coalesce(s.labels, '{}')) h WHERE h.key = w.key AND h.value = w.value)))
ORDER BY s.number DESC LIMIT :limit;

-- going: turns that wait, and those whose runs have not ended
SELECT t.number, t.id, t.after, t.status, r.id IS NOT NULL
FROM chat_turns t LEFT JOIN runs r ON r.id = t.id AND +r.tenant = t.tenant
    AND +r.status NOT IN ('succeeded', 'failed', 'cancelled', 'dead')
WHERE t.tenant = ?1 AND t.session = ?2 AND (t.status = 'pending' OR r.id IS NOT NULL) ORDER BY t.number;

-- follows: which turn each comes after, from one on
SELECT id, after FROM chat_turns WHERE tenant = ? AND session = ? AND number >= ? AND status <> 'dropped';

-- status: where a turn of a session stands
SELECT status FROM chat_turns WHERE tenant = ?1 AND session = ?2 AND id = ?3;

-- insert: a new turn
INSERT INTO chat_turns (tenant, session, number, id, after, message, status, at, options)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- grow: a conversation that has a new last turn
UPDATE chat_sessions SET head = ?3, turns = ?4, updated_at = max(updated_at, ?5) WHERE tenant = ?1 AND id = ?2;

-- mark: turns that others have overtaken
UPDATE chat_turns SET status = ?3 WHERE tenant = ?1 AND id IN (SELECT value FROM json_each(?2));

-- started: a turn whose run was started
UPDATE chat_turns SET status = 'started', silent = ?3 WHERE tenant = ?1 AND id = ?2 AND status = 'pending' RETURNING id;

-- turn: one turn
SELECT tenant, session, number, id, after, message, status, at, options, silent
FROM chat_turns WHERE tenant = ? AND id = ?;

-- turns: a page of turns, in their order
SELECT tenant, session, number, id, after, message, status, at, options, silent
FROM chat_turns WHERE tenant = ? AND session = ? AND number > ? ORDER BY number LIMIT ?;

-- path: the turns from the first to one
WITH RECURSIVE line (id, after, steps) AS (
    SELECT id, after, 0 FROM chat_turns WHERE tenant = ?1 AND id = ?2
    UNION ALL
    SELECT t.id, t.after, l.steps + 1 FROM line l JOIN chat_turns t ON t.tenant = ?1 AND t.id = l.after)
SELECT t.tenant, t.session, t.number, t.id, t.after, t.message, t.status, t.at, t.options, t.silent
FROM line l JOIN chat_turns t ON t.tenant = ?1 AND t.id = l.id ORDER BY l.steps DESC;

-- due: the first of each conversation that waits, where nothing goes on; of others, usually the last does
SELECT t.tenant, t.session, t.number, t.id, t.after, t.message, t.status, t.at, t.options, t.silent
FROM chat_turns t INDEXED BY chat_turns_pending
WHERE t.status = 'pending'
  AND NOT EXISTS (SELECT 1 FROM chat_turns p INDEXED BY chat_turns_pending
                  WHERE p.tenant = t.tenant AND p.session = t.session AND p.status = 'pending' AND p.number < t.number)
  AND (SELECT 1 FROM chat_turns s CROSS JOIN runs r ON r.id = s.id AND +r.tenant = s.tenant
       WHERE s.tenant = t.tenant AND s.session = t.session AND s.status <> 'pending'
         AND +r.status NOT IN ('succeeded', 'failed', 'cancelled', 'dead')
       ORDER BY s.number DESC LIMIT 1) IS NULL
ORDER BY t.at LIMIT ?;

-- purge: conversations of long ago that have no run any more and wait for none
DELETE FROM chat_sessions WHERE number IN (
    SELECT s.number FROM chat_sessions s
    WHERE s.tenant = ?1 AND s.updated_at < ?2
      AND NOT EXISTS (SELECT 1 FROM chat_turns t WHERE t.tenant = s.tenant AND t.session = s.id AND t.status = 'pending')
      AND NOT EXISTS (SELECT 1 FROM chat_turns t CROSS JOIN runs r ON r.id = t.id AND +r.tenant = t.tenant
                      WHERE t.tenant = s.tenant AND t.session = s.id)
    ORDER BY s.number LIMIT ?3)
RETURNING id;

-- purge_turns: what was said in them
DELETE FROM chat_turns WHERE tenant = ?1 AND session IN (SELECT value FROM json_each(?2));
