-- knock: raise a run's counter and wake it if it waits; one that is to begin later is woken by a cancel alone
UPDATE runs SET inbox_seq = inbox_seq + 1,
    status = iif(status = 'waiting' AND (epoch > 0 OR start_at IS NULL OR ?3), 'ready', status),
    ready_at = iif(status = 'waiting', ?2, ready_at),
    rank = iif(status = 'waiting', ?2 - priority * ?4, rank),
    wake_at = iif(status = 'waiting' AND (epoch > 0 OR start_at IS NULL OR ?3), NULL, wake_at)
WHERE number = ?1 AND status NOT IN ('succeeded', 'failed', 'cancelled', 'dead')
RETURNING number, inbox_seq, status, id;

-- deliver: a letter under the number that its knock gave
INSERT INTO inbox (run, seq, name, body, at) VALUES (?, ?, ?, ?, ?);

-- counter: how many letters were ever sent to a run
SELECT inbox_seq FROM runs WHERE number = ? AND epoch = ?;

-- letters: those above a number
SELECT seq, name, body FROM inbox WHERE run = ? AND seq > ? ORDER BY seq;

-- letters_of: all letters of many runs
SELECT i.run, i.seq, i.name, i.body FROM inbox i WHERE i.run IN (SELECT value FROM json_each(?)) ORDER BY i.run, i.seq;
