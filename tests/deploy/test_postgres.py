"""The SQL of the deploy files is run on a server: users may do what they are for, and nothing else."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx2
import pytest

import callboard as cb
from callboard.domain.errors import StoreError
from callboard.runtime import migrate_schema, schema_status
from callboard.settings import EngineSettings, Settings
from callboard.store.postgres import PostgresStore
from tests.deploy.manifests import DEPLOY, ROOT, gateway, of_kind
from tests.servers.binaries import NoServer, wheel_postgres
from tests.servers.postgres import PostgresServer

FILES = DEPLOY / "postgres"
USERS = {"migrator": "callboard_migrator", "worker": "callboard_worker_login", "door": "callboard_door_login",
         "scaler": "callboard_scaler"}  # fmt: skip
app = cb.App("deployed")


@app.flow
async def wait(ctx: cb.Context, name: str) -> None:
    """Waits for a signal."""
    await ctx.wait("go")


def psql() -> str:
    """The program, the machine's or the wheel's."""
    if (found := shutil.which("psql")) is not None:
        return found
    try:
        found = str(wheel_postgres() / "bin" / "psql")
    except NoServer:
        found = ""
    if not found or subprocess.run([found, "--version"], capture_output=True, timeout=30).returncode:
        pytest.skip("NOT TESTED: there is no psql here")
    return found


class Site:
    """A server whose users and database were made by the deploy files."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server

    def url(self, user: str) -> str:
        """The database's URL for one of its users."""
        login = f"{USERS[user]}:{user}-word"
        return urlunsplit(("postgresql", f"{login}@{self.server.host}:{self.server.port}", "/callboard", "", ""))

    def run(self, file: Path, url: str, **variables: str) -> None:
        """Runs a file with psql. Raises when it fails."""
        words = [f"--set={name}={value}" for name, value in variables.items()]
        command = [psql(), "--no-psqlrc", "--quiet", *words, "--dbname", url, "--file", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert "ERROR" not in done.stderr

    async def ask(self, user: str, sql: str) -> list[asyncpg.Record]:
        """The rows of a statement for one of the users."""
        db = await asyncpg.connect(self.url(user))
        try:
            found: list[asyncpg.Record] = await db.fetch(sql)
            return found
        finally:
            await db.close()


@pytest.fixture
def site(private_postgres: Callable[..., PostgresServer]) -> Iterator[Site]:
    found = Site(private_postgres())
    words = {f"{user}_password": f"{user}-word" for user in USERS}
    for _ in range(2):  # it may be repeated
        found.run(FILES / "roles.sql", found.server.url, **words)
    yield found


async def migrated(site: Site) -> None:
    assert await migrate_schema(site.url("migrator"), ("before",))
    await migrate_schema(site.url("migrator"), ("after",))
    assert None not in dict(await schema_status(site.url("migrator"))).values()
    await asyncio.to_thread(site.run, FILES / "scaling.sql", site.url("migrator"))


async def test_each_user_may_do_what_it_is_for(site: Site) -> None:
    await migrated(site)
    door = Settings(store=site.url("door"), tenant="acme")
    async with cb.open(app, settings=door, worker=False) as rt:
        run = await rt.start(wait, "one")
        async with cb.open(app, settings=Settings(store=site.url("worker"), engine=EngineSettings(sweep=0.1))):
            await run.signal("go")
            assert await run.result() is None


async def test_the_gateway_as_it_is_deployed_starts_with_the_doors_log_in(site: Site, tmp_path: Path) -> None:
    await migrated(site)
    (tmp_path / "shop.py").write_text("from tests.deploy.test_postgres import app\n")
    command = ["0" if word in ("8080", "5") else word for word in gateway()["args"]]  # any port, no grace
    said = tmp_path / "said"
    with said.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "callboard.apps.cli", *command],
            cwd=tmp_path,
            env=os.environ
            | {"CALLBOARD_STORE": site.url("door"), "CALLBOARD_GATEWAY_SECRET": "s" * 32, "PYTHONPATH": str(ROOT)},
            stderr=log,
        )
    try:
        async with asyncio.timeout(60):
            while not (found := re.search(r"http://\S+:(\d+) on ", said.read_text())):
                assert process.poll() is None, said.read_text()
                await asyncio.sleep(0.1)
        key = re.search(r"^cb_\w+$", said.read_text(), re.MULTILINE)
        assert key is not None
        headers = {"Authorization": f"Bearer {key[0]}"}
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{found[1]}", headers=headers) as client:
            assert (await client.get("/readyz")).status_code == 200
            started = await client.post("/v1/runs", json={"flow": "wait", "input": "one"})
            assert started.status_code == 201, started.text
            metrics = await client.get("/metrics")
            assert metrics.status_code == 200
            assert "callboard_" in metrics.text
        async with cb.open(app, settings=Settings(store=site.url("worker"), engine=EngineSettings(sweep=0.1))) as rt:
            await rt.handle(started.json()["id"]).signal("go")
            assert await rt.handle(started.json()["id"]).result(20) is None
    finally:
        process.terminate()
        assert await asyncio.to_thread(process.wait, 30) == 0, said.read_text()


async def test_a_door_sees_one_tenant_and_a_worker_all(site: Site) -> None:
    await migrated(site)
    for tenant in ("acme", "globex"):
        settings = Settings(store=site.url("door"), tenant=tenant)
        async with cb.open(app, settings=settings, worker=False) as rt:
            await rt.start(wait, tenant)
            assert len(await rt.store.runs.find(tenant)) == 1
    assert await site.ask("door", "SELECT * FROM runs") == []
    assert len(await site.ask("worker", "SELECT * FROM runs")) == 2


@pytest.mark.parametrize("user", ["worker", "door", "scaler"])
async def test_nobody_but_the_migrator_changes_the_schema(site: Site, user: str) -> None:
    await migrated(site)
    for statement in ("CREATE TABLE mine (id int)", "DROP TABLE runs", "CREATE TEMPORARY TABLE mine (id int)"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await site.ask(user, statement)


async def test_a_user_who_was_granted_nothing_does_not_even_enter(site: Site) -> None:
    site.server.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger-word'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="CONNECT"):
        await asyncpg.connect(site.url("worker").replace("callboard_worker_login:worker", "stranger:stranger"))


async def test_workers_of_a_database_that_is_not_migrated_say_so(site: Site) -> None:
    with pytest.raises(StoreError, match="db migrate"):
        await PostgresStore(site.url("worker")).open()


async def test_the_scaler_sees_what_the_store_tells_and_no_run(site: Site) -> None:
    await migrated(site)
    async with cb.open(app, settings=Settings(store=site.url("worker"), tenant="acme"), worker=False) as rt:
        assert await asked(site) == {"runs": 0, "age": 0}
        for name in ("one", "two", "three"):
            await rt.start(wait, name)
        await rt.start(wait, "later", delay=3_600)
        await site.ask("migrator", "UPDATE runs SET ready_at = ready_at - 100 WHERE status = 'ready'")
        await site.ask("migrator", "UPDATE runs SET status = 'running' WHERE number = (SELECT min(number) FROM runs)")
        found = await asked(site)
        assert found["runs"] == 3
        assert 100 <= found["age"] < 200
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await site.ask("scaler", "SELECT * FROM runs")


async def asked(site: Site) -> dict[str, int]:
    """What KEDA would be answered: one whole number for each of its questions."""
    answers = {}
    for trigger in the_triggers():
        ((answer,),) = await site.ask("scaler", trigger["metadata"]["query"])
        assert type(answer) is int
        answers[trigger["name"]] = answer
    return answers


def the_triggers() -> list[dict]:
    """What KEDA asks PostgreSQL."""
    found = [trigger for each in of_kind("ScaledObject") for trigger in each["spec"]["triggers"]]
    return [trigger for trigger in found if trigger["type"] == "postgresql"]


def test_the_script_for_the_image_of_postgres_makes_the_users(private_postgres: Callable[..., PostgresServer]) -> None:
    server = private_postgres()
    parts = urlsplit(server.url)
    script = (FILES / "init.sh").read_text(encoding="utf-8").replace("/callboard/", f"{FILES}/")
    assert (FILES / "init.sh").stat().st_mode & 0o111
    environment = {
        "PATH": f"{Path(psql()).parent}:{os.environ['PATH']}",
        "POSTGRES_USER": parts.username or "",
        "PGHOST": server.host,
        "PGPORT": str(server.port),
        "PGPASSWORD": parts.password or "",
        **{f"CALLBOARD_{user.upper()}_PASSWORD": f"{user}-word" for user in USERS if user != "scaler"},
    }
    done = subprocess.run(["sh"], input=script, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    site = Site(server)
    for user in ("migrator", "worker", "door"):
        assert asyncio.run(site.ask(user, "SELECT current_user"))[0][0] == USERS[user]
    assert not server.execute("SELECT FROM pg_roles WHERE rolname = 'callboard_scaler'")
