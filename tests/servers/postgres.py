"""A PostgreSQL server as tests use it: databases and roles of their own; throwaway servers can be stopped and hurt."""

import re
import secrets
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import asyncpg

from tests.servers.apart import apart
from tests.servers.card import Card, ForeignServer
from tests.servers.cluster import Cluster, How
from tests.servers.place import Place

_OLDEST = 15


@dataclass(frozen=True, slots=True)
class Roles:
    """URLs of one database for two users who own nothing and are no superusers."""

    worker: str = field(repr=False)
    door: str = field(repr=False)


class PostgresServer:
    """A server that answers at `url` for a user who may create databases and roles.

    Either our own (`own`), shared by the session or private to a test, or one that the environment named. In the latter
    only databases and roles are touched that were made here, under random names.
    """

    def __init__(
        self, url: str, *, card: Card | None = None, cluster: Cluster | None = None, place: Place | None = None
    ):
        self.url = url
        self._card = card
        self._cluster = cluster
        self._place = place
        self._made: dict[str, list[str]] = {}  # database: its log-in roles

    @classmethod
    def given(cls, url: str) -> Self:
        """The server that the environment named. Raises when it cannot be reached or is too old."""
        server = cls(url)
        if server.major < _OLDEST:
            raise RuntimeError(f"CALLBOARD_TEST_POSTGRES names PostgreSQL {server.major}; {_OLDEST} or newer is needed")
        return server

    @classmethod
    def begin(cls, *, durable: bool = False, private: bool = False, settings: Mapping[str, str] | None = None) -> Self:
        """Starts a server of our own. `durable`: with fsync, as in production. `private`: it may be hurt."""
        place = Place.make("postgres")
        try:
            cluster = Cluster(place, durable=durable, settings=settings or {})
            cluster.start()
            server = cls(_url(cluster.card), card=cluster.card, cluster=cluster if private else None, place=place)
            server.prove()
        except BaseException:
            place.close(alone=True)
            raise
        return server

    @classmethod
    def join(cls, card: Card, place: Place) -> Self:
        """The server that another process of this session has begun."""
        server = cls(_url(card), card=card, place=place)
        try:
            server.prove()
        except BaseException:
            place.close(alone=False)
            raise
        return server

    def __repr__(self) -> str:
        return f"PostgresServer({self.host}:{self.port})"

    @property
    def card(self) -> Card:
        """What another process needs in order to join."""
        assert self._card is not None, "a server from the environment is found there, not joined"
        return self._card

    @property
    def own(self) -> bool:
        """Whether we started it."""
        return self._card is not None

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or "localhost"

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 5432

    @property
    def major(self) -> int:
        """The version: 15, 16, …"""
        (row,) = self.execute("SELECT current_setting('server_version_num')::int AS number")
        return int(row["number"]) // 10_000

    def prove(self) -> None:
        """Raises `ForeignServer` unless the server that was started is the one that answers."""

        async def ask() -> None:
            async with self._session(self.url):
                pass

        apart(ask())

    def new_database(self, hint: str = "test", template: str | None = None) -> str:
        """Makes a database under a random name and returns its URL for its owner.

        `template` is the URL of a database made here that nobody is connected to: the new one begins as its copy.
        """
        name = f"callboard_{re.sub(r'[^a-z0-9]+', '_', hint.lower())[:24]}_{secrets.token_hex(8)}"
        copied = "" if template is None else f' TEMPLATE "{self._made_here(template)}"'
        self._made[name] = []
        self.execute(f'CREATE DATABASE "{name}"{copied}')
        return _replace(self.url, path=f"/{name}")

    def drop_database(self, url: str) -> None:
        """Drops a database that was made here, whoever is connected to it, and its log-in roles."""
        name = self._made_here(url)
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        for role in self._made.pop(name):
            self.execute(f'DROP ROLE IF EXISTS "{role}"')

    def roles(self, url: str) -> Roles:
        """Makes a log-in role for workers and one for doors in a migrated database: migrating made the groups."""
        name = self._made_here(url)
        return Roles(*(self._role(name, url, group) for group in ("callboard_worker", "callboard_door")))

    def execute(self, sql: str, *arguments: object, url: str | None = None) -> list[Any]:
        """The rows of one statement, run as the owner in the database of `url`, by default the administration's."""

        async def ask() -> list[Any]:
            async with self._session(url or self.url) as connection:
                return list(await connection.fetch(sql, *arguments))

        return apart(ask())

    def start(self) -> None:
        """Starts a stopped private server again, at the same port."""
        self._private().start()
        self.prove()

    def stop(self, how: How = "fast") -> None:
        """Stops a private server: `fast` and `immediate` as PostgreSQL means them; `kill` kills every process of it."""
        self._private().stop(how)

    def restart(self, how: How = "fast") -> None:
        """Stops and starts a private server."""
        self.stop(how)
        self.start()

    def freeze(self) -> None:
        """Lets a private server take connections and requests and never answer."""
        self._private().signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen server go on."""
        self._private().signal_all(signal.SIGCONT)

    def close(self) -> None:
        """Drops what was made here and lets go of the server. A private one has ended when this returns."""
        if self._cluster is not None:
            self._cluster.stop("immediate")
        else:
            for name in list(self._made):
                self.drop_database(_replace(self.url, path=f"/{name}"))
        if self._place is not None:
            self._place.close(alone=self._cluster is not None)

    def _private(self) -> Cluster:
        assert self._cluster is not None, "this server is shared: ask for private_postgres() to stop or hurt one"
        return self._cluster

    def _made_here(self, url: str) -> str:
        name = unquote(urlsplit(url).path.removeprefix("/"))
        if name not in self._made:
            raise ForeignServer(f"the database {name!r} was not made here: it is left alone")
        return name

    def _role(self, database: str, url: str, group: str) -> str:
        role, password = f"{group}_{secrets.token_hex(8)}", secrets.token_hex(16)
        self.execute(f"CREATE ROLE \"{role}\" LOGIN PASSWORD '{password}' IN ROLE {group}")
        self._made[database].append(role)
        return _replace(url, user=f"{role}:{password}")

    @asynccontextmanager
    async def _session(self, url: str) -> AsyncIterator[Any]:
        """A connection of which it is proven that it leads to our server."""
        try:
            connection = await asyncpg.connect(url, timeout=20)
        except asyncpg.InvalidAuthorizationSpecificationError as refused:
            raise ForeignServer(f"what answers at {self.host}:{self.port} does not know our user") from refused
        try:
            if self._card is not None:
                sql = "SELECT current_setting('cluster_name') AS name, current_setting('data_directory') AS folder"
                row = await connection.fetchrow(sql)
                if (row["name"], row["folder"]) != (self._card.name, f"{self._card.folder}/data"):
                    raise ForeignServer(f"another PostgreSQL answers at {self.host}:{self.port}: {row['name']!r}")
            yield connection
        finally:
            await connection.close(timeout=20)


def _url(card: Card) -> str:
    return f"postgresql://callboard:{card.password}@127.0.0.1:{card.port}/postgres"


def _replace(url: str, *, path: str | None = None, user: str | None = None) -> str:
    parts = urlsplit(url)
    own, _, place = parts.netloc.rpartition("@")
    netloc = f"{user or own}@{place}" if user or own else place
    return urlunsplit(parts._replace(netloc=netloc, path=quote(path) if path is not None else parts.path))
