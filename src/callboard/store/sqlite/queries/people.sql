-- put: somebody new, or in place of what was kept; not in place of another tenant's
INSERT INTO access_people (login, tenant, name, password, grants, created_at, created_by, disabled_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (login) DO UPDATE
SET name = excluded.name, password = excluded.password, grants = excluded.grants, created_at = excluded.created_at,
    created_by = excluded.created_by, disabled_at = excluded.disabled_at
WHERE tenant = excluded.tenant RETURNING login;

-- find: who logs in, of whichever tenant
SELECT login, tenant, name, password, grants, created_at, created_by, disabled_at FROM access_people WHERE login = ?;

-- list: everybody of a tenant
SELECT login, tenant, name, password, grants, created_at, created_by, disabled_at
FROM access_people WHERE tenant = ? ORDER BY login;

-- enter: somebody is logged in
INSERT INTO access_logins (mac, tenant, kind, subject, name, grants, created_at, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING mac;

-- entered: who has that cookie, of whichever tenant
SELECT mac, tenant, kind, subject, name, grants, created_at, expires_at FROM access_logins WHERE mac = ?;

-- leave: one log-in ends
DELETE FROM access_logins WHERE tenant = ? AND mac = ? RETURNING mac;

-- leave_all: all log-ins of a subject end
DELETE FROM access_logins WHERE tenant = ? AND kind = ? AND subject = ? RETURNING mac;

-- old: whether there are any to forget
SELECT 1 FROM access_logins WHERE expires_at < ? LIMIT 1;

-- forget: log-ins that have expired, over all tenants
DELETE FROM access_logins WHERE mac IN (
    SELECT mac FROM access_logins WHERE expires_at < ? ORDER BY expires_at LIMIT ?) RETURNING 1;
