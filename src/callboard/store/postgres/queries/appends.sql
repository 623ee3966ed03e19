-- append_one: one event under its run's present epoch; the lock makes a takeover wait until it is committed
WITH held AS MATERIALIZED (SELECT number FROM runs WHERE number = $1 AND epoch = $10 AND status = 'running' FOR SHARE)
INSERT INTO events (run, seq, kind, path, digest, at, took, body, blob)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM held;

-- append: events of many runs, if all of these (number, epoch) still hold; else nothing, and then each is asked
WITH held AS MATERIALIZED (
    SELECT r.number FROM unnest($9::bigint[], $10::integer[]) AS c (number, epoch)
    JOIN runs r ON r.number = c.number AND r.epoch = c.epoch
    WHERE r.status = 'running' ORDER BY r.number FOR SHARE OF r)
INSERT INTO events (run, seq, kind, path, digest, at, took, body)
SELECT e.run, e.seq, e.kind, e.path, e.digest, e.at, e.took, e.body
FROM unnest($1::bigint[], $2::integer[], $3::smallint[], $4::text[], $5::bytea[], $6::bigint[], $7::bigint[], $8::bytea[])
    AS e (run, seq, kind, path, digest, at, took, body)
WHERE (SELECT count(*) FROM held) = cardinality($9);

-- append_again: the same after its outcome was lost with the connection; what is there already stays
WITH held AS MATERIALIZED (
    SELECT r.number FROM unnest($9::bigint[], $10::integer[]) AS c (number, epoch)
    JOIN runs r ON r.number = c.number AND r.epoch = c.epoch
    WHERE r.status = 'running' ORDER BY r.number FOR SHARE OF r)
INSERT INTO events (run, seq, kind, path, digest, at, took, body)
SELECT e.run, e.seq, e.kind, e.path, e.digest, e.at, e.took, e.body
FROM unnest($1::bigint[], $2::integer[], $3::smallint[], $4::text[], $5::bytea[], $6::bigint[], $7::bigint[], $8::bytea[])
    AS e (run, seq, kind, path, digest, at, took, body)
WHERE (SELECT count(*) FROM held) = cardinality($9)
ON CONFLICT (run, seq) DO NOTHING;

-- written: those of these (run, seq) that are in the journal
SELECT e.run, e.seq, e.kind, e.path, e.digest, e.at, e.took, e.body, e.blob
FROM unnest($1::bigint[], $2::integer[]) AS w (run, seq) JOIN events e ON e.run = w.run AND e.seq = w.seq;

-- owned: of these (number, epoch) pairs, those that still hold
SELECT r.number, r.epoch FROM unnest($1::bigint[], $2::integer[]) AS c (number, epoch)
JOIN runs r ON r.number = c.number AND r.epoch = c.epoch WHERE r.status = 'running';

-- insert: events of runs that this transaction has locked
INSERT INTO events (run, seq, kind, path, digest, at, took, body, blob)
SELECT * FROM unnest($1::bigint[], $2::integer[], $3::smallint[], $4::text[], $5::bytea[], $6::bigint[], $7::bigint[],
    $8::bytea[], $9::bytea[]);

-- put_blobs: payloads once per tenant, and touched each time they are referred to
INSERT INTO blobs AS b (tenant, hash, data, touched_at)
SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::double precision[])
ON CONFLICT (tenant, hash) DO UPDATE SET touched_at = greatest(b.touched_at, excluded.touched_at);

-- consume: letters that events answered
DELETE FROM inbox i USING unnest($1::bigint[], $2::integer[]) AS c (run, seq) WHERE i.run = c.run AND i.seq = c.seq;

-- label: merge labels into those that the runs have set; those they were started with stand
UPDATE runs r SET labels_set = coalesce(r.labels_set, '{}') || l.labels::jsonb
FROM unnest($1::bigint[], $2::text[]) AS l (number, labels) WHERE r.number = l.number;

-- ask: questions
INSERT INTO approvals (id, run, tenant, path, kind, status, proposal, opened_at, deadline)
SELECT id, run, tenant, path, kind, 'open', proposal, opened_at, deadline
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::double precision[],
    $8::double precision[]) AS a (id, run, tenant, path, kind, proposal, opened_at, deadline);
