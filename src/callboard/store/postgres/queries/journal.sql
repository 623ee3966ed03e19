-- line: a run, then the runs it was forked from, each with the range of seq that it lends to the run
WITH RECURSIVE line (run, tenant, until, fork_of, fork_seq) AS (
    SELECT number, tenant, 2147483647, fork_of, fork_seq FROM runs WHERE id = $2 AND (tenant = $1) IS TRUE
    UNION ALL
    SELECT r.number, r.tenant, least(l.until, l.fork_seq), r.fork_of, r.fork_seq
    FROM line l JOIN runs r ON r.number = l.fork_of AND r.tenant = l.tenant)
SELECT run, until, CASE WHEN fork_of IS NULL THEN -1 ELSE least(until, fork_seq) END FROM line;

-- line_of: the same for a run by its number
WITH RECURSIVE line (run, tenant, until, fork_of, fork_seq) AS (
    SELECT number, tenant, 2147483647, fork_of, fork_seq FROM runs WHERE number = $1
    UNION ALL
    SELECT r.number, r.tenant, least(l.until, l.fork_seq), r.fork_of, r.fork_seq
    FROM line l JOIN runs r ON r.number = l.fork_of AND r.tenant = l.tenant)
SELECT run, until, CASE WHEN fork_of IS NULL THEN -1 ELSE least(until, fork_seq) END FROM line;

-- read: events of one run in a range of seq, large payloads included
SELECT e.seq, e.kind, e.path, e.digest, e.at, e.took,
       CASE WHEN e.blob IS NULL THEN e.body
            ELSE (SELECT b.data FROM blobs b WHERE b.hash = e.blob
                  AND b.tenant = (SELECT r.tenant FROM runs r WHERE r.number = $1)) END
FROM events e WHERE e.run = $1 AND e.seq > $2 AND e.seq <= $3 ORDER BY e.seq LIMIT $4;

-- read_within: the same, and none after so many bytes of payload: sizes are known without reading what they are of
SELECT e.seq, e.kind, e.path, e.digest, e.at, e.took,
       CASE WHEN e.blob IS NULL THEN e.body
            ELSE (SELECT b.data FROM blobs b WHERE b.hash = e.blob
                  AND b.tenant = (SELECT r.tenant FROM runs r WHERE r.number = $1)) END
FROM events e WHERE e.run = $1 AND e.seq > $2 AND e.seq <= (
    SELECT max(seq) FROM (
        SELECT seq, sum(size) OVER (ORDER BY seq) - size AS before FROM (
            SELECT s.seq, CASE WHEN s.blob IS NULL THEN coalesce(octet_length(s.body), 0)
                ELSE (SELECT octet_length(b.data) FROM blobs b WHERE b.hash = s.blob
                      AND b.tenant = (SELECT r.tenant FROM runs r WHERE r.number = $1)) END AS size
            FROM events s WHERE s.run = $1 AND s.seq > $2 AND s.seq <= $3 ORDER BY s.seq LIMIT $4) AS sized) AS summed
    WHERE before < $5::bigint) ORDER BY e.seq;

-- last: the number of a run's last event
SELECT coalesce((SELECT e.seq FROM events e WHERE e.run = r.number ORDER BY e.seq DESC LIMIT 1), -1)
FROM runs r WHERE r.id = $2 AND (r.tenant = $1) IS TRUE;

-- news: of many runs the events after a seq, each run looked up by its id, and its ancestors where they have some of it
WITH RECURSIVE line AS (
    SELECT w.id, w.after, r.number AS run, r.tenant, 2147483647 AS until, r.fork_of, r.fork_seq
    FROM unnest($2::text[], $3::integer[]) AS w (id, after)
    CROSS JOIN LATERAL (
        SELECT number, tenant, fork_of, fork_seq FROM runs WHERE id = w.id AND (tenant = $1) IS TRUE OFFSET 0) r
    UNION ALL
    SELECT l.id, l.after, r.number, r.tenant, least(l.until, l.fork_seq), r.fork_of, r.fork_seq
    FROM line l JOIN runs r ON r.number = l.fork_of AND r.tenant = l.tenant
    WHERE l.after < least(l.until, l.fork_seq))
SELECT l.id, e.seq, e.kind, e.path, e.digest, e.at, e.took,
       CASE WHEN e.blob IS NULL THEN e.body
            ELSE (SELECT b.data FROM blobs b WHERE b.tenant = l.tenant AND b.hash = e.blob) END
FROM line l CROSS JOIN LATERAL (
    SELECT seq, kind, path, digest, at, took, body, blob FROM events
    WHERE run = l.run AND seq <= l.until
      AND seq > greatest(l.after, CASE WHEN l.fork_of IS NULL THEN -1 ELSE least(l.until, l.fork_seq) END)
    ORDER BY seq LIMIT $4 OFFSET 0) e;
