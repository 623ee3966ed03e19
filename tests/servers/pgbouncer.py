"""PgBouncer in front of a PostgreSQL: what a fleet's connections go through."""

import secrets
import subprocess
import time
from collections.abc import Sequence
from typing import Self
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from tests.servers.apart import apart
from tests.servers.binaries import NoServer, pgbouncer_program
from tests.servers.card import DidNotStart
from tests.servers.place import Place, free_port, give, last_words, spawn

_START = 30.0  # seconds


class Bouncer:
    """A PgBouncer that pools transactions: each may run on another of the server's connections than the one before."""

    def __init__(self, place: Place, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self._place = place
        self._process = process

    @classmethod
    def begin(cls, urls: Sequence[str], *, pool_size: int = 5) -> Self:
        """Starts one that knows the databases and users of these URLs. Raises `NoServer` where there is none."""
        program = pgbouncer_program()
        if program is None:
            raise NoServer("there is no pgbouncer here, or only wheels may be used")
        place = Place.make("pgbouncer")
        try:
            port, door = free_port(), f"door-{secrets.token_hex(8)}"
            parts = [urlsplit(url) for url in urls]
            # Its own administration goes by a random name: what answers to that name is the one that we started.
            users = {unquote(part.username or ""): unquote(part.password or "") for part in parts} | {door: door}
            databases = {part.path[1:]: f"host={part.hostname} port={part.port or 5432}" for part in parts}
            _write(place, "users", "".join(f'"{name}" "{password}"\n' for name, password in users.items()))
            _write(place, "options", _options(place, port, door, databases, pool_size))
            process = spawn([str(program), str(place.folder / "options")], place.folder, place.folder / "log")
            _wait_until_ready(place, port, door, process)
        except BaseException:
            place.close(alone=True)
            raise
        return cls(place, port, process)

    def url(self, direct: str) -> str:
        """The same database for the same user, by way of this PgBouncer."""
        parts = urlsplit(direct)
        user, _, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self.port}"))

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()
        self._place.close(alone=True)


def _options(place: Place, port: int, door: str, databases: dict[str, str], pool_size: int) -> str:
    lines = ["[databases]", *(f"{name} = {where}" for name, where in databases.items()), "[pgbouncer]"]
    options = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": place.folder / "users",
        "admin_users": door,
        "pool_mode": "transaction",
        "default_pool_size": pool_size,
        "max_client_conn": 1_000,
    }
    return "\n".join([*lines, *(f"{name} = {value}" for name, value in options.items()), ""])


def _write(place: Place, name: str, text: str) -> None:
    path = place.folder / name
    path.touch(0o600)
    give(path, 0o600)
    path.write_text(text)


def _wait_until_ready(place: Place, port: int, door: str, process: subprocess.Popen[bytes]) -> None:
    async def ask() -> None:
        # Its console speaks simple queries alone; to be let in is the answer.
        address = f"postgresql://{door}:{door}@127.0.0.1:{port}/pgbouncer"
        connection = await asyncpg.connect(address, timeout=5, server_settings={"application_name": "callboard"})
        connection.terminate()

    end = time.monotonic() + _START
    while process.poll() is None and time.monotonic() < end:
        try:
            return apart(ask())
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise DidNotStart(f"PgBouncer did not start:\n{last_words(place.folder / 'log')}")
