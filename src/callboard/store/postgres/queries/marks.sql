-- mark: this group's number, and which session writes it
INSERT INTO marks (writer, mark) VALUES ($1, $2)
ON CONFLICT (writer) DO UPDATE SET mark = excluded.mark, at = excluded.at RETURNING pg_backend_pid();

-- last: the number of the last group that was committed. Waits for a session that is still at one, also at the writer's
-- first, whose row nobody else can see or lock yet: hence an insert
INSERT INTO marks AS m (writer, mark) VALUES ($1, 0) ON CONFLICT (writer) DO UPDATE SET mark = m.mark RETURNING mark;

-- sever: ends a session whose client has gone
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = $1 AND usename = current_user AND datname = current_database() AND state LIKE 'idle in transaction%';

-- leave: a writer that closes needs no mark
DELETE FROM marks WHERE writer = $1;

-- clean: marks of writers that have not written for so long that nobody asks any more
DELETE FROM marks WHERE at < clock_timestamp() - interval '7 days';
