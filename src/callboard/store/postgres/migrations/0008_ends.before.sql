-- A run may be told of again when it ends again; a conversation's turns may be told of; secrets of webhooks are rotated.

ALTER TABLE webhook_deliveries ADD COLUMN ending integer NOT NULL DEFAULT 1;
ALTER TABLE webhook_deliveries DROP CONSTRAINT webhook_deliveries_tenant_run_url_key;
CREATE UNIQUE INDEX webhook_deliveries_run ON webhook_deliveries (tenant, run, url, ending);
GRANT INSERT (ending) ON webhook_deliveries TO callboard_door;

ALTER TABLE chat_sessions ADD COLUMN webhook text;
GRANT INSERT (webhook) ON chat_sessions TO callboard_door;

-- Tenants that have rotated theirs: which one is used, and until when the one before is as well.
CREATE TABLE webhook_signing (
    tenant text COLLATE "C" PRIMARY KEY,
    generation integer NOT NULL,
    before_until double precision NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_signing TO callboard_worker;
GRANT SELECT, INSERT, UPDATE (generation, before_until) ON webhook_signing TO callboard_door;
ALTER TABLE webhook_signing ENABLE ROW LEVEL SECURITY;
CREATE POLICY worker ON webhook_signing TO callboard_worker USING (true) WITH CHECK (true);
CREATE POLICY door ON webhook_signing TO callboard_door
    USING (tenant = callboard_tenant()) WITH CHECK (tenant = callboard_tenant());
