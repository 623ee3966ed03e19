"""The sample of PgBouncer's options is one that PgBouncer takes, and a fleet works through it."""

import configparser
import contextlib
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

import callboard as cb
from callboard.settings import EngineSettings, Settings
from tests.deploy.manifests import DEPLOY
from tests.servers.binaries import pgbouncer_program
from tests.servers.place import Place, free_port, give, last_words, spawn

SAMPLE = DEPLOY / "postgres" / "pgbouncer.ini"
app = cb.App("bounced")


@app.flow
async def add(ctx: cb.Context, numbers: list[int]) -> int:
    """Adds up, one step a number."""
    total = 0
    for number in numbers:
        total = await ctx.step(plus, total, number)
    return total


async def plus(left: int, right: int) -> int:
    return left + right


def sample(**changed: object) -> configparser.ConfigParser:
    """The file, with what is this machine's own put in."""
    found = configparser.ConfigParser(inline_comment_prefixes=None, comment_prefixes=(";",))
    found.read_string(SAMPLE.read_text(encoding="utf-8"))
    for name, value in changed.items():
        assert found["pgbouncer"].get(name), f"{name} is not in the sample"
        found["pgbouncer"][name] = str(value)
    return found


@pytest.fixture
def bouncer(new_database: Callable[..., str]) -> Iterator[tuple[str, str]]:
    """The database's own URL, and the one through a PgBouncer with the sample's options."""
    program = pgbouncer_program()
    if program is None:
        pytest.skip("NOT TESTED behind a pooler: there is no pgbouncer here, or only wheels may be used")
    direct = new_database("bounced")
    parts = urlsplit(direct)
    with contextlib.closing(_Held(Place.make("pgbouncer"))) as held:
        place, port = held.place, free_port()
        options = sample(listen_addr="127.0.0.1", listen_port=port, auth_file=place.folder / "users")
        options["databases"] = {parts.path[1:]: f"host={parts.hostname} port={parts.port}"}
        options["pgbouncer"]["unix_socket_dir"] = ""
        for name in ("users", "options"):
            (place.folder / name).touch(0o600)
            give(place.folder / name, 0o600)
        (place.folder / "users").write_text(f'"{parts.username}" "{parts.password}"\n')
        with (place.folder / "options").open("w") as file:
            options.write(file)
        process = spawn([str(program), str(place.folder / "options")], place.folder, place.folder / "log")
        try:
            _wait(port)
            login = parts.netloc.rpartition("@")[0]
            yield direct, f"postgresql://{login}@127.0.0.1:{port}{parts.path}?pgbouncer=1"
            told = last_words(place.folder / "log")
            assert "unknown parameter" not in told.lower(), told
        finally:
            process.kill()
            process.wait()


class _Held:
    def __init__(self, place: Place) -> None:
        self.place = place

    def close(self) -> None:
        self.place.close(alone=True)


def _wait(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError("PgBouncer did not start")


async def test_a_fleet_works_through_it_and_listens_beside_it(bouncer: tuple[str, str]) -> None:
    direct, through = bouncer
    engine = EngineSettings(sweep=0.2)
    async with cb.open(app, settings=Settings(store=direct), worker=False):
        pass  # the schema is made at the server itself
    settings = Settings(store=through, direct=direct, engine=engine)
    async with cb.open(app, settings=settings), cb.open(app, settings=settings, worker=False) as door:
        runs = [await door.start(add, [number, 1], key=secrets.token_hex(4)) for number in range(20)]
        assert [await run.result() for run in runs] == [number + 1 for number in range(20)]


def test_it_pools_transactions_and_knows_where_the_server_is() -> None:
    found = sample()
    assert found["pgbouncer"]["pool_mode"] == "transaction"
    assert found["databases"]["callboard"] == "host=postgres port=5432"
    assert "server_reset_query_always" not in found["pgbouncer"]
