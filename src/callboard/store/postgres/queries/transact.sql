-- limits: how long a user's transaction may take (milliseconds); and what it is called
SELECT set_config('statement_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $1, true),
    pg_current_xact_id()::text;

-- going_on: whether a transaction is still under way; one that the server has not had is not
SELECT CASE WHEN $1::text::xid8 < pg_snapshot_xmax(pg_current_snapshot())
    THEN pg_xact_status($1::text::xid8) = 'in progress' ELSE false END;

-- sever: ends the session that still holds a transaction whose client has gone
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE backend_xid::text = ($1::text::numeric % 4294967296)::text AND usename = current_user AND datname = current_database();
