"""A database with Callboard's schema in it, and its users, for many tests in a row."""

from collections.abc import Iterator

import pytest

from callboard.connections.postgres import Database
from callboard.store.postgres.migrate import migrate
from tests.servers.apart import apart
from tests.servers.binaries import NoServer
from tests.servers.pgbouncer import Bouncer
from tests.servers.postgres import PostgresServer


class PostgresHome:
    """URLs of one database: for its owner, for a worker, and for a door."""

    def __init__(self, server: PostgresServer) -> None:
        self.owner = server.new_database("conformance")
        apart(migrate(Database(self.owner)))
        roles = server.roles(self.owner)
        self.worker, self.door = roles.worker, roles.door
        self._server = server
        found = server.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
            url=self.owner,
        )
        self._tables = sorted({row["relname"] for row in found} - {"callboard_schema"})

    def empty(self) -> None:
        """Takes all rows out. Numbers of runs go on: nobody may count on where they begin."""
        self._server.execute(
            "DO $$ BEGIN ALTER TABLE access_audit DISABLE TRIGGER USER; "  # it refuses to be emptied
            f"TRUNCATE {', '.join(self._tables)}; ALTER TABLE access_audit ENABLE TRIGGER USER; END $$",
            url=self.owner,
        )

    def close(self) -> None:
        """Drops the database and its users."""
        self._server.drop_database(self.owner)


@pytest.fixture(scope="session")
def postgres_home(postgres: PostgresServer) -> Iterator[PostgresHome]:
    home = PostgresHome(postgres)
    yield home
    home.close()


@pytest.fixture(scope="session")
def postgres_bouncer(postgres_home: PostgresHome) -> Iterator[Bouncer]:
    try:
        bouncer = Bouncer.begin([postgres_home.worker])
    except NoServer as error:
        pytest.skip(str(error))
    yield bouncer
    bouncer.close()
