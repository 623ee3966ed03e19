-- Shared limits: see callboard.resilience.counters. Times are the database's, in epoch seconds. From `void` on a row
-- says no more than a missing one. Unlogged: a take waits for no disk; a crash of the server or a failover empties
-- the tables, and limits begin anew. No index but the primary keys, so that updates stay within their page.

CREATE UNLOGGED TABLE counter_rates (
    name text COLLATE "C" PRIMARY KEY,
    used double precision NOT NULL,
    at double precision NOT NULL,
    void double precision NOT NULL,
    found double precision NOT NULL,
    granted integer NOT NULL
) WITH (fillfactor = 50);
COMMENT ON COLUMN counter_rates.found IS 'what the last take found used';
COMMENT ON COLUMN counter_rates.granted IS 'to how many of its callers the last take was granted';

CREATE UNLOGGED TABLE counter_places (
    name text COLLATE "C" NOT NULL,
    holder text COLLATE "C" NOT NULL,
    since double precision NOT NULL,
    void double precision NOT NULL,
    PRIMARY KEY (name, holder)
) WITH (fillfactor = 50);

CREATE UNLOGGED TABLE counter_values (
    name text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    value bytea NOT NULL,
    at double precision NOT NULL
) WITH (fillfactor = 50);

-- `slots`: {"number of the slot": how many}, at most sixty, in one row so that one lock orders all who add.
CREATE UNLOGGED TABLE counter_windows (
    name text COLLATE "C" PRIMARY KEY,
    slots jsonb NOT NULL,
    void double precision NOT NULL
) WITH (fillfactor = 50);

-- A function, because each of its statements sees what was committed before it: places are counted after the lock
-- is held. As one plain statement it would count what was there before it waited, and let one too many in.
CREATE FUNCTION counter_enter(the_name text, the_holder text, places integer, lease double precision)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    moment double precision := extract(epoch FROM clock_timestamp());
BEGIN
    UPDATE counter_places SET since = moment, void = moment + lease
    WHERE name = the_name AND holder = the_holder AND abs(since - moment) < lease;
    IF FOUND THEN
        RETURN true;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('callboard counter_places ' || the_name, 0));
    moment := extract(epoch FROM clock_timestamp());
    DELETE FROM counter_places WHERE name = the_name AND abs(since - moment) >= lease;
    INSERT INTO counter_places (name, holder, since, void)
    SELECT the_name, the_holder, moment, moment + lease
    WHERE (SELECT count(*) FROM counter_places WHERE name = the_name) < places
    ON CONFLICT (name, holder) DO UPDATE SET since = excluded.since, void = excluded.void;
    RETURN FOUND;
END $$;

-- Workers alone: a name bears no tenant that row-level security could look at.
GRANT SELECT, INSERT, UPDATE, DELETE ON counter_rates, counter_places, counter_values, counter_windows
    TO callboard_worker;
REVOKE EXECUTE ON FUNCTION counter_enter FROM PUBLIC;
GRANT EXECUTE ON FUNCTION counter_enter TO callboard_worker;
