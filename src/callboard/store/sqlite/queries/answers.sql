-- get: an answer that is young enough
SELECT body, at FROM cached_answers WHERE tenant = ? AND key = ? AND at >= ?;

-- put: an answer in place of an older one
INSERT INTO cached_answers (tenant, key, body, at) VALUES (?, ?, ?, ?)
ON CONFLICT (tenant, key) DO UPDATE SET body = excluded.body, at = excluded.at WHERE excluded.at >= at;

-- old: whether there are any to forget
SELECT 1 FROM cached_answers WHERE at < ?2 AND (?1 IS NULL OR tenant = ?1) LIMIT 1;

-- forget: old answers, of one tenant or of all
DELETE FROM cached_answers WHERE rowid IN (
    SELECT rowid FROM cached_answers WHERE at < ?2 AND (?1 IS NULL OR tenant = ?1) ORDER BY at LIMIT ?3) RETURNING 1;
