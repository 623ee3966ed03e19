-- add: a new key, unless there is one with that id
INSERT INTO access_keys (id, tenant, name, mac, grants, created_at, created_by, expires_at, revoked_at, used_at, replaces)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING id;

-- find: the key that somebody presents, of whichever tenant
SELECT id, tenant, name, mac, grants, created_at, created_by, expires_at, revoked_at, used_at, replaces
FROM access_keys WHERE id = ?;

-- list: a tenant's keys
SELECT id, tenant, name, mac, grants, created_at, created_by, expires_at, revoked_at, used_at, replaces
FROM access_keys WHERE tenant = ? ORDER BY created_at DESC, id;

-- expire: an end, unless it ends before
UPDATE access_keys SET expires_at = min(coalesce(expires_at, ?3), ?3) WHERE tenant = ?1 AND id = ?2
RETURNING id, tenant, name, mac, grants, created_at, created_by, expires_at, revoked_at, used_at, replaces;

-- revoke: an end at once; the first time stays
UPDATE access_keys SET revoked_at = coalesce(revoked_at, ?3) WHERE tenant = ?1 AND id = ?2
RETURNING id, tenant, name, mac, grants, created_at, created_by, expires_at, revoked_at, used_at, replaces;

-- stale: whether the last use that was noted is a minute ago
SELECT 1 FROM access_keys WHERE tenant = ?1 AND id = ?2 AND coalesce(used_at <= ?3 - 60.0, 1);

-- used: the last use, once a minute
UPDATE access_keys SET used_at = ?3 WHERE tenant = ?1 AND id = ?2 AND coalesce(used_at <= ?3 - 60.0, 1) RETURNING id;

-- any: whether anybody has a credential
SELECT EXISTS (SELECT 1 FROM access_keys) OR EXISTS (SELECT 1 FROM access_people);
