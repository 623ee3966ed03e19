-- claim: the best ready runs become this worker's, under a higher epoch
UPDATE runs SET status = 'running', owner = :worker, epoch = epoch + 1, updated_at = :at,
    claim_seq = (SELECT coalesce(max(seq), -1) FROM events WHERE run = number)
WHERE number IN (
    SELECT number FROM runs
    WHERE status = 'ready' AND (deaths > 0) = :suspects
      AND flow || '@' || version IN (SELECT value FROM json_each(:flows))
      AND (needs IS NULL OR needs IN (SELECT value FROM json_each(:labels)))
    ORDER BY rank LIMIT :limit)
RETURNING rank, number, inbox_seq, fork_of, base_seq,
       id, tenant, flow, version, status, priority, key, epoch, depth,
       (SELECT p.id FROM runs p WHERE p.number = runs.parent), (SELECT f.id FROM runs f WHERE f.number = runs.fork_of),
       created_at, updated_at, finished_at, wake_at, deaths, input_tokens, output_tokens, cost,
       cached_tokens, reasoning_tokens, written_tokens, labels, error, start_at, needs, charges,
       started_by, trace;

-- candidates: ready runs in order, for a choice that limits have a say in
SELECT number, tenant, flow FROM runs
WHERE status = 'ready' AND (deaths > 0) = :suspects
  AND flow || '@' || version IN (SELECT value FROM json_each(:flows))
  AND (needs IS NULL OR needs IN (SELECT value FROM json_each(:labels)))
ORDER BY rank;

-- executed: how many runs of each tenant and flow are being executed
SELECT tenant, flow, count(*) FROM runs INDEXED BY runs_owner WHERE owner IS NOT NULL GROUP BY tenant, flow;

-- claim_these: like claim, of runs that were chosen already
UPDATE runs SET status = 'running', owner = :worker, epoch = epoch + 1, updated_at = :at,
    claim_seq = (SELECT coalesce(max(seq), -1) FROM events WHERE run = number)
WHERE number IN (SELECT value FROM json_each(:numbers))
RETURNING rank, number, inbox_seq, fork_of, base_seq,
       id, tenant, flow, version, status, priority, key, epoch, depth,
       (SELECT p.id FROM runs p WHERE p.number = runs.parent), (SELECT f.id FROM runs f WHERE f.number = runs.fork_of),
       created_at, updated_at, finished_at, wake_at, deaths, input_tokens, output_tokens, cost,
       cached_tokens, reasoning_tokens, written_tokens, labels, error, start_at, needs, charges,
       started_by, trace;

-- renew: the run begins anew from its last event on
UPDATE runs SET status = 'ready', owner = NULL, base_seq = ?3, deaths = 0, updated_at = ?4, ready_at = ?4,
    rank = ?4 - priority * ?5
WHERE number = ?1 AND epoch = ?2 AND status = 'running' RETURNING number, epoch;

-- disown: children of a run that begins anew report to nobody
UPDATE runs SET detached = 1 WHERE parent = ? AND finished_at IS NULL;

-- forget_children: nor do those that have reported
DELETE FROM inbox WHERE run = ? AND name LIKE 'child:%';

-- park: wait, unless a letter came that the owner has not seen
UPDATE runs SET status = 'waiting', owner = NULL, wake_at = ?4, deaths = 0
WHERE number = ?1 AND epoch = ?2 AND status = 'running' AND inbox_seq = ?3 RETURNING number, epoch;

-- release: hand the run back
UPDATE runs SET status = 'ready', owner = NULL WHERE number = ?1 AND epoch = ?2 AND status = 'running'
RETURNING number, epoch;

-- finish: the run ends or blocks
UPDATE runs SET status = ?3, owner = NULL, updated_at = ?4, finished_at = CASE ?3 WHEN 'blocked' THEN NULL ELSE ?4 END,
    wake_at = NULL, deaths = 0, error = ?5
WHERE number = ?1 AND epoch = ?2 AND status = 'running'
RETURNING number, epoch, parent, parent_path, detached, inbox_seq;

-- drop_letters: what was sent to a run that has ended for good
DELETE FROM inbox WHERE run = ?;

-- withdraw: questions of a run that has ended
UPDATE approvals SET status = 'withdrawn' WHERE run = ? AND status = 'open';

-- live_children: children that must end with their parent
SELECT number FROM runs WHERE parent = ? AND detached = 0 AND finished_at IS NULL;

-- wake_due: waiting runs whose time has come are ready
-- (those of one tenant one after the other, so that they do not delay other tenants)
UPDATE runs SET status = 'ready', ready_at = ?1, wake_at = NULL, rank = ?1 - priority * ?3 + due.place * ?4
FROM (SELECT number AS due_number, row_number() OVER (PARTITION BY tenant ORDER BY wake_at) - 1 AS place
      FROM runs WHERE wake_at <= ?1 ORDER BY wake_at LIMIT ?2) AS due
WHERE number = due_number RETURNING number;

-- clear_lanes: queues that end in the past say nothing
DELETE FROM lanes WHERE tail <= ?;

-- next_due: the earliest of them, and how many workers there are
SELECT (SELECT min(wake_at) FROM runs WHERE wake_at IS NOT NULL), (SELECT count(*) FROM workers);

-- ready: runs that could be claimed, and how many of them are suspects
SELECT count(*), coalesce(sum(deaths > 0), 0) FROM runs
WHERE status = 'ready' AND (?1 IS NULL OR flow || '@' || version IN (SELECT value FROM json_each(?1)));

-- backlog: ready runs by tenant, and since when the oldest is ready
SELECT tenant, count(*), min(ready_at) FROM runs INDEXED BY runs_ready WHERE status = 'ready' GROUP BY tenant;

-- at_work: runs that are executed, runs that wait
SELECT (SELECT count(*) FROM runs WHERE owner IS NOT NULL), (SELECT count(*) FROM runs WHERE status = 'waiting');

-- beat: a worker announces itself, or shows that it lives
INSERT INTO workers (id, pid, host, boot, started_at, beat) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET beat = excluded.beat;

-- keep: a worker that claims has a row, also if it was taken for dead a moment ago
INSERT INTO workers (id, pid, host, boot, started_at, beat) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING;

-- drop_worker: it is gone
DELETE FROM workers WHERE id = ?;

-- hand_back: runs that a leaving worker still owns
UPDATE runs SET status = 'ready', owner = NULL WHERE owner = ? RETURNING number;

-- inboxes: letter counters of a worker's runs
SELECT id, inbox_seq FROM runs WHERE owner = ? AND status = 'running';

-- take_over: runs of a worker that died are ready, with a higher epoch, and a death if it got nothing done:
-- intents (kind 2) and beats (12) alone are no progress, or a call that kills its worker would be begun for ever
UPDATE runs SET epoch = epoch + 1, owner = NULL, ready_at = ?2, updated_at = ?2, rank = ?2 - priority * ?3,
    deaths = CASE WHEN EXISTS (SELECT 1 FROM events WHERE run = number AND seq > claim_seq AND kind NOT IN (2, 12))
                  THEN 0 ELSE deaths + 1 END,
    status = 'ready'
WHERE owner = ?1 AND status = 'running' RETURNING number, id, deaths, tenant;

-- bury: a run that keeps killing its workers
UPDATE runs SET status = 'dead', finished_at = ?2, updated_at = ?2, error = ?3 WHERE number = ?1
RETURNING number, parent, parent_path, detached;

-- workers: all of them, and what they run
SELECT w.id, w.pid, w.host, w.boot, w.started_at, w.beat, (SELECT count(*) FROM runs WHERE owner = w.id)
FROM workers w ORDER BY w.started_at;

-- held: whether a claim still holds
SELECT 1 FROM runs WHERE number = ? AND epoch = ? AND status = 'running';
