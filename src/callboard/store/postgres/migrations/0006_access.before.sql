-- Who may come in, who has, and who did what. Grants are JSON. Times in seconds.

CREATE TABLE access_keys (
    id text COLLATE "C" PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    name text NOT NULL,
    mac bytea NOT NULL,
    grants text NOT NULL,
    created_at double precision NOT NULL,
    created_by text NOT NULL,
    expires_at double precision,
    revoked_at double precision,
    used_at double precision,
    replaces text
) WITH (fillfactor = 70);
CREATE INDEX access_keys_tenant ON access_keys (tenant, created_at);

CREATE TABLE access_people (
    login text COLLATE "C" PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    name text NOT NULL,
    password text NOT NULL,
    grants text NOT NULL,
    created_at double precision NOT NULL,
    created_by text NOT NULL,
    disabled_at double precision
);
CREATE INDEX access_people_tenant ON access_people (tenant, login);

CREATE TABLE access_logins (
    mac bytea PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    name text NOT NULL,
    grants text NOT NULL,
    created_at double precision NOT NULL,
    expires_at double precision NOT NULL
);
CREATE INDEX access_logins_subject ON access_logins (tenant, kind, subject);
CREATE INDEX access_logins_expires ON access_logins (expires_at);

-- `deed` is JSON, sealed as it stands; the columns before it repeat what is searched for.
CREATE TABLE access_audit (
    tenant text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    at double precision NOT NULL,
    actor text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    object text COLLATE "C" NOT NULL,
    deed bytea NOT NULL,
    seal bytea NOT NULL,
    PRIMARY KEY (tenant, number)
);
-- An object may be long, as somebody typed it: a row of an index has to stay below a third of a page.
CREATE INDEX access_audit_object ON access_audit (tenant, left(object, 100), number);
CREATE INDEX access_audit_actor ON access_audit (tenant, left(actor, 100), number);

-- A key that was made keeps its tenant, its secret and what it may do; keys and people are never deleted, so that
-- the audit log's names stay known. Of log-ins those to be deleted are locked first, which asks for UPDATE.
GRANT SELECT, INSERT ON access_keys, access_people TO callboard_worker, callboard_door;
GRANT UPDATE (expires_at, revoked_at, used_at) ON access_keys TO callboard_worker, callboard_door;
GRANT UPDATE (name, password, grants, created_at, created_by, disabled_at) ON access_people
    TO callboard_worker, callboard_door;
GRANT SELECT, INSERT, DELETE, UPDATE (name) ON access_logins TO callboard_worker, callboard_door;
GRANT SELECT, INSERT ON access_audit TO callboard_worker, callboard_door;

ALTER TABLE access_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_people ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_logins ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_audit ENABLE ROW LEVEL SECURITY;

CREATE POLICY worker ON access_keys TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON access_people TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON access_logins TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON access_audit TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY door ON access_keys TO callboard_door
    USING (tenant = callboard_tenant()) WITH CHECK (tenant = callboard_tenant());
CREATE POLICY door ON access_people TO callboard_door
    USING (tenant = callboard_tenant()) WITH CHECK (tenant = callboard_tenant());
CREATE POLICY door ON access_logins TO callboard_door
    USING (tenant = callboard_tenant()) WITH CHECK (tenant = callboard_tenant());
CREATE POLICY door ON access_audit TO callboard_door
    USING (tenant = callboard_tenant()) WITH CHECK (tenant = callboard_tenant());

-- Who presents a credential says nothing of a tenant: a door learns it from the one row that was named exactly.
CREATE FUNCTION callboard_key(wanted text) RETURNS TABLE (
    id text, tenant text, name text, mac bytea, grants text, created_at double precision, created_by text,
    expires_at double precision, revoked_at double precision, used_at double precision, replaces text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1
BEGIN ATOMIC
    SELECT k.id, k.tenant, k.name, k.mac, k.grants, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.used_at,
        k.replaces
    FROM access_keys k WHERE k.id = wanted;
END;
REVOKE EXECUTE ON FUNCTION callboard_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION callboard_key TO callboard_door, callboard_worker;

CREATE FUNCTION callboard_person(wanted text) RETURNS TABLE (
    login text, tenant text, name text, password text, grants text, created_at double precision, created_by text,
    disabled_at double precision)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1
BEGIN ATOMIC
    SELECT p.login, p.tenant, p.name, p.password, p.grants, p.created_at, p.created_by, p.disabled_at
    FROM access_people p WHERE p.login = wanted;
END;
REVOKE EXECUTE ON FUNCTION callboard_person FROM PUBLIC;
GRANT EXECUTE ON FUNCTION callboard_person TO callboard_door, callboard_worker;

CREATE FUNCTION callboard_entered(wanted bytea) RETURNS TABLE (
    mac bytea, tenant text, kind text, subject text, name text, grants text, created_at double precision,
    expires_at double precision)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1
BEGIN ATOMIC
    SELECT n.mac, n.tenant, n.kind, n.subject, n.name, n.grants, n.created_at, n.expires_at
    FROM access_logins n WHERE n.mac = wanted;
END;
REVOKE EXECUTE ON FUNCTION callboard_entered FROM PUBLIC;
GRANT EXECUTE ON FUNCTION callboard_entered TO callboard_door, callboard_worker;

-- Whether anybody at all has a credential.
CREATE FUNCTION callboard_anybody() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
RETURN EXISTS (SELECT 1 FROM access_keys) OR EXISTS (SELECT 1 FROM access_people);
REVOKE EXECUTE ON FUNCTION callboard_anybody FROM PUBLIC;
GRANT EXECUTE ON FUNCTION callboard_anybody TO callboard_door, callboard_worker;

-- The audit log is only ever appended to, also by who owns the table.
CREATE FUNCTION callboard_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE insufficient_privilege USING MESSAGE = 'the audit log is only appended to, behind its last entry';
END $$;
CREATE TRIGGER access_audit_stands BEFORE UPDATE OR DELETE OR TRUNCATE ON access_audit
    FOR EACH STATEMENT EXECUTE FUNCTION callboard_audit_refuse();

-- Volatile, so that of several entries in one statement each sees those before it.
CREATE FUNCTION callboard_audit_next(of text) RETURNS bigint LANGUAGE sql VOLATILE
RETURN (SELECT coalesce(max(number), 0) + 1 FROM access_audit WHERE tenant = of);
REVOKE EXECUTE ON FUNCTION callboard_audit_next FROM PUBLIC;
GRANT EXECUTE ON FUNCTION callboard_audit_next TO callboard_door, callboard_worker;
CREATE TRIGGER access_audit_placed BEFORE INSERT ON access_audit FOR EACH ROW
    WHEN (NEW.number IS DISTINCT FROM callboard_audit_next(NEW.tenant)) EXECUTE FUNCTION callboard_audit_refuse();
