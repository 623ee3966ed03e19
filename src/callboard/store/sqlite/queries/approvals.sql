-- open: a question
INSERT INTO approvals (id, run, tenant, path, kind, status, proposal, opened_at, deadline)
VALUES (?, ?, ?, ?, ?, 'open', ?, ?, ?);

-- close: an open question gets its last status
UPDATE approvals SET status = ?2 WHERE id = ?1 AND run = ?3 AND status = 'open' RETURNING id;

-- decide: a person's answer to an open question
UPDATE approvals SET status = ?3, decision = ?4, decided_by = ?5, decided_at = ?6
WHERE tenant = ?1 AND id = ?2 AND status = 'open' RETURNING run, path;

-- find: questions, the nearest deadline first
SELECT a.id, r.id, a.path, a.kind, a.status, a.proposal, a.opened_at, a.deadline, a.decided_at, a.decided_by, a.decision
FROM approvals a JOIN runs r ON r.number = a.run
WHERE a.tenant = ?1 AND (?2 IS NULL OR a.status = ?2) AND (?3 IS NULL OR r.id = ?3)
ORDER BY a.deadline IS NULL, a.deadline, a.opened_at LIMIT ?4;

-- get: one question
SELECT a.id, r.id, a.path, a.kind, a.status, a.proposal, a.opened_at, a.deadline, a.decided_at, a.decided_by, a.decision
FROM approvals a JOIN runs r ON r.number = a.run WHERE a.tenant = ?1 AND a.id = ?2;
