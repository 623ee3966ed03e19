"""The shop as a system outside of the agents: its own database file, its own ledger of effects.

Nothing here knows who calls. As with a real remote system, all a caller can do about a lost reply is to send
the same call again under the same key, or to ask whether the key was applied.
"""

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from examples.retail import rules
from examples.retail.catalog import Overlay, Place, data_folder, load
from examples.retail.view import Record

__all__ = ["Effect", "KeyConflict", "Shop", "data_folder"]

_BUSY_MS = 30_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS overlay(
    run_id TEXT NOT NULL, tbl TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (run_id, tbl, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS effects(
    key TEXT PRIMARY KEY NOT NULL, run_id TEXT NOT NULL, tool TEXT NOT NULL, arguments TEXT NOT NULL,
    answer TEXT NOT NULL, at REAL NOT NULL
);
"""


class KeyConflict(Exception):
    """A key that stands for one call came with another one: its run, tool or arguments differ."""


class Effect(NamedTuple):
    """One row of the ledger; ``arguments`` is JSON with sorted members, ``at`` seconds since the epoch."""

    key: str
    run_id: str
    tool: str
    arguments: str
    answer: str
    at: float


class Shop:
    """The shop over one SQLite file; any number of processes and threads may use the same file.

    Every run sees a fresh copy of the base data plus its own changes, which is all that is stored for it.
    """

    def __init__(self, path: Path, data: Path | None = None) -> None:
        """Use the file ``path``, made when first needed, over the data in ``data`` or :func:`data_folder`."""
        self._path = path
        self._base = load((data or data_folder()).resolve())
        self._local = threading.local()

    def read(self, run_id: str, tool: str, arguments: Mapping[str, Any]) -> str:
        """Answer a call that has no effect, as the run's database now stands.

        Raises ``ValueError`` for a tool with an effect, as the call would leave no trace in the ledger.
        """
        if tool in rules.ONCE:
            raise ValueError(f"{tool} has an effect: use apply")
        return rules.call(self._view(run_id), tool, arguments)

    def apply(self, run_id: str, key: str, tool: str, arguments: Mapping[str, Any]) -> str:
        """Make a call that has an effect, once per ``key``, and return its answer.

        A key that is in the ledger gets the recorded answer and nothing happens again. A refusal (the answer
        begins with ``Error: ``) is recorded like any other answer; an unknown tool is answered but leaves no
        row. Raises :class:`KeyConflict` when the key stands for another call, ``ValueError`` for a tool
        without effect.
        """
        if tool not in rules.TOOLS:
            return rules.call(self._view(run_id), tool, arguments)
        if tool not in rules.ONCE:
            raise ValueError(f"{tool} has no effect: use read")
        wanted = (run_id, tool, json.dumps(arguments, sort_keys=True))
        # The write lock comes before the look into the ledger: of two calls with one key, the later one waits
        # and then finds the row of the earlier one. Change and row commit together, or neither does.
        with self._transaction() as connection:
            query = "SELECT run_id, tool, arguments, answer FROM effects WHERE key = ?"
            known = connection.execute(query, (key,)).get
            if known is not None:
                if known[:3] != wanted:
                    raise KeyConflict(f"key {key!r} stands for {known[:3]}, not for {wanted}")
                return str(known[3])
            view = self._view(run_id)
            answer = rules.call(view, tool, arguments)
            connection.executemany(
                "INSERT OR REPLACE INTO overlay(run_id, tbl, id, body) VALUES (?, ?, ?, ?)",
                [(run_id, *place, json.dumps(view.get(*place))) for place in sorted(view.written)],
            )
            connection.execute(
                "INSERT INTO effects(key, run_id, tool, arguments, answer, at) VALUES (?, ?, ?, ?, ?, ?)",
                (key, *wanted, answer, time.time()),
            )
        return answer

    def applied(self, key: str) -> str | None:
        """Return the answer that the call under ``key`` got, or ``None`` when it never took effect."""
        query = "SELECT answer FROM effects WHERE key = ?"
        answer: str | None = self._connection().execute(query, (key,)).get
        return answer

    def final_hash(self, run_id: str) -> str:
        """Return the SHA-256, in hex, of the canonical JSON of the run's whole database."""
        return self._view(run_id).final_hash()

    def rows(self, run_id: str | None = None) -> list[Effect]:
        """Return the ledger, or one run's part of it, in the order in which the effects took place."""
        query = """
            SELECT key, run_id, tool, arguments, answer, at FROM effects
            WHERE ?1 IS NULL OR run_id = ?1 ORDER BY rowid
        """
        return [Effect(*row) for row in self._connection().execute(query, (run_id,))]

    def counts(self, run_id: str | None = None) -> dict[str, int]:
        """Count the ledger, or one run's part of it.

        ``effects``: all rows; ``changed``: calls that changed the database; ``refused``: calls answered with
        an error; ``doubled``: rows whose key is there more than once (the primary key keeps it at 0).
        """
        rows = self.rows(run_id)
        refused = sum(row.answer.startswith("Error: ") for row in rows)
        changed = sum(row.tool in rules.WRITING and not row.answer.startswith("Error: ") for row in rows)
        doubled = len(rows) - len({row.key for row in rows})
        return {"effects": len(rows), "changed": changed, "refused": refused, "doubled": doubled}

    def _view(self, run_id: str) -> Overlay:
        query = "SELECT tbl, id, body FROM overlay WHERE run_id = ?"
        changes: dict[Place, Record] = {
            (table, record_id): json.loads(body)
            for table, record_id, body in self._connection().execute(query, (run_id,))
        }
        return Overlay(self._base, changes)

    @contextmanager
    def _transaction(self) -> Iterator[apsw.Connection]:
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _connection(self) -> apsw.Connection:
        """Return this thread's own connection, opening it on first use.

        A transaction belongs to a connection: were one shared, the statements of two threads would mix in
        one transaction. SQLite also forbids to carry a connection over a fork, not even to close it there,
        so connections are kept by process id and a child leaves the inherited ones alone.
        """
        opened: dict[int, apsw.Connection] = self._local.__dict__.setdefault("opened", {})
        connection = opened.get(os.getpid())
        if connection is None:
            connection = opened[os.getpid()] = self._open()
        return connection

    def _open(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._path))
        connection.set_busy_timeout(_BUSY_MS)
        _use_wal(connection)
        # An effect that was answered must outlive a power cut; WAL alone would sync at checkpoints only.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        return connection


def _use_wal(connection: apsw.Connection) -> None:
    """Switch the file to a write-ahead log, which it then keeps for good.

    This is the one step at which SQLite reports "busy" at once instead of waiting: two processes that open a
    new file at the same moment would deadlock if both waited to go on from reading to writing.
    """
    deadline = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
