-- rate: how much of a bucket was used, and when that was so
SELECT used, at FROM counter_rates WHERE name = ?;

-- fill: how much of it is used now
INSERT INTO counter_rates (name, used, at, void) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (name) DO UPDATE SET used = ?2, at = ?3, void = ?4;

-- lapse: places of a name whose lease has ended
DELETE FROM counter_places WHERE name = ?1 AND abs(since - ?2) >= ?3;

-- enter: a place, if the holder has one or one is free
INSERT INTO counter_places (name, holder, since, void)
SELECT ?1, ?2, ?3, ?4
WHERE EXISTS (SELECT 1 FROM counter_places WHERE name = ?1 AND holder = ?2)
   OR (SELECT count(*) FROM counter_places WHERE name = ?1) < ?5
ON CONFLICT (name, holder) DO UPDATE SET since = ?3, void = ?4
RETURNING 1;

-- leave: a place becomes free
DELETE FROM counter_places WHERE name = ? AND holder = ?;

-- read: a value, and when it was written
SELECT version, value, at FROM counter_values WHERE name = ?;

-- create: a value where there is none
INSERT INTO counter_values (name, version, value, at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (name) DO NOTHING RETURNING 1;

-- swap: a value instead of the one with this version
UPDATE counter_values SET version = max(version + 1, ?2), value = ?3, at = ?4 WHERE name = ?1 AND version = ?5
RETURNING 1;

-- age: slots of a name that its window has left behind
DELETE FROM counter_windows WHERE name = ?1 AND abs(slot - ?2) >= 60;

-- add: so many more in a slot
INSERT INTO counter_windows (name, slot, n, void) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (name, slot) DO UPDATE SET n = n + ?3;

-- count: how many are in the slots of the window
SELECT coalesce(sum(n), 0) FROM counter_windows WHERE name = ?1 AND abs(slot - ?2) < 60;

-- forget_rate: a rate begins anew
DELETE FROM counter_rates WHERE name = ?;

-- forget_places: all places of a name become free
DELETE FROM counter_places WHERE name = ?;

-- forget_value: a value is gone
DELETE FROM counter_values WHERE name = ?;

-- forget_window: nothing was counted
DELETE FROM counter_windows WHERE name = ?;

-- sweep_rates: buckets that are full again
DELETE FROM counter_rates WHERE void < ?;

-- sweep_places: places of names that nobody enters any more
DELETE FROM counter_places WHERE void < ?;

-- sweep_windows: slots of names that nobody counts any more
DELETE FROM counter_windows WHERE void < ?;
