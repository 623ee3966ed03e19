"""What SQLite does by itself: the same rows in the same shape of table, and no Callboard."""

import time
from pathlib import Path

import apsw
import msgspec

_ROW = b"x" * 300
_LOG = "CREATE TABLE log (run INTEGER, seq INTEGER, body BLOB); CREATE UNIQUE INDEX log_run ON log (run, seq)"
_INSERT = "INSERT INTO log VALUES (?, ?, ?)"

_EVENTS = "SELECT seq, kind, path, digest, at, took, body FROM events WHERE run = 1 ORDER BY seq"


def grouped_rows(path: Path, size: int, groups: int = 300) -> float:
    """Rows a second, in transactions of so many rows that belong to as many runs."""
    db = _log(path)
    begun = time.perf_counter()
    for seq in range(groups):
        db.execute("BEGIN IMMEDIATE")
        db.executemany(_INSERT, [(run, seq, _ROW) for run in range(size)])
        db.execute("COMMIT")
    took = time.perf_counter() - begun
    db.close()
    return groups * size / took


def single_rows(path: Path, rows: int = 400) -> float:
    """Milliseconds a row, each in a transaction of its own."""
    db = _log(path)
    begun = time.perf_counter()
    for seq in range(rows):
        db.execute("BEGIN IMMEDIATE")
        db.execute(_INSERT, (1, seq, _ROW))
        db.execute("COMMIT")
    took = time.perf_counter() - begun
    db.close()
    return took * 1e3 / rows


def read_rows(path: Path) -> float:
    """Microseconds a row to read the only run's events out of a store and decode their bodies."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    decode = msgspec.json.Decoder().decode
    begun = time.perf_counter()
    bodies = [decode(body) for *_, body in db.execute(_EVENTS)]
    took = time.perf_counter() - begun
    db.close()
    return took * 1e6 / len(bodies)


def _log(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path))
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-65536")
    db.execute(_LOG)
    return db
