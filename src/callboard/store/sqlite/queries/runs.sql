-- take_numbers: reserve numbers for new runs
UPDATE meta SET value = value + ?1 WHERE name = 'next_run' RETURNING value - ?1;

-- by_key: the run that a key made
SELECT id, digest FROM runs WHERE tenant = ? AND flow = ? AND key = ?;

-- insert: a new run, ready or to begin later
INSERT INTO runs (number, id, tenant, flow, version, status, priority, key, digest, labels, depth, parent,
                  parent_path, detached, ready_at, created_at, updated_at, rank, start_at, wake_at, needs, charges,
                  started_by, trace)
VALUES (?1, ?2, ?3, ?4, ?5, iif(?16 IS NULL, 'ready', 'waiting'), ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,
        ?14, ?14, ?14, ?15, ?16, ?16, ?17, ?18, ?19, ?20);

-- queue_up: a tenant's queue grows; if the run at its end has been claimed, it begins anew
INSERT INTO lanes (tenant, tail, last) VALUES (?1, ?2 + ?3, ?4)
ON CONFLICT (tenant) DO UPDATE SET last = excluded.last, tail = ?3 + iif(
    EXISTS (SELECT 1 FROM runs WHERE id = lanes.last AND status = 'ready'), max(tail, ?2), ?2)
RETURNING tail;

-- insert_started: a new run's first event
INSERT INTO events (run, seq, kind, path, digest, at, took, body, blob) VALUES (?, 0, 1, '', ?, ?, 0, ?, ?);

-- number: a tenant's run
SELECT number FROM runs WHERE tenant = ? AND id = ?;

-- get: one run's row
SELECT r.id, r.tenant, r.flow, r.version, r.status, r.priority, r.key, r.epoch, r.depth,
       (SELECT p.id FROM runs p WHERE p.number = r.parent), (SELECT f.id FROM runs f WHERE f.number = r.fork_of),
       r.created_at, r.updated_at, r.finished_at, r.wake_at, r.deaths, r.input_tokens, r.output_tokens, r.cost,
       r.cached_tokens, r.reasoning_tokens, r.written_tokens,
       iif(r.labels_set IS NULL, r.labels, json_patch(coalesce(r.labels, '{}'), r.labels_set)), r.error,
       r.start_at, r.needs, r.charges, r.started_by, r.trace
FROM runs r WHERE r.tenant = ?1 AND r.id = ?2;

-- rows: the same of many runs
SELECT r.id, r.tenant, r.flow, r.version, r.status, r.priority, r.key, r.epoch, r.depth,
       (SELECT p.id FROM runs p WHERE p.number = r.parent), (SELECT f.id FROM runs f WHERE f.number = r.fork_of),
       r.created_at, r.updated_at, r.finished_at, r.wake_at, r.deaths, r.input_tokens, r.output_tokens, r.cost,
       r.cached_tokens, r.reasoning_tokens, r.written_tokens,
       iif(r.labels_set IS NULL, r.labels, json_patch(coalesce(r.labels, '{}'), r.labels_set)), r.error,
       r.start_at, r.needs, r.charges, r.started_by, r.trace
FROM json_each(?2) j CROSS JOIN runs r ON r.id = j.value AND +r.tenant = ?1;

-- by_keys: the runs that keys made
SELECT r.key, r.id FROM json_each(?3) j CROSS JOIN runs r ON r.tenant = ?1 AND r.flow = ?2 AND r.key = j.value;

-- find: a page of runs, newest first
SELECT r.id, r.tenant, r.flow, r.version, r.status, r.priority, r.key, r.epoch, r.depth,
       (SELECT p.id FROM runs p WHERE p.number = r.parent), (SELECT f.id FROM runs f WHERE f.number = r.fork_of),
       r.created_at, r.updated_at, r.finished_at, r.wake_at, r.deaths, r.input_tokens, r.output_tokens, r.cost,
       r.cached_tokens, r.reasoning_tokens, r.written_tokens,
       iif(r.labels_set IS NULL, r.labels, json_patch(coalesce(r.labels, '{}'), r.labels_set)), r.error,
       r.start_at, r.needs, r.charges, r.started_by, r.trace
FROM runs r
WHERE r.tenant = :tenant
  AND (:status IS NULL OR r.status = :status)
  AND (:flow IS NULL OR r.flow = :flow)
  AND (:before IS NULL OR r.number < (SELECT number FROM runs WHERE tenant = :tenant AND id = :before))
  AND (:labels IS NULL OR NOT EXISTS (
        SELECT 1 FROM json_each(:labels) w
        WHERE NOT EXISTS (SELECT 1 FROM json_each(json_patch(coalesce(r.labels, '{}'), coalesce(r.labels_set, '{}'))) h WHERE h.key = w.key AND h.value = w.value)))
ORDER BY r.number DESC LIMIT :limit;

-- find_children: the same among one run's children, by their index
SELECT r.id, r.tenant, r.flow, r.version, r.status, r.priority, r.key, r.epoch, r.depth,
       (SELECT p.id FROM runs p WHERE p.number = r.parent), (SELECT f.id FROM runs f WHERE f.number = r.fork_of),
       r.created_at, r.updated_at, r.finished_at, r.wake_at, r.deaths, r.input_tokens, r.output_tokens, r.cost,
       r.cached_tokens, r.reasoning_tokens, r.written_tokens,
       iif(r.labels_set IS NULL, r.labels, json_patch(coalesce(r.labels, '{}'), r.labels_set)), r.error,
       r.start_at, r.needs, r.charges, r.started_by, r.trace
FROM runs r
WHERE r.tenant = :tenant
  AND (:status IS NULL OR r.status = :status)
  AND (:flow IS NULL OR r.flow = :flow)
  AND r.parent = (SELECT number FROM runs WHERE tenant = :tenant AND id = :parent)
  AND (:before IS NULL OR r.number < (SELECT number FROM runs WHERE tenant = :tenant AND id = :before))
  AND (:labels IS NULL OR NOT EXISTS (
        SELECT 1 FROM json_each(:labels) w
        WHERE NOT EXISTS (SELECT 1 FROM json_each(json_patch(coalesce(r.labels, '{}'), coalesce(r.labels_set, '{}'))) h WHERE h.key = w.key AND h.value = w.value)))
ORDER BY r.number DESC LIMIT :limit;

-- counts: runs by status
SELECT status, count(*) FROM runs WHERE tenant = ? GROUP BY status;

-- outcomes: last events of runs that have ended
SELECT r.id, r.status, r.error, coalesce(e.body, b.data)
FROM json_each(?2) j CROSS JOIN runs r ON r.id = j.value AND +r.tenant = ?1
    AND r.status IN ('succeeded', 'failed', 'cancelled', 'dead')
LEFT JOIN events e ON r.status = 'succeeded' AND e.run = r.number
    AND e.seq = (SELECT max(seq) FROM events WHERE run = r.number)
LEFT JOIN blobs b ON b.tenant = r.tenant AND b.hash = e.blob;

-- requeue: a blocked, failed or dead run is ready again
UPDATE runs SET status = 'ready', ready_at = ?2, rank = ?2 - priority * ?3, updated_at = ?2, finished_at = NULL, error = NULL, deaths = 0
WHERE number = ?1 AND status IN ('blocked', 'failed', 'dead') RETURNING number;

-- status: where a run stands
SELECT status FROM runs WHERE number = ?;

-- last_seq: the run's last event
SELECT max(seq) FROM events WHERE run = ?;

-- append_free: an event outside any claim
INSERT INTO events (run, seq, kind, path, digest, at, took, body) VALUES (?, ?, ?, ?, x'', ?, 0, ?);

-- fork: a run that begins as another did
INSERT INTO runs (number, id, tenant, flow, version, status, priority, digest, labels, depth, fork_of, fork_seq,
                  ready_at, created_at, updated_at, rank, needs, base_seq, charges)
SELECT ?1, ?2, tenant, flow, version, 'ready', priority, digest, labels, depth, number, ?3, ?4, ?4, ?4,
       ?4 - priority * ?6, needs, ?7, charges
FROM runs WHERE number = ?5;

-- origin: what a run was forked from
SELECT fork_of, fork_seq FROM runs WHERE number = ?;

-- purgeable: ended runs that nothing else needs
SELECT r.number FROM runs r
WHERE +r.tenant = ?1 AND r.finished_at < ?2 AND r.status IN (SELECT value FROM json_each(?3))
  AND NOT EXISTS (SELECT 1 FROM runs f WHERE f.fork_of = r.number)
  AND NOT EXISTS (SELECT 1 FROM runs c WHERE c.parent = r.number AND c.finished_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM budget_holds h WHERE h.run = r.number)
  AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.tenant = r.tenant AND d.run = r.id AND d.status = 'pending')
ORDER BY r.finished_at LIMIT ?4;

-- purge_events: the journal of a purged run
DELETE FROM events WHERE run = ?;

-- purge_inbox: its letters
DELETE FROM inbox WHERE run = ?;

-- purge_approvals: its questions
DELETE FROM approvals WHERE run = ?;

-- purge_account: what it was charged, unless a run far below it is still at it
DELETE FROM budget_accounts
WHERE tenant = (SELECT tenant FROM runs WHERE number = ?1) AND name = (SELECT 'run:' || id FROM runs WHERE number = ?1)
  AND held_cost = 0 AND held_tokens = 0 AND held_calls = 0 AND held_millis = 0;

-- purge_deliveries: who was told of its end
DELETE FROM webhook_deliveries
WHERE tenant = (SELECT tenant FROM runs WHERE number = ?1) AND run = (SELECT id FROM runs WHERE number = ?1);

-- purge_run: its row
DELETE FROM runs WHERE number = ?;

-- purge_blobs: payloads that nothing refers to and nobody touched lately
DELETE FROM blobs WHERE rowid IN (
    SELECT b.rowid FROM blobs b WHERE b.tenant = ?1 AND b.touched_at < ?2
    AND NOT EXISTS (SELECT 1 FROM events e JOIN runs r ON r.number = e.run
                    WHERE e.blob = b.hash AND r.tenant = b.tenant) LIMIT ?3);
