-- Runs that go on only when somebody acts are counted on every look at the first page; nearly none ever are.

CREATE INDEX runs_stuck ON runs (tenant, (-number)) WHERE status IN ('blocked', 'dead');

-- How many runs of a tenant may have been created since then, at most; a door asks of its own. Numbers follow time but
-- for clocks an hour apart at most, so the last older one is found by halving; some numbers between are other tenants'.
-- A door could not look so itself: its policy comes before the index's expression.
CREATE FUNCTION callboard_since(wanted text, since double precision) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
    WITH RECURSIVE whose (tenant) AS (SELECT coalesce(callboard_tenant(), wanted)),
    halves (at, step) AS (
        SELECT 0::bigint, 1::bigint << 40
        UNION ALL
        SELECT h.at + CASE WHEN coalesce((SELECT r.created_at FROM runs r
                                          WHERE r.tenant = (SELECT w.tenant FROM whose w)
                                              AND -r.number >= -(h.at + h.step)
                                          ORDER BY -r.number LIMIT 1), 0) < since - 3600 THEN h.step ELSE 0 END,
               h.step / 2
        FROM halves h WHERE h.step > 0)
    SELECT greatest(0, (SELECT r.number FROM runs r WHERE r.tenant = (SELECT w.tenant FROM whose w)
                        ORDER BY -r.number LIMIT 1) - (SELECT max(h.at) FROM halves h));
END;
REVOKE EXECUTE ON FUNCTION callboard_since FROM PUBLIC;
GRANT EXECUTE ON FUNCTION callboard_since TO callboard_door, callboard_worker;
