"""The world outside of the store: a file that keeps every call that reached it, whoever made it and however it died."""

import fcntl
import json
import os
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import apsw

_BUSY_MS = 120_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls(
    n INTEGER PRIMARY KEY, what TEXT NOT NULL, key TEXT NOT NULL, guard TEXT NOT NULL, result TEXT NOT NULL,
    pid INTEGER NOT NULL, at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS calls_key ON calls (key);
CREATE INDEX IF NOT EXISTS calls_what ON calls (what);
"""


class Call(NamedTuple):
    """One call that came in. `what` names the effect by what it is for, whichever process asked for it."""

    what: str
    key: str
    guard: str
    pid: int
    at: float


class Outside:
    """A system that others call, by key; calls may come from any number of processes and threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

    def call(self, what: str, key: str, guard: str, result: Any = None) -> Any:
        """A call came in: its result, or under a key that is known the result of then."""
        db = self._connection()
        db.execute("BEGIN IMMEDIATE")
        try:
            known = db.execute("SELECT result FROM calls WHERE key = ? AND key <> '' LIMIT 1", (key,)).get
            text = json.dumps(result) if known is None else known
            db.execute(
                "INSERT INTO calls (what, key, guard, result, pid, at) VALUES (?, ?, ?, ?, ?, ?)",
                (what, key, guard, text, os.getpid(), time.time()),
            )
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return json.loads(text)

    def found(self, key: str) -> Any:
        """A list with the result of the first call under that key; None if there was none."""
        text = self._connection().execute("SELECT result FROM calls WHERE key = ? ORDER BY n LIMIT 1", (key,)).get
        return None if text is None else [json.loads(text)]

    def calls(self, prefix: str = "") -> list[Call]:
        """All calls whose `what` begins so, in the order in which they came."""
        query = "SELECT what, key, guard, pid, at FROM calls WHERE substr(what, 1, ?1) = ?2 ORDER BY n"
        return [Call(*row) for row in self._connection().execute(query, (len(prefix), prefix))]

    def wrong(self) -> list[str]:
        """What happened more than once: `once` calls made twice, effects under two keys, keys of two effects."""
        queries = (
            ("once call made {1} times: {0}",
             "SELECT what, count(*) FROM calls WHERE guard = 'once' GROUP BY what HAVING count(*) > 1"),
            ("effect under {1} keys: {0}",
             "SELECT what, count(DISTINCT key) FROM calls WHERE guard <> 'read' GROUP BY what "
             "HAVING count(DISTINCT key) > 1"),
            ("key of {1} effects: {0}",
             "SELECT key, count(DISTINCT what) FROM calls WHERE guard <> 'read' GROUP BY key "
             "HAVING count(DISTINCT what) > 1"),
        )  # fmt: skip
        return [words.format(*row) for words, query in queries for row in self._connection().execute(query)]

    def effects(self) -> set[str]:
        """What happened, reads left out."""
        query = "SELECT DISTINCT what FROM calls WHERE guard <> 'read'"
        return {str(row[0]) for row in self._connection().execute(query)}

    def _connection(self) -> apsw.Connection:
        # By process: SQLite forbids to carry a connection over a fork.
        opened: dict[int, apsw.Connection] = self._local.__dict__.setdefault("opened", {})
        db = opened.get(os.getpid())
        if db is None:
            # Two that switch a new file to WAL at once are told that it is busy, whatever the busy timeout.
            with open(f"{self.path}-opening", "a") as turn:
                fcntl.flock(turn, fcntl.LOCK_EX)
                db = opened[os.getpid()] = self._open()
        return db

    def _open(self) -> apsw.Connection:
        db = apsw.Connection(str(self.path))
        db.set_busy_timeout(_BUSY_MS)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")  # a killed process takes nothing with it that the kernel has
        db.execute(_SCHEMA)
        return db
