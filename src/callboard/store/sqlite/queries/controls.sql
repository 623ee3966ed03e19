-- put: a control in place of the one before it
INSERT INTO controls (scope, name, paused, running, by, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (scope, name) DO UPDATE
SET paused = excluded.paused, running = excluded.running, by = excluded.by, at = excluded.at;

-- remove: no control any more
DELETE FROM controls WHERE scope = ?1 AND name = ?2 RETURNING name;

-- all: every control
SELECT scope, name, paused, running, by, at FROM controls ORDER BY scope, name;

-- in_force: what claims must look at
SELECT scope, name, paused, running FROM controls
WHERE scope IN ('tenant', 'flow') AND (paused OR running IS NOT NULL);
