-- put: somebody new, unless the log-in is taken
INSERT INTO access_people (login, tenant, name, password, grants, created_at, created_by, disabled_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (login) DO NOTHING;

-- change: in place of what was kept; a door cannot see, and so not name, the row of another tenant in one statement
UPDATE access_people
SET name = $3, password = $4, grants = $5, created_at = $6, created_by = $7, disabled_at = $8
WHERE login = $1 AND tenant = $2;

-- find: who logs in, of whichever tenant
SELECT login, tenant, name, password, grants, created_at, created_by, disabled_at FROM callboard_person($1);

-- list: everybody of a tenant
SELECT login, tenant, name, password, grants, created_at, created_by, disabled_at
FROM access_people WHERE tenant = $1 ORDER BY login;

-- enter: somebody is logged in
INSERT INTO access_logins (mac, tenant, kind, subject, name, grants, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- entered: who has that cookie, of whichever tenant
SELECT mac, tenant, kind, subject, name, grants, created_at, expires_at FROM callboard_entered($1);

-- leave: one log-in ends
DELETE FROM access_logins WHERE tenant = $1 AND mac = $2;

-- leave_all: all log-ins of a subject end
DELETE FROM access_logins WHERE tenant = $1 AND kind = $2 AND subject = $3;

-- forget: log-ins that have expired; those that others remove in this moment are left to them
DELETE FROM access_logins WHERE mac = ANY (ARRAY(
    SELECT mac FROM access_logins WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED));
