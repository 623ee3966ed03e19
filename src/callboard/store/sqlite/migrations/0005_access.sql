-- Who may come in, who has, and who did what. Grants are JSON. Times in seconds.

CREATE TABLE access_keys (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    mac BLOB NOT NULL,
    grants TEXT NOT NULL,
    created_at REAL NOT NULL,
    created_by TEXT NOT NULL,
    expires_at REAL,
    revoked_at REAL,
    used_at REAL,
    replaces TEXT
) WITHOUT ROWID;
CREATE INDEX access_keys_tenant ON access_keys (tenant, created_at);

CREATE TABLE access_people (
    login TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    password TEXT NOT NULL,
    grants TEXT NOT NULL,
    created_at REAL NOT NULL,
    created_by TEXT NOT NULL,
    disabled_at REAL
) WITHOUT ROWID;
CREATE INDEX access_people_tenant ON access_people (tenant, login);

CREATE TABLE access_logins (
    mac BLOB PRIMARY KEY,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT NOT NULL,
    grants TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX access_logins_subject ON access_logins (tenant, kind, subject);
CREATE INDEX access_logins_expires ON access_logins (expires_at);

-- `deed` is JSON, sealed as it stands; the columns before it repeat what is searched for.
CREATE TABLE access_audit (
    tenant TEXT NOT NULL,
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    deed BLOB NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (tenant, number)
) WITHOUT ROWID;
CREATE INDEX access_audit_object ON access_audit (tenant, object, number);
CREATE INDEX access_audit_actor ON access_audit (tenant, actor, number);

CREATE TRIGGER access_audit_changed BEFORE UPDATE ON access_audit
BEGIN SELECT raise(ABORT, 'the audit log is never changed'); END;
CREATE TRIGGER access_audit_deleted BEFORE DELETE ON access_audit
BEGIN SELECT raise(ABORT, 'nothing is deleted from the audit log'); END;
-- INSERT OR REPLACE deletes without asking the trigger above.
CREATE TRIGGER access_audit_placed BEFORE INSERT ON access_audit
WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM access_audit WHERE tenant = NEW.tenant)
BEGIN SELECT raise(ABORT, 'an entry of the audit log comes behind the last one'); END;
