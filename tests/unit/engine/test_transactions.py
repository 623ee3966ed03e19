"""The user's rows and the journal's in one commit: both are there, or neither, exactly once."""

import asyncio
from pathlib import Path
from typing import Any

import apsw

import callboard as cb
from callboard.domain.event import EventKind
from callboard.domain.retry import Retry
from callboard.domain.run import RunStatus
from callboard.testing import runtime
from tests.unit.engine.play import Gate, die_and_return, failure, kinds, story


def rows(path: Path) -> list[Any]:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return [row[0] for row in db.execute("SELECT note FROM ledger ORDER BY rowid")]
    finally:
        db.close()


def table(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE IF NOT EXISTS ledger (note TEXT UNIQUE)")
    db.close()


def write(db: apsw.Connection, note: str) -> int:
    db.execute("INSERT INTO ledger VALUES (?)", (note,))
    return db.last_insert_rowid()


async def test_the_rows_are_written_once_whatever_dies_afterwards(tmp_path: Path) -> None:
    app, gate = cb.App("ledger"), Gate()

    @app.flow
    async def pay(ctx: cb.Context, note: str) -> Any:
        row = await ctx.transaction(write, note)
        await ctx.step(gate.enter)
        return row

    path = tmp_path / "store.db"
    async with runtime(app, path) as test:
        table(path)
        handle = await test.start(pay, "rent")
        await gate.reached.wait()
        assert rows(path) == ["rent"]
        handle = await die_and_return(test, handle)
        gate.opened.set()
        assert await handle.result(timeout=30) == 1
        assert rows(path) == ["rent"]
        assert await kinds(test, handle, "0:write") == [EventKind.DONE]


async def test_what_raises_leaves_no_row_and_its_failure_in_the_journal(tmp_path: Path) -> None:
    app = cb.App("ledger")

    def half(db: apsw.Connection, note: str) -> None:
        write(db, note)
        raise ValueError("no cover")

    @app.flow
    async def pay(ctx: cb.Context, note: str) -> Any:
        await ctx.transaction(half, note)

    path = tmp_path / "store.db"
    async with runtime(app, path) as test:
        table(path)
        handle = await test.start(pay, "rent")
        error = await failure(handle)
        assert (error.code, "no cover" in str(error)) == ("step_failed", True)
        assert rows(path) == []
        assert await kinds(test, handle, "0:half") == [EventKind.FAILED]


async def test_a_result_that_cannot_be_stored_undoes_the_rows(tmp_path: Path) -> None:
    app = cb.App("ledger")

    def strange(db: apsw.Connection, note: str) -> Any:
        write(db, note)
        return object()

    @app.flow
    async def pay(ctx: cb.Context, note: str) -> Any:
        await ctx.transaction(strange, note)

    path = tmp_path / "store.db"
    async with runtime(app, path) as test:
        table(path)
        assert (await failure(await test.start(pay, "rent"))).kind == "malformed_result"
        assert rows(path) == []


async def test_it_is_tried_again_as_its_retry_says(tmp_path: Path) -> None:
    app, tries = cb.App("ledger"), []

    def moody(db: apsw.Connection, note: str) -> str:
        write(db, note)
        tries.append(note)
        if len(tries) < 3:
            raise OSError("not now")
        return f"{len(tries)} tries"

    @app.flow
    async def pay(ctx: cb.Context, note: str) -> Any:
        return await ctx.transaction(moody, note, retry=Retry(attempts=3))

    path = tmp_path / "store.db"
    async with runtime(app, path) as test:
        table(path)
        handle = await test.start(pay, "rent")
        await test.wind(60)
        assert await handle.result(timeout=30) == "3 tries"
        assert rows(path) == ["rent"]
        assert await story(test, handle) == [
            "started",
            "retry 0:moody",
            "retry 0:moody",
            "done 0:moody",
            "run succeeded",
        ]


async def test_it_may_neither_commit_nor_touch_the_journal(tmp_path: Path) -> None:
    app, said = cb.App("ledger"), []

    def tricks(db: apsw.Connection) -> None:
        for statement in ("COMMIT", "SAVEPOINT mine", "DELETE FROM events", "UPDATE runs SET owner = 'me'"):
            try:
                db.execute(statement)
                said.append(f"{statement} was allowed")
            except apsw.AuthError:
                said.append("refused")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        await ctx.transaction(tricks)
        return "done"

    async with runtime(app, tmp_path / "store.db") as test:
        assert await test.run(flow) == "done"
        assert said == ["refused"] * 4


async def test_an_asynchronous_function_is_refused_with_a_reason(tmp_path: Path) -> None:
    app = cb.App("ledger")

    async def late(db: apsw.Connection) -> None:
        await asyncio.sleep(0)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        await ctx.transaction(late)

    async with runtime(app, tmp_path / "store.db") as test:
        assert "asynchronous" in str(await failure(await test.start(flow)))


async def test_one_that_takes_too_long_is_stopped_and_undone(tmp_path: Path) -> None:
    app = cb.App("ledger")

    def endless(db: apsw.Connection) -> Any:
        write(db, "half")
        return db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        ).fetchone()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        await ctx.transaction(endless, timeout=0.2)

    path = tmp_path / "store.db"
    async with runtime(app, path) as test:
        table(path)
        assert (await failure(await test.start(flow))).code == "step_failed"
        assert rows(path) == []


async def test_many_side_by_side_leave_a_journal_without_gaps(tmp_path: Path) -> None:
    app = cb.App("ledger")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        async def both(n: int) -> Any:
            await ctx.now()
            return await ctx.transaction(write, str(n), name=f"write{n}")

        return await ctx.gather(*(both(n) for n in range(20)))

    path = tmp_path / "store.db"
    async with runtime(app, path) as test:
        table(path)
        handle = await test.start(flow)
        assert sorted(await handle.result(timeout=30)) == list(range(1, 21))
        found = await test.rt.store.journal.read("default", handle.id)
        assert [e.seq for e in found] == list(range(len(found)))
        assert (await handle.run()).status is RunStatus.SUCCEEDED
