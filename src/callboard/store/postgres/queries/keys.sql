-- add: a new key, unless there is one with that id
INSERT INTO access_keys (id, tenant, name, mac, grants, created_at, created_by, expires_at, revoked_at, used_at, replaces)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING;

-- find: the key that somebody presents, of whichever tenant
SELECT id, tenant, name, mac, grants, created_at, created_by, expires_at, revoked_at, used_at, replaces
FROM callboard_key($1);

-- list: a tenant's keys
SELECT id, tenant, name, mac, grants, created_at, created_by, expires_at, revoked_at, used_at, replaces
FROM access_keys WHERE tenant = $1 ORDER BY created_at DESC, id;

-- expire: an end, unless it ends before
UPDATE access_keys SET expires_at = least(expires_at, $3) WHERE tenant = $1 AND id = $2
RETURNING id, tenant, name, mac, grants, created_at, created_by, expires_at, revoked_at, used_at, replaces;

-- revoke: an end at once; the first time stays
UPDATE access_keys SET revoked_at = coalesce(revoked_at, $3) WHERE tenant = $1 AND id = $2
RETURNING id, tenant, name, mac, grants, created_at, created_by, expires_at, revoked_at, used_at, replaces;

-- stale: whether the last use that was noted is a minute ago
SELECT 1 FROM access_keys WHERE tenant = $1 AND id = $2 AND (used_at IS NULL OR used_at <= $3 - 60.0);

-- used: the last use, once a minute
UPDATE access_keys SET used_at = $3 WHERE tenant = $1 AND id = $2 AND (used_at IS NULL OR used_at <= $3 - 60.0);

-- any: whether anybody has a credential
SELECT callboard_anybody();
