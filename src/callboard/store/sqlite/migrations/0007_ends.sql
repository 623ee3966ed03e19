-- A run may be told of again when it ends again; a conversation's turns may be told of; secrets of webhooks are rotated.

ALTER TABLE webhook_deliveries ADD COLUMN ending INTEGER NOT NULL DEFAULT 1;
DROP INDEX webhook_deliveries_run;
CREATE UNIQUE INDEX webhook_deliveries_run ON webhook_deliveries (tenant, run, url, ending);

ALTER TABLE chat_sessions ADD COLUMN webhook TEXT;

-- Tenants that have rotated theirs: which one is used, and until when the one before is as well.
CREATE TABLE webhook_signing (
    tenant TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    before_until REAL NOT NULL
);
