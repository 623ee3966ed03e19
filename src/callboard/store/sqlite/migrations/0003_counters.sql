-- Shared limits: see callboard.resilience.counters. Times are those of the machine's monotonic clock. From `void`
-- on a row says no more than a missing one.

CREATE TABLE counter_rates (name TEXT PRIMARY KEY, used REAL NOT NULL, at REAL NOT NULL, void REAL NOT NULL)
    WITHOUT ROWID;

CREATE TABLE counter_places (
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    since REAL NOT NULL,
    void REAL NOT NULL,
    PRIMARY KEY (name, holder)
) WITHOUT ROWID;

CREATE TABLE counter_values (name TEXT PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL, at REAL NOT NULL)
    WITHOUT ROWID;

CREATE TABLE counter_windows (
    name TEXT NOT NULL,
    slot INTEGER NOT NULL,
    n INTEGER NOT NULL,
    void REAL NOT NULL,
    PRIMARY KEY (name, slot)
) WITHOUT ROWID;
