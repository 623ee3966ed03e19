-- letters: the counter of a run that is held, and its letters above a number, in one look
SELECT r.inbox_seq, i.seq, i.name, i.body
FROM runs r LEFT JOIN inbox i ON i.run = r.number AND i.seq > $3
WHERE r.number = $1 AND r.epoch = $2 ORDER BY i.seq;
