"""A store with as many runs as a busy month leaves, made by bulk inserts: through the engine it would take minutes."""

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apsw
import asyncpg

from callboard.domain.event import EventKind

RUNS, STEPS, TURNS, QUESTIONS = 100_000, 40, 1_000, 200
_DAY = 86_400.0
_BATCH = 10_000
_COLUMNS = (
    *("id", "tenant", "flow", "version", "status", "digest", "labels", "ready_at", "rank", "created_at", "updated_at"),
    *("finished_at", "cost", "input_tokens", "output_tokens", "error"),
)
_EVENTS = ("run", "seq", "kind", "path", "digest", "at", "took", "body")
_APPROVALS = ("id", "run", "tenant", "path", "kind", "status", "proposal", "opened_at", "deadline")
_COSTS = (
    *("run", "agent", "model", "tenant", "calls", "cost", "input_tokens", "output_tokens", "cached_tokens"),
    *("by_provider", "by_answers", "day", "ended_at", "place", "of_agent", "of_model"),
)
_KINDS = ("upstream_down", "bug", "timeout")


@dataclass(frozen=True, slots=True)
class Filled:
    """Ids of two runs that have journals: one of 40 steps, and an agent's with 2,000 effects."""

    run: str
    long: str


async def fill(store: str, tenant: str, runs: int = RUNS) -> Filled:
    """Fills a store that has its schema."""
    now = time.time()
    if store.startswith("sqlite:"):
        _sqlite(store.removeprefix("sqlite:///"), tenant, now, runs)
    else:
        await _postgres(store, tenant, now, runs)
    return Filled(_id(runs - 1), _id(runs - 2))


def _sqlite(path: str, tenant: str, now: float, runs: int) -> None:
    db = apsw.Connection(path)
    with db:
        for table, columns, rows in _tables(tenant, now, 1, runs):
            marks = ",".join("?" * len(columns))
            db.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})", rows)  # noqa: S608 - names of ours
        db.execute("UPDATE meta SET value = ? WHERE name = 'next_run'", (2 * runs,))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


async def _postgres(store: str, tenant: str, now: float, runs: int) -> None:
    db = await asyncpg.connect(store)
    try:
        for table, columns, rows in _tables(tenant, now, 1, runs):
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


def _tables(
    tenant: str, now: float, first: int, runs: int
) -> Iterator[tuple[str, tuple[str, ...], Iterator[tuple[Any, ...]]]]:
    last = first + runs - 1
    yield "runs", _COLUMNS, _runs(tenant, now, runs)
    yield "run_costs", _COSTS, _costs(tenant, now, first, runs)
    yield "events", _EVENTS, _journal(last, now)
    yield "events", _EVENTS, _turns(last - 1, now)
    yield "approvals", _APPROVALS, _questions(tenant, now, first)


def _runs(tenant: str, now: float, runs: int) -> Iterator[tuple[Any, ...]]:
    chance = random.Random(7)
    for number in range(runs):
        at = now - 30 * _DAY * (1 - number / runs)
        status = "waiting" if number < QUESTIONS else chance.choice(("succeeded",) * 18 + ("failed", "cancelled"))
        error = _error(chance) if status == "failed" else None
        ended = None if status == "waiting" else at + chance.random() * 30
        flow, version = f"flow{chance.randrange(8)}", str(chance.randrange(1, 4))
        labels = json.dumps({"team": chance.choice(("red", "blue", "green"))})
        usage = (chance.randrange(20_000), chance.randrange(5_000), chance.randrange(900))
        times = (at, at, at, ended or at, ended)
        yield (_id(number), tenant, flow, version, status, b"12345678", labels, *times, *usage, error)


def _costs(tenant: str, now: float, first: int, runs: int) -> Iterator[tuple[Any, ...]]:
    """Two agents of each run, which ask one model or two; what they spend is nearly all of what the run did."""
    chance = random.Random(8)
    for number, run in enumerate(_runs(tenant, now, runs), first):
        flow, status, ended, cost, read, written = run[2], run[4], run[11], *run[12:15]
        models = ("small", chance.choice(("small", "large")))
        for agent, model in zip(("clerk", "critic"), models, strict=True):
            spent = (chance.randrange(1, 9), cost // 2, read // 2, written // 2, read // 8, cost // 20, 0)
            filed: tuple[Any, ...] = (None,) * 5
            if ended is not None:
                place = json.dumps([flow, status, f"{agent} of {flow}", model])
                filed = (int(ended // _DAY), ended, place, 1, int(agent == "clerk" or models[0] != model))
            yield (number, f"{agent} of {flow}", model, tenant, *spent, *filed)


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


def _turns(run: int, now: float) -> Iterator[tuple[Any, ...]]:
    """An agent that calls a tool in each of its turns: a journal of three events a turn."""
    at, digest = int((now - 30) * 1e6), b"12345678"
    note = {"agent": "clerk", "model": "small", "considered": [["small", "the first that is up"]]}
    asked = json.dumps({"note": note, "reserved": {"input_tokens": 900, "output_tokens": 400, "cost": 4_000}}).encode()
    found = json.dumps({"result": {"order": "4711", "state": "sent", "lines": ["a blue mug"] * 10}}).encode()
    yield (run, 0, int(EventKind.STARTED), "", b"", at, 0, b"{}")
    for turn in range(TURNS):
        seq, began = 3 * turn + 1, at + turn * 25_000
        call = {"type": "call", "id": f"c{turn}", "name": "look_up", "arguments": {"order": f"{turn}"}}
        said = {"role": "assistant", "parts": [{"type": "text", "text": "I look that up for you. " * 6}, call]}
        usage = {"input_tokens": 800 + turn, "output_tokens": 60, "cost": 900}
        body = json.dumps({"result": {"message": said, "usage": usage, "model": "small"}}).encode()
        yield (run, seq, int(EventKind.INTENT), f"0/{2 * turn}:model", digest, began, 0, asked)
        yield (run, seq + 1, int(EventKind.DONE), f"0/{2 * turn}:model", digest, began + 15_000, 15_000, body)
        yield (run, seq + 2, int(EventKind.DONE), f"0/{2 * turn + 1}:look_up", digest, began + 22_000, 7_000, found)
    yield (run, 3 * TURNS + 1, int(EventKind.RUN_SUCCEEDED), "", b"", at + TURNS * 25_000, 0, b'{"output":1}')


def _questions(tenant: str, now: float, first: int) -> Iterator[tuple[Any, ...]]:
    for number in range(QUESTIONS):
        proposal = b'{"amount":120,"to":"customer"}'
        row = (f"01q{number:023d}", first + number, tenant, "1:ask", "ask", "open", proposal, now, now + 60.0 * number)
        yield row


def _id(number: int) -> str:
    return f"01m{number:023d}"
