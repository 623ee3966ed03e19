"""A store with as many runs as a busy month leaves, made by bulk inserts: through the engine it would take minutes."""

import json
import random
import time
from collections.abc import Iterator
from typing import Any

import apsw
import asyncpg

from callboard.domain.event import EventKind

RUNS, STEPS, QUESTIONS = 100_000, 40, 200
_DAY = 86_400.0
_BATCH = 10_000
_COLUMNS = (
    *("id", "tenant", "flow", "version", "status", "digest", "labels", "ready_at", "rank", "created_at", "updated_at"),
    *("finished_at", "cost", "input_tokens", "output_tokens", "error"),
)
_EVENTS = ("run", "seq", "kind", "path", "digest", "at", "took", "body")
_APPROVALS = ("id", "run", "tenant", "path", "kind", "status", "proposal", "opened_at", "deadline")
_KINDS = ("upstream_down", "bug", "timeout")


async def fill(store: str, tenant: str) -> str:
    """Fills a store that has its schema. Returns the id of a run with a journal of some length."""
    now = time.time()
    if store.startswith("sqlite:"):
        _sqlite(store.removeprefix("sqlite:///"), tenant, now)
    else:
        await _postgres(store, tenant, now)
    return _id(RUNS - 1)


def _sqlite(path: str, tenant: str, now: float) -> None:
    db = apsw.Connection(path)
    with db:
        for table, columns, rows in _tables(tenant, now, 1):
            marks = ",".join("?" * len(columns))
            db.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})", rows)  # noqa: S608 - names of ours
        db.execute("UPDATE meta SET value = ? WHERE name = 'next_run'", (2 * RUNS,))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


async def _postgres(store: str, tenant: str, now: float) -> None:
    db = await asyncpg.connect(store)
    try:
        for table, columns, rows in _tables(tenant, now, 1):
            batch: list[tuple[Any, ...]] = []
            for row in rows:
                batch.append(row)
                if len(batch) == _BATCH:
                    await db.copy_records_to_table(table, records=batch, columns=columns)
                    batch.clear()
            await db.copy_records_to_table(table, records=batch, columns=columns)
        await db.execute("VACUUM ANALYZE")  # as the server does by itself, a little later
    finally:
        await db.close()


def _tables(tenant: str, now: float, first: int) -> Iterator[tuple[str, tuple[str, ...], Iterator[tuple[Any, ...]]]]:
    last = first + RUNS - 1
    yield "runs", _COLUMNS, _runs(tenant, now)
    yield "events", _EVENTS, _journal(last, now)
    yield "approvals", _APPROVALS, _questions(tenant, now, first)


def _runs(tenant: str, now: float) -> Iterator[tuple[Any, ...]]:
    chance = random.Random(7)
    for number in range(RUNS):
        at = now - 30 * _DAY * (1 - number / RUNS)
        status = "waiting" if number < QUESTIONS else chance.choice(("succeeded",) * 18 + ("failed", "cancelled"))
        error = _error(chance) if status == "failed" else None
        ended = None if status == "waiting" else at + chance.random() * 30
        flow, version = f"flow{chance.randrange(8)}", str(chance.randrange(1, 4))
        labels = json.dumps({"team": chance.choice(("red", "blue", "green"))})
        usage = (chance.randrange(20_000), chance.randrange(5_000), chance.randrange(900))
        times = (at, at, at, ended or at, ended)
        yield (_id(number), tenant, flow, version, status, b"12345678", labels, *times, *usage, error)


def _error(chance: random.Random) -> bytes:
    said = {"code": "step", "kind": chance.choice(_KINDS), "message": "it did not answer in time", "path": "1:look_up"}
    return json.dumps(said).encode()


def _journal(run: int, now: float) -> Iterator[tuple[Any, ...]]:
    at = int((now - 60) * 1e6)
    yield (run, 0, int(EventKind.STARTED), "", b"", at, 0, b"{}")
    for seq in range(1, STEPS + 1):
        body = json.dumps({"found": "x" * 300, "number": seq}).encode()
        yield (run, seq, int(EventKind.DONE), f"{seq}:look_up", b"12345678", at + seq * 100_000, 90_000, body)
    yield (run, STEPS + 1, int(EventKind.RUN_SUCCEEDED), "", b"", at + STEPS * 100_000, 0, b'{"output":1}')


def _questions(tenant: str, now: float, first: int) -> Iterator[tuple[Any, ...]]:
    for number in range(QUESTIONS):
        proposal = b'{"amount":120,"to":"customer"}'
        row = (f"01q{number:023d}", first + number, tenant, "1:ask", "ask", "open", proposal, now, now + 60.0 * number)
        yield row


def _id(number: int) -> str:
    return f"01m{number:023d}"
