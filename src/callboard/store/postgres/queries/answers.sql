-- get: an answer that is young enough
SELECT body, at FROM cached_answers WHERE tenant = $1 AND key = $2 AND at >= $3;

-- put: an answer in place of an older one
INSERT INTO cached_answers AS c (tenant, key, body, at) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant, key) DO UPDATE SET body = excluded.body, at = excluded.at WHERE excluded.at >= c.at;

-- forget: old answers, of one tenant or of all; those that others remove in this moment are left to them
DELETE FROM cached_answers WHERE (tenant, key) IN (
    SELECT tenant, key FROM cached_answers WHERE at < $2 AND ($1::text IS NULL OR tenant = $1)
    ORDER BY at LIMIT $3 FOR UPDATE SKIP LOCKED);
