"""A dump of a store at work is one that a fleet goes on from; after a restore, old claims hold nowhere."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import callboard as cb
from callboard.domain.errors import LeaseLost
from callboard.domain.run import RunStatus
from callboard.settings import EngineSettings, Settings
from callboard.store.claims import Release
from callboard.store.postgres import PostgresStore
from tests.deploy.manifests import DEPLOY
from tests.deploy.test_postgres import psql
from tests.servers.binaries import NoServer, system_postgres, wheel_postgres
from tests.servers.postgres import PostgresServer

app = cb.App("restored")
called: list[str] = []


async def note(name: str) -> str:
    called.append(name)
    return name


@app.flow
async def story(ctx: cb.Context, name: str) -> str:
    """One step, a wait, another step."""
    await ctx.step(note, f"{name} before")
    await ctx.wait("go")
    return await ctx.step(note, f"{name} after")


def program(name: str, major: int) -> str:
    """One of PostgreSQL's programs, not older than the server."""
    places = [system_postgres()]
    with contextlib.suppress(NoServer):
        places.append(wheel_postgres() / "bin")
    for place in places:
        found = shutil.which(name, path=f"{place}{os.pathsep}{os.environ['PATH']}")
        if found is None:
            continue
        told = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=30).stdout
        if told and int(told.split()[2].partition(".")[0]) >= major:
            return found
    pytest.skip(f"NOT TESTED: there is no {name} here that fits PostgreSQL {major}")


def run_file(path: Path, url: str) -> None:
    command = [psql(), "--no-psqlrc", "--quiet", "--dbname", url, "--file", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


async def test_runs_go_on_from_a_dump_that_was_taken_while_they_ran(
    postgres: PostgresServer, new_database: Callable[..., str], tmp_path: Path
) -> None:
    called.clear()
    dump = program("pg_dump", postgres.major), program("pg_restore", postgres.major)
    first, second, file = new_database("dumped"), new_database("restored"), str(tmp_path / "dump")
    engine = EngineSettings(sweep=0.1)
    async with cb.open(app, settings=Settings(store=first, engine=engine)) as rt:
        runs = [await rt.start(story, f"r{number}") for number in range(5)]
        for run in runs:
            while await run.status() != RunStatus.WAITING:
                await asyncio.sleep(0.01)
        words = [dump[0], "--format=custom", "--no-unlogged-table-data", "--file", file, first]
        await asyncio.to_thread(subprocess.run, words, check=True, timeout=60)
        await runs[0].signal("go")  # after the dump: the restored store does not know
        await runs[0].result()
    await asyncio.to_thread(
        subprocess.run, [dump[1], "--exit-on-error", "--dbname", second, file], check=True, timeout=60
    )
    await asyncio.to_thread(run_file, DEPLOY / "postgres" / "after-restore.sql", second)
    called.clear()
    async with cb.open(app, settings=Settings(store=second, engine=engine)) as rt:
        for run in runs:
            await rt.handle(run.id).signal("go")
        assert [await rt.handle(run.id).result() for run in runs] == [f"r{number} after" for number in range(5)]
    assert sorted(called) == [f"r{number} after" for number in range(5)], "what the journal had was not done again"


async def test_a_claim_that_was_lost_holds_nowhere(postgres: PostgresServer, new_database: Callable[..., str]) -> None:
    url = new_database("claims")
    async with cb.open(app, settings=Settings(store=url), worker=False) as rt:
        await rt.start(story, "one")
    store = PostgresStore(url)
    await store.open()
    try:
        await store.claims.register("zombie", 1.0)
        (old,) = await store.claims.claim("zombie", ["story@1"], 1, 2e9)
        # The replica that took over never heard of the claim, and would give the same epoch to the next.
        await asyncio.to_thread(postgres.execute, "UPDATE runs SET epoch = 0, owner = NULL, status = 'ready'", url=url)
        await asyncio.to_thread(run_file, DEPLOY / "postgres" / "after-restore.sql", url)
        await store.claims.register("heir", 1.0)
        (new,) = await store.claims.claim("heir", ["story@1"], 1, 2e9)
        with pytest.raises(LeaseLost):
            await store.claims.settle(old.claim, Release())
        await store.claims.settle(new.claim, Release())
        async with cb.open(app, settings=Settings(store=url), worker=False) as rt:
            await rt.start(story, "two")
        claimed = await store.claims.claim("heir", ["story@1"], 5, 2e9)
        assert max(each.claim.number for each in claimed) > old.claim.number + 1_000_000
    finally:
        await store.close()
