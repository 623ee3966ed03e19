"""A saga of five effects against a world outside, and what there is to see when a play of it is over."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

import callboard as cb
from tests.crash.stage import Point

SHORT = 0.1  # seconds: the time limit of `once` calls, which a reconciliation waits for
DONE = ("hold", "pay", "announce", "reserve", "pack")  # what changes something outside, in order
_TRIES = cb.Retry(attempts=3, first=0.01)


class Trial(msgspec.Struct, frozen=True):
    """One play of a scenario: the commit around which the first process is killed (0: none is), and whether the run is
    cancelled before the next one goes on. With `again`, each process dies as soon as it has journaled so
    often. `store` is a URL, by default
    that of a SQLite file in the folder."""

    scenario: str
    folder: str
    point: Point = "after_commit"
    nth: int = 0
    cancel: bool = False
    again: bool = False
    store: str = ""


class Ending(msgspec.Struct, frozen=True):
    """The run at the end: status, error code, what stands according to it, the commits of the last process."""

    status: str
    code: str
    left: list[str]
    commits: int
    undone: list[str]


class World:
    """What is outside: a SQLite file that no process of ours survives or forgets with.

    A call counts once per key, and what was called off by key is never done later: that is what a good service does.
    """

    def __init__(self) -> None:
        self._path = Path()

    def open(self, path: Path) -> None:
        """Makes the file, once."""
        self._path = path
        with self._writing() as db:
            db.execute("CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, what TEXT, calls INTEGER)")
            db.execute("CREATE TABLE IF NOT EXISTS undone (key TEXT PRIMARY KEY, what TEXT, of TEXT, was INTEGER)")
            db.execute("CREATE TABLE IF NOT EXISTS tries (what TEXT)")
            db.execute("CREATE TABLE IF NOT EXISTS asked (what TEXT, standing TEXT)")

    def do(self, what: str, key: str) -> str:
        """Does it, if that key has not done it yet and was not called off."""
        with self._writing() as db:
            if not db.execute("SELECT 1 FROM undone WHERE of = ?", (key,)).fetchone():
                sql = "INSERT INTO done VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET calls = calls + 1"
                db.execute(sql, (key, what))
        return f"{what} {key}"

    def undo(self, what: str, key: str, of: str, *, fails: int = 0) -> None:
        """Undoes what that key did, or calls it off. The first so many times it fails, half of them after it worked."""
        with self._writing() as db:
            db.execute("INSERT INTO tries VALUES (?)", (what,))
            tries = db.execute("SELECT count(*) FROM tries WHERE what = ?", (what,)).fetchone()[0]
            if tries > fails or tries % 2 == 0:
                was = db.execute("SELECT count(*) FROM done WHERE key = ?", (of,)).fetchone()[0]
                db.execute("INSERT OR IGNORE INTO undone VALUES (?, ?, ?, ?)", (key, what, of, was))
        if tries <= fails:
            raise cb.UpstreamDown("out of order")

    def refuse(self, what: str) -> None:
        """Does not undo it, whatever is tried, until it was mended."""
        with self._writing() as db:
            mended = db.execute("SELECT 1 FROM asked WHERE what = 'mended'").fetchone()
        if not mended:
            raise cb.UpstreamDown(f"{what} cannot be undone")

    def found(self, key: str) -> str | None:
        """What that key did."""
        with self._writing() as db:
            row = db.execute("SELECT what FROM done WHERE key = ?", (key,)).fetchone()
        return None if row is None else f"{row[0]} {key}"

    def ask(self, what: str) -> None:
        """A person was asked, while so much stood."""
        with self._writing() as db:
            db.execute("INSERT INTO asked VALUES (?, ?)", (what, " ".join(sorted(self.standing()))))

    def standing(self) -> dict[str, int]:
        """What was done and not undone, and how often."""
        with self._writing() as db:
            sql = "SELECT what, count(*) FROM done WHERE key NOT IN (SELECT of FROM undone) GROUP BY what"
            return dict(db.execute(sql).fetchall())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a test wants to know."""
        with self._writing() as db:
            return db.execute(sql).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=10)) as db, db:
            yield db


WORLD = World()
app = cb.App("saga")
for each in ("hold", "pay", "pack"):  # they fail again in each life, all within a minute
    app.upstream(f"tool:{each}", breaker=None)


def look_up(key: str) -> cb.Applied | cb.NotApplied:
    """Whether a `once` call happened."""
    found = WORLD.found(key)
    return cb.NotApplied() if found is None else cb.Applied(found)


async def release(order: str, key: cb.IdempotencyKey, original_key: str) -> None:
    """Undoes `hold`; twice it does not work."""
    WORLD.undo("hold", key, original_key, fails=2 if order.startswith("stumbling") else 0)


async def refund(order: str, result: str | None, key: cb.IdempotencyKey, original_key: str) -> None:
    """Undoes `pay`; in some plays it never works by itself."""
    assert result in (None, f"pay {original_key}")
    if order.startswith(("stuck", "given_up")):
        WORLD.refuse("pay")
    WORLD.undo("pay", key, original_key)


def retract(original_key: str, key: cb.IdempotencyKey) -> None:
    """Undoes `announce`, in a thread."""
    WORLD.undo("announce", key, original_key)


async def unpack(key: cb.IdempotencyKey, original_key: str, result: str | None) -> None:
    """Undoes `pack`."""
    WORLD.undo("pack", key, original_key)


@app.tool(effect="read")
async def quote(order: str) -> int:
    """A read: there is nothing to undo."""
    return 1


@app.tool(effect="idempotent", compensate=release)
async def hold(order: str, key: cb.IdempotencyKey) -> str:
    """Idempotent."""
    return WORLD.do("hold", key)


@app.tool(effect="once", timeout=SHORT, reconcile=look_up, compensate=refund)
async def pay(order: str, key: cb.IdempotencyKey) -> str:
    """Once, and it can be looked up."""
    return WORLD.do("pay", key)


@app.tool(effect="once", timeout=5.0, compensate=retract)
async def announce(order: str, key: cb.IdempotencyKey) -> str:
    """Once, and only a person can look it up."""
    return WORLD.do("announce", key)


@app.tool(effect="idempotent", retry=cb.Retry(attempts=2, first=0.01), compensate=unpack)
async def pack(order: str, key: cb.IdempotencyKey) -> str:
    """Happens, and in most plays never says so."""
    done = WORLD.do("pack", key)
    if not order.startswith(("well", "waits")):
        raise cb.UpstreamDown("no answer")
    return done


async def reserve(order: str, key: str) -> str:
    """A step."""
    return WORLD.do("reserve", key)


async def give_back(order: str, key: str, original_key: str, result: str | None) -> None:
    """Undoes the step."""
    WORLD.undo("reserve", key, original_key)


@app.flow
async def trip(ctx: cb.Context, order: str) -> str:
    """Five effects that belong together."""
    async with ctx.saga(retry=_TRIES) as saga:
        await quote.call(ctx, order=order)
        await hold.call(ctx, order=order)
        await ctx.gather(pay.call(ctx, order=order), announce.call(ctx, order=order))
        async with ctx.saga() as inner:
            await inner.step(reserve, give_back, order)
        if order.startswith("stumbling"):
            await saga.step(refuse, never, order)
        await pack.call(ctx, order=order)
        if order.startswith("waits"):
            await ctx.wait("never")
    return "all stands"


async def refuse(order: str) -> None:
    """Surely does nothing."""
    raise cb.ToolFailed("refused", detail={"made": False})


async def never(order: str, key: str, original_key: str) -> None:
    """Undoes what surely did not happen."""
    WORLD.undo("refuse", key, original_key)
