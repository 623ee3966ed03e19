-- take: grants as many of the callers as fit; $2 is what each and all before it cost together, $3 limit, $4 period
INSERT INTO counter_rates AS r (name, used, at, void, found, granted)
SELECT $1, coalesce(max(p) FILTER (WHERE fits), 0), now, now + 2 * $4::float8, 0, count(*) FILTER (WHERE fits)
FROM (SELECT extract(epoch FROM clock_timestamp())::float8 AS now) c, unnest($2::float8[]) p,
    LATERAL (SELECT (p - $3::float8) * $4 / $3 <= $4 * 1e-6 AS fits) f
GROUP BY now
ON CONFLICT (name) DO UPDATE SET (used, at, void, found, granted) = (
    SELECT level + coalesce(max(p) FILTER (WHERE fits), 0), now, now + 2 * $4, level, count(*) FILTER (WHERE fits)
    FROM (SELECT extract(epoch FROM clock_timestamp())::float8 AS now) c,
        LATERAL (SELECT least(greatest(r.used - abs(now - r.at) * $3 / $4, 0), 2 * $3) AS level) l,
        unnest($2) p,
        LATERAL (SELECT (level + p - $3) * $4 / $3 <= $4 * 1e-6 AS fits) f
    GROUP BY now, level)
RETURNING found, granted;

-- give_back: what was not used; $2 may be negative, $3 limit, $4 period
INSERT INTO counter_rates AS r (name, used, at, void, found, granted)
SELECT $1, least(greatest(-$2::float8, 0), 2 * $3::float8), now, now + 2 * $4::float8, 0, 0
FROM (SELECT extract(epoch FROM clock_timestamp())::float8 AS now) c
ON CONFLICT (name) DO UPDATE SET (used, at, void) = (
    SELECT least(greatest(level - $2, 0), 2 * $3), now, now + 2 * $4
    FROM (SELECT extract(epoch FROM clock_timestamp())::float8 AS now) c,
        LATERAL (SELECT least(greatest(r.used - abs(now - r.at) * $3 / $4, 0), 2 * $3) AS level) l);

-- enter: a place, if the holder has one or one is free
SELECT counter_enter($1, $2, $3, $4);

-- leave: a place becomes free
DELETE FROM counter_places WHERE name = $1 AND holder = $2;

-- read: a value and its age
SELECT version, value, abs(extract(epoch FROM clock_timestamp())::float8 - at) FROM counter_values WHERE name = $1;

-- create: a value where there is none; a version that was forgotten does not come again
INSERT INTO counter_values (name, version, value, at)
SELECT $1, floor(now * 1e6)::bigint, $2, now FROM (SELECT extract(epoch FROM clock_timestamp())::float8 AS now) c
ON CONFLICT (name) DO NOTHING RETURNING true;

-- swap: a value instead of the one with this version
UPDATE counter_values SET version = greatest(version + 1, floor(now * 1e6)::bigint), value = $2, at = now
FROM (SELECT extract(epoch FROM clock_timestamp())::float8 AS now) c
WHERE name = $1 AND version = $3 RETURNING true;

-- add: so many more; slots that the window has left behind go
INSERT INTO counter_windows AS w (name, slots, void)
SELECT $1, jsonb_build_object(floor(now * 60 / $3::float8)::bigint::text, $2::bigint), now + $3
FROM (SELECT extract(epoch FROM clock_timestamp())::float8 AS now) c
ON CONFLICT (name) DO UPDATE SET (slots, void) = (
    SELECT (SELECT jsonb_object_agg(slot, n) FROM (
            SELECT slot, sum(n) AS n FROM (
                SELECT key::bigint AS slot, value::bigint AS n FROM jsonb_each_text(w.slots)
                WHERE abs(key::bigint - here) < 60
                UNION ALL SELECT here, $2) parts
            GROUP BY slot) slots), now + $3
    FROM (SELECT now, floor(now * 60 / $3)::bigint AS here
        FROM (SELECT extract(epoch FROM clock_timestamp())::float8 AS now) c) h)
RETURNING (SELECT sum(value::bigint)::bigint FROM jsonb_each_text(slots));

-- count: how many are in the slots of the window
SELECT coalesce(sum(value::bigint), 0)::bigint FROM counter_windows, jsonb_each_text(slots),
    (SELECT floor(extract(epoch FROM clock_timestamp())::float8 * 60 / $2::float8)::bigint AS here) h
WHERE name = $1 AND abs(key::bigint - here) < 60;

-- forget: all that is known under a name
WITH rate AS (DELETE FROM counter_rates WHERE name = $1), places AS (DELETE FROM counter_places WHERE name = $1),
    value AS (DELETE FROM counter_values WHERE name = $1)
DELETE FROM counter_windows WHERE name = $1;

-- sweep: rows that say no more than a missing row would
WITH now AS (SELECT extract(epoch FROM clock_timestamp())::float8 AS now),
    rates AS (DELETE FROM counter_rates USING now WHERE void < now.now),
    places AS (DELETE FROM counter_places USING now WHERE void < now.now)
DELETE FROM counter_windows USING now WHERE void < now.now;
