-- lock_run: the run that a question belongs to; runs are locked before what belongs to them, everywhere
SELECT r.number, a.path FROM approvals a JOIN runs r ON r.number = a.run AND r.tenant = a.tenant
WHERE a.tenant = $1 AND a.id = $2 FOR NO KEY UPDATE OF r;

-- decide: a person's answer to an open question
UPDATE approvals SET status = $3, decision = $4, decided_by = $5, decided_at = $6
WHERE tenant = $1 AND id = $2 AND status = 'open' RETURNING id;

-- status: where a question stands
SELECT status FROM approvals WHERE tenant = $1 AND id = $2;

-- held: whether a claim still holds, and it does so until this transaction ends
SELECT 1 FROM runs WHERE number = $1 AND epoch = $2 AND status = 'running' FOR SHARE;

-- close: an open question gets its last status
UPDATE approvals SET status = $3 WHERE id = $1 AND run = $2 AND status = 'open';

-- stands: where a question of a run stands
SELECT status FROM approvals WHERE id = $1 AND run = $2;

-- find: questions of these statuses, the nearest deadline first
SELECT a.id, (SELECT r.id FROM runs r WHERE r.number = a.run), a.path, a.kind, a.status, a.proposal, a.opened_at,
       a.deadline, a.decided_at, a.decided_by, a.decision
FROM approvals a WHERE a.tenant = $1 AND a.status = ANY($2::text[])
ORDER BY a.deadline NULLS LAST, a.opened_at LIMIT $3;

-- find_of_run: the same of one run, by its own index
SELECT a.id, r.id, a.path, a.kind, a.status, a.proposal, a.opened_at, a.deadline, a.decided_at, a.decided_by, a.decision
FROM runs r JOIN approvals a ON a.run = r.number AND a.tenant = r.tenant
WHERE r.tenant = $1 AND r.id = $4 AND a.status = ANY($2::text[])
ORDER BY a.deadline NULLS LAST, a.opened_at LIMIT $3;

-- get: one question
SELECT a.id, r.id, a.path, a.kind, a.status, a.proposal, a.opened_at, a.deadline, a.decided_at, a.decided_by, a.decision
FROM approvals a JOIN runs r ON r.number = a.run WHERE a.tenant = $1 AND a.id = $2;
