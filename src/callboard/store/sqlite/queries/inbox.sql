-- knock: raise a run's counter and wake it if it waits
UPDATE runs SET inbox_seq = inbox_seq + 1,
    status = CASE status WHEN 'waiting' THEN 'ready' ELSE status END,
    ready_at = CASE status WHEN 'waiting' THEN ?2 ELSE ready_at END,
    wake_at = CASE status WHEN 'waiting' THEN NULL ELSE wake_at END
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
