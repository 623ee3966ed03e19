-- lock: one writer of a chain at a time. What is read after it, in another statement, is what the one before left
SELECT pg_advisory_xact_lock(hashtextextended('callboard access_audit ' || $1, 0));

-- head: the last entry of a tenant
SELECT number, seal FROM access_audit WHERE tenant = $1 ORDER BY number DESC LIMIT 1;

-- append: behind it
INSERT INTO access_audit (tenant, number, at, actor, action, object, deed, seal)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- find: a tenant's entries, newest first
SELECT number, at, actor, action, object, deed, seal FROM access_audit
WHERE tenant = $1 AND ($2::text IS NULL OR (action >= $2 AND action <= $3)) AND ($4::float8 IS NULL OR at >= $4)
    AND ($5::float8 IS NULL OR at <= $5) AND number < coalesce($6, 9223372036854775807)
ORDER BY number DESC LIMIT $7;

-- find_by: those of one actor
SELECT number, at, actor, action, object, deed, seal FROM access_audit
WHERE tenant = $1 AND ($2::text IS NULL OR (action >= $2 AND action <= $3)) AND ($4::float8 IS NULL OR at >= $4)
    AND ($5::float8 IS NULL OR at <= $5) AND number < coalesce($6, 9223372036854775807)
    AND left(actor, 100) = left($8, 100) AND actor = $8
ORDER BY left(actor, 100) DESC, number DESC LIMIT $7;

-- find_about: those about one object, by anybody or by one actor
SELECT number, at, actor, action, object, deed, seal FROM access_audit
WHERE tenant = $1 AND ($2::text IS NULL OR (action >= $2 AND action <= $3)) AND ($4::float8 IS NULL OR at >= $4)
    AND ($5::float8 IS NULL OR at <= $5) AND number < coalesce($6, 9223372036854775807)
    AND ($8::text IS NULL OR actor = $8) AND left(object, 100) = left($9, 100) AND object = $9
ORDER BY left(object, 100) DESC, number DESC LIMIT $7;

-- read: a tenant's entries from the oldest on
SELECT number, at, actor, action, object, deed, seal FROM access_audit
WHERE tenant = $1 AND number > $2 ORDER BY number LIMIT $3;

-- tenants: one look at the index for each tenant, however many entries it has
WITH RECURSIVE found (tenant) AS (
    SELECT min(tenant) FROM access_audit
    UNION ALL
    SELECT (SELECT min(a.tenant) FROM access_audit a WHERE a.tenant > found.tenant) FROM found
    WHERE found.tenant IS NOT NULL
) SELECT tenant FROM found WHERE tenant IS NOT NULL;
