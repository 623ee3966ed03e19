-- append: one event, only under the run's present epoch
INSERT INTO events (run, seq, kind, path, digest, at, took, body, blob)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM runs WHERE number = ?1 AND epoch = ?10 AND status = 'running';

-- owned: of these (number, epoch) pairs, those that still hold
SELECT r.number, r.epoch FROM json_each(?) j JOIN runs r
ON r.number = j.value ->> 0 AND r.epoch = j.value ->> 1 AND r.status = 'running';

-- put_blob: a payload once per tenant, and touched each time it is referred to
INSERT INTO blobs (tenant, hash, data, touched_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (tenant, hash) DO UPDATE SET touched_at = excluded.touched_at;

-- consume: a letter that an event answered
DELETE FROM inbox WHERE run = ? AND seq = ?;

-- label: merge labels into those that the run has set; those it was started with stand
UPDATE runs SET labels_set = json_patch(coalesce(labels_set, '{}'), ?2) WHERE number = ?1;

-- spend: add to a run's usage
UPDATE runs SET input_tokens = input_tokens + ?2, output_tokens = output_tokens + ?3, cost = cost + ?4,
    cached_tokens = cached_tokens + ?5, reasoning_tokens = reasoning_tokens + ?6,
    written_tokens = written_tokens + ?7 WHERE number = ?1;

-- load: the events of many runs, large payloads included
SELECT e.run, e.seq, e.kind, e.path, e.digest, e.at, e.took, coalesce(e.body, b.data)
FROM events e
LEFT JOIN runs r ON e.blob IS NOT NULL AND r.number = e.run
LEFT JOIN blobs b ON b.tenant = r.tenant AND b.hash = e.blob
WHERE e.run IN (SELECT value FROM json_each(?1)) ORDER BY e.run, e.seq;

-- read: events of one run in a range of seq
SELECT e.seq, e.kind, e.path, e.digest, e.at, e.took, coalesce(e.body, b.data)
FROM events e
LEFT JOIN runs r ON e.blob IS NOT NULL AND r.number = e.run
LEFT JOIN blobs b ON b.tenant = r.tenant AND b.hash = e.blob
WHERE e.run = ?1 AND e.seq > ?2 AND e.seq <= ?3 ORDER BY e.seq LIMIT ?4;

-- last: the number of a run's last event
SELECT coalesce((SELECT max(e.seq) FROM events e WHERE e.run = r.number), -1)
FROM runs r WHERE r.id = ?2 AND r.tenant = ?1;

-- get_blob: one payload
SELECT data FROM blobs WHERE tenant = ? AND hash = ?;

-- news: of many runs the events after a seq, each run looked up by its id; a journal has no gaps
SELECT r.id, e.seq, e.kind, e.path, e.digest, e.at, e.took, coalesce(e.body, b.data)
FROM json_each(?2) j CROSS JOIN runs r ON r.id = j.key AND +r.tenant = ?1 AND r.fork_of IS NULL
CROSS JOIN events e ON e.run = r.number AND e.seq > j.value AND e.seq <= j.value + ?3
LEFT JOIN blobs b ON e.blob IS NOT NULL AND b.tenant = ?1 AND b.hash = e.blob ORDER BY j.id, e.seq;

-- forks: those of the runs that begin as others did
SELECT r.id, r.number FROM json_each(?2) j CROSS JOIN runs r ON r.id = j.key AND +r.tenant = ?1 AND r.fork_of IS NOT NULL;
