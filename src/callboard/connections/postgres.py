"""PostgreSQL connections through asyncpg: how they are opened, and what their errors mean to a person."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from callboard.domain.errors import InputInvalid, RowRefused, StoreError, StoreForbidden, StoreUnavailable

DOOR = "callboard_door"
_CONNECT = 10.0  # seconds until a server that does not answer counts as unreachable
_COMMAND = 30.0  # seconds for one statement
_WAIT = 30.0  # seconds to wait for a free connection of the pool
_IDLE = 5_000  # milliseconds after which the server ends a transaction whose client has gone silent
_VALUE = re.compile(r"(query argument \$\d+): .* (?=\()")  # what asyncpg could not encode may be anybody's secret
# What asyncpg raises. Its InternalClientError too means a connection that is about to be cut: the server has said so
# while nobody was asking it anything, and what is asked in that moment meets a state that asyncpg does not expect.
DRIVER = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
_OURS = frozenset({"pgbouncer"})  # words in the URL that are not meant for PostgreSQL


class Database:
    """A pool of connections to one database, and connections beside it for those who keep one.

    Behind PgBouncer in transaction mode (`?pgbouncer=1` in the URL) every use is a transaction and nothing is
    prepared or set for longer than one.

    Args:
        url: `postgresql://user:password@host:port/database`.
        door: its transactions see one tenant only, whoever logs in: they take the role `callboard_door`.
        size: how many connections the pool opens at most.
        least: how many it opens at once.
    """

    def __init__(self, url: str, *, door: bool = False, size: int = 10, least: int = 1) -> None:
        self.url, self.bouncing = _split(url)
        self.name = address(url)
        self.door = door
        self._size = size
        self._least = least
        self._pool: asyncpg.Pool | None = None
        self._tenants: dict[int, str] = {}  # which tenant the sessions of a door see, by the server's process

    async def open(self) -> None:
        """Connects. Raises StoreError with what to do."""
        # All that is asked here goes by an index: a plan that is made once for any values is as good as one for these.
        options = self._options({"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"})
        with explained(self.url):
            self._pool = await asyncpg.create_pool(
                min_size=self._least,
                max_size=self._size,
                init=self._met,
                reset=_nothing,
                command_timeout=_COMMAND,
                **options,
            )

    async def close(self) -> None:
        """Disconnects; what is in use is waited for, but not for long."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await asyncio.wait_for(pool.close(), 5.0)
            except DRIVER:
                pool.terminate()

    async def connect(self, settings: dict[str, str] | None = None) -> asyncpg.Connection:
        """A connection outside the pool, for its holder alone. Raises what asyncpg raises."""
        db = await asyncpg.connect(command_timeout=_COMMAND, **self._options(settings or {}))
        await self._met(db)
        return db

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        """A connection as the role that logged in, for workers; each statement is its own transaction.

        Raises StoreUnavailable when none becomes free in time.
        """
        if self.door:
            raise InputInvalid("a door's connection is used in transactions that name a tenant")
        async with self.taken() as db:
            if not self.bouncing:
                yield db
                return
            async with begun(db, "BEGIN"):
                yield db

    @asynccontextmanager
    async def transaction(self, tenant: str | None = None) -> AsyncIterator[Any]:
        """A connection inside a transaction, which is committed at the end of the block, or undone if it raises.

        For a door, one that sees and writes rows of `tenant` only.
        """
        prologue = self.prologue(tenant)
        async with self.taken() as db, begun(db, prologue):
            yield db

    @asynccontextmanager
    async def reading(self, tenant: str | None = None) -> AsyncIterator[Any]:
        """A connection to read with; a door's sees rows of `tenant` only. Each statement is its own transaction."""
        if not self.door:
            async with self.acquire() as db:
                yield db
        elif self.bouncing:
            prologue = self.prologue(tenant, "BEGIN READ ONLY")
            async with self.taken() as db, begun(db, prologue):
                yield db
        else:
            async with self.taken() as db:
                await self.show(db, tenant)
                yield db

    @asynccontextmanager
    async def snapshot(self, tenant: str | None = None) -> AsyncIterator[Any]:
        """A connection to read with, whose statements all see the same moment; a door's sees rows of `tenant` only."""
        prologue = self.prologue(tenant, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        async with self.taken() as db, begun(db, prologue):
            yield db

    async def show(self, db: Any, tenant: str | None) -> None:
        """Lets a door's session see one tenant, until it is told another: not behind a bouncer.

        Most of what a door does is for the tenant that this connection served last, and then costs nothing.
        """
        if tenant is None:
            raise InputInvalid("a door's session has to name its tenant")
        session = db.get_server_pid()
        if self._tenants.get(session) != tenant:
            self._tenants.pop(session, None)
            await db.execute(
                f"SELECT set_config('role', '{DOOR}', false), set_config('callboard.tenant', {quoted(tenant)}, false)"
            )
            self._tenants[session] = tenant

    async def _met(self, db: Any) -> None:
        """A new session sees nobody yet, whichever session had the name of its process before."""
        self._tenants.pop(db.get_server_pid(), None)

    def prologue(self, tenant: str | None, begin: str = "BEGIN", *, writer: str = "") -> str:
        """What begins a transaction, in one message to the server. A door's has to name its tenant, and the writer
        whose mark it sets, if it sets one."""
        settings = {}
        if self.door:
            if tenant is None:
                raise InputInvalid("a door's transaction has to name its tenant")
            settings = {"role": DOOR, "callboard.tenant": tenant}
            if writer:
                settings["callboard.writer"] = writer
        if self.bouncing:
            settings["idle_in_transaction_session_timeout"] = str(_IDLE)
        calls = ", ".join(f"set_config('{name}', {quoted(value)}, true)" for name, value in settings.items())
        return f"{begin}; SELECT {calls}" if calls else begin

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[Any]:
        """A connection of the pool as it is, for those who begin and end transactions themselves.

        Raises StoreUnavailable when none becomes free in time.
        """
        pool = self._pool
        if pool is None:
            raise StoreUnavailable(f"{self.name} is closed", remedy="open the store again")
        with explained(self.url):
            try:
                db = await pool.acquire(timeout=_WAIT)
            except TimeoutError as error:
                raise StoreUnavailable(
                    f"no connection to {self.name} became free in {_WAIT:g} seconds",
                    why=f"all {self._size} of the pool are in use, or the server does not answer",
                    remedy="repeat later; if it stays so, allow the pool more connections",
                ) from error
            try:
                yield db
            finally:
                with contextlib.suppress(*DRIVER):
                    await pool.release(db, timeout=5.0)  # a connection that was cut is replaced at its next use

    def _options(self, settings: dict[str, str]) -> dict[str, Any]:
        names = {"application_name": "callboard"}
        if not self.bouncing:  # a bouncer refuses settings that it does not know
            names |= {"idle_in_transaction_session_timeout": str(_IDLE), "jit": "off"} | settings
        cache = 0 if self.bouncing else 100
        return {"dsn": self.url, "timeout": _CONNECT, "server_settings": names, "statement_cache_size": cache}


@contextlib.contextmanager
def explained(url: str) -> Any:
    """Turns asyncpg's errors into ours: what happened, why, what to do."""
    try:
        yield
    except DRIVER as error:  # TimeoutError is an OSError
        raise explain(error, url) from error


def explain(error: BaseException, url: str) -> StoreError:
    """Our error for one of asyncpg's or of the network. The password is never part of it."""
    name = address(url)
    state = getattr(error, "sqlstate", None) or ""
    said = _VALUE.sub(r"\1 ", str(error).split("\n")[0]) or type(error).__name__
    if isinstance(error, StoreError):
        return error
    if state[:2] == "28":
        return StoreUnavailable(f"cannot log in to {name}", why=said, remedy="check user and password in the URL")
    if state == "3D000":
        return StoreUnavailable(f"cannot open {name}", why=said, remedy="create the database, or name another")
    if state == "53300":
        return StoreUnavailable(
            f"{name} takes no more connections", why=said, remedy="raise max_connections, or use PgBouncer"
        )
    if state == "53100":
        return StoreUnavailable(f"cannot write to {name}", why="the disk is full", remedy="free space and repeat")
    if state == "25006":
        return StoreUnavailable(f"cannot write to {name}", why="it is read-only", remedy="name the primary server")
    if state == "42501":
        return StoreForbidden(
            f"not allowed in {name}", why=said, remedy="grant callboard_worker or callboard_door to the user"
        )
    if state in ("42P01", "3F000", "42703"):
        return StoreUnavailable(
            f"{name} has no store of this version", why=said, remedy="callboard db migrate --store URL"
        )
    if state in ("57014", "55P03") or isinstance(error, TimeoutError):
        return StoreUnavailable(f"{name} did not answer in time", why=said, remedy="repeat; see what it is busy with")
    if cut(error):
        return StoreUnavailable(
            f"cannot reach {name}", why=said, remedy="start the server, or check host and port in the URL"
        )
    if state[:2] in ("22", "54") or isinstance(error, asyncpg.DataError):
        return RowRefused(f"{name} cannot hold what was to be written", why=said)
    return StoreError(f"{name}: {said}", why=type(error).__name__)


def cut(error: BaseException) -> bool:
    """Whether an error says that the connection is gone, so that another one may do better."""
    state = getattr(error, "sqlstate", None) or ""
    if isinstance(error, asyncpg.PostgresError) and state:
        return state[:2] == "08" or state[:3] == "57P" or state in ("25P03", "25006", "53300")
    if isinstance(error, asyncpg.InterfaceError):  # also what cannot be encoded; that is no matter of connections
        return not isinstance(error, asyncpg.DataError) and ("closed" in str(error) or "connection" in str(error))
    return isinstance(error, OSError | asyncpg.InternalClientError)


def gone(db: Any) -> bool:
    """Whether a connection is closed. One that the pool has taken away, since it was cut, does not even say so."""
    try:
        return bool(db.is_closed())
    except asyncpg.InterfaceError:
        return True


def address(url: str) -> str:
    """A URL without its password and its options, fit to be shown."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, f"{user.partition(':')[0]}{at}{host}", parts.path, "", ""))


def quoted(text: str) -> str:
    """Text as a literal of SQL, whatever the server's settings. Raises InputInvalid for a NUL character."""
    if "\x00" in text:
        raise InputInvalid("a tenant's name holds a NUL character", remedy="leave it out")
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def _split(url: str) -> tuple[str, bool]:
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    bouncing = dict(options).get("pgbouncer", "0") not in ("", "0", "false")
    query = urlencode([(name, value) for name, value in options if name not in _OURS])
    return urlunsplit(parts._replace(query=query)), bouncing


@asynccontextmanager
async def begun(db: Any, prologue: str) -> AsyncIterator[None]:
    """A transaction on a connection, committed at the end of the block, or undone if it raises."""
    await db.execute(prologue)
    try:
        yield
    except BaseException:
        if not gone(db):
            with contextlib.suppress(*DRIVER):
                await db.execute("ROLLBACK")
        raise
    await db.execute("COMMIT")


async def _nothing(db: Any) -> None:
    """What a connection needs before it is used again: nothing, since nobody sets anything beyond a transaction."""
