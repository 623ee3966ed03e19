"""Which adapters serve a store's URL and a dispatch's URL. The only file that names adapters."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from callboard.dispatch.bell import Bell, Hint, News
from callboard.dispatch.fifo import FifoBell
from callboard.dispatch.in_process import InProcessBell
from callboard.domain.errors import InputInvalid
from callboard.engine.clock import Clock
from callboard.engine.fleet import Fleet
from callboard.resilience.batching import Batching
from callboard.resilience.counters import Counters
from callboard.resilience.fallback import Fallback
from callboard.resilience.in_process import InProcessCounters
from callboard.settings import Settings, without_password
from callboard.store.sqlite import Fault, SqliteStore
from callboard.store.store import Store
from callboard.streams.in_process import InProcessStream
from callboard.streams.stream import Stream

MEMORY = ":memory:"
Observe = Callable[[int, float], None]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a runtime stands on."""

    store: Store
    bell: Bell
    stream: Stream
    counters: Counters
    fleet: Fleet


def parts(
    settings: Settings,
    clock: Clock,
    *,
    worker: bool,
    name: str,
    operator: bool = False,
    observe: Observe | None = None,
    store: Store | None = None,
) -> Parts:
    """Adapters that are not open yet.

    Args:
        worker: whether this process claims runs; one that does not is a door, which sees one tenant at a time.
        operator: a door that sees all tenants and may set controls, as far as its log-in is allowed to.
        name: this process's own among all that share the store.
        observe: told of each commit's size and seconds.
        store: the store, where a test has made one already.

    Raises InputInvalid for URLs that no adapter serves, and for adapters whose libraries are not installed.
    """
    if is_server(settings.store):
        door = not (worker or operator)
        return _postgres(settings, worker=worker, door=door, name=name, observe=observe, store=store)
    path = sqlite_path(settings.store)
    if settings.dispatch:
        raise InputInvalid(
            f"dispatch={without_password(settings.dispatch)!r} has nothing to do for store={settings.store!r}",
            why="processes that share a SQLite file are on one machine and hear each other through named pipes",
            remedy="leave dispatch out, or use a postgresql:// store",
        )
    fleet = Fleet()
    kept = sqlite_store(path, clock, observe=observe) if store is None else store
    return Parts(
        store=kept,
        bell=_sqlite_bell(path),
        stream=InProcessStream(),
        counters=_shared(kept.counters, fleet)
        if isinstance(kept, SqliteStore) and path != MEMORY
        else InProcessCounters(clock.now),
        fleet=fleet,
    )


def is_server(url: str) -> bool:
    """Whether a store's URL names a database server, whose clock then counts for all."""
    return url.startswith(("postgresql://", "postgres://"))


def sqlite_store(
    path: str,
    clock: Clock,
    fault: Fault | None = None,
    observe: Observe | None = None,
    counted: Callable[[], float] | None = None,
) -> Store:
    """A SQLite store that is not open yet. `fault` is the crash tests' hook, called around each commit; `observe`
    is told of each commit's size and seconds; `counted` are the seconds by which limits and breakers are counted, the
    clock's monotonic ones by default."""
    return SqliteStore(path, fault=fault, monotonic=clock.monotonic, observe=observe, counted=counted)


def sqlite_path(url: str) -> str:
    """The file that a store's URL names. Raises InputInvalid."""
    if url in ("sqlite://", "sqlite:///:memory:"):
        return MEMORY
    scheme, found, path = url.partition(":///")
    if not found or scheme != "sqlite" or not path:
        raise InputInvalid(
            f"store={without_password(url)!r} is not a store that this version knows",
            remedy="use sqlite:///file.db (relative), sqlite:////folder/file.db (absolute), sqlite:// (memory) or "
            "postgresql://user:password@host/database",
        )
    return path


async def migrate_schema(url: str, phases: Sequence[str]) -> list[str]:
    """Applies what the schema of a PostgreSQL store is missing of these phases (`before`, `after`); returns what was
    applied. Raises StoreError; InputInvalid for another store."""
    from callboard.connections.postgres import Database
    from callboard.store.postgres.migrate import migrate

    return [str(part) for part in await migrate(Database(_migrated(url)), phases)]


async def schema_status(url: str) -> list[tuple[str, float | None]]:
    """The parts of a PostgreSQL store's schema, each with when it was applied (epoch seconds). Raises as above."""
    from callboard.connections.postgres import Database
    from callboard.store.postgres.migrate import status

    return [(f"{number:04} {phase}", at) for (number, phase), at in (await status(Database(_migrated(url)))).items()]


def _migrated(url: str) -> str:
    if not url.startswith(("postgresql://", "postgres://")):
        raise InputInvalid(
            f"store={without_password(url)!r} needs no migration",
            why="a SQLite file is brought up to date by whoever opens it",
            remedy="name a postgresql:// store",
        )
    try:
        import callboard.store.postgres  # noqa: F401
    except ModuleNotFoundError as error:
        raise _not_installed(url, "postgres", error) from error
    return url


def _sqlite_bell(path: str) -> Bell:
    if path == MEMORY:
        return InProcessBell()
    pipe = f"{os.getpid()}-{time.monotonic_ns():x}"
    return FifoBell(Path(os.path.abspath(path) + "-live"), pipe, InProcessBell())


def _postgres(
    settings: Settings, *, worker: bool, door: bool, name: str, observe: Observe | None, store: Store | None
) -> Parts:
    try:
        from callboard.dispatch.postgres import PostgresBell
        from callboard.store.postgres import PostgresStore
        from callboard.streams.postgres import PostgresStream
    except ModuleNotFoundError as error:
        raise _not_installed(settings.store, "postgres", error) from error
    own = store if isinstance(store, PostgresStore) else PostgresStore(settings.store, door=door, observe=observe)
    kept = own if store is None else store
    if settings.dispatch:
        return _redis(settings, kept, worker=worker, name=name)
    bell = PostgresBell(settings.store, InProcessBell(), name, listen=settings.direct or None)
    stream = PostgresStream(
        settings.store,
        door=door,
        announce=lambda run_ids: bell.ring([Hint(News.STREAM, run_id) for run_id in run_ids]),
    )
    bell.listen(lambda hints: stream.heard([hint.run_id for hint in hints if hint.news is News.STREAM]))
    fleet = Fleet()
    return Parts(kept, bell, stream, _shared(own.counters, fleet), fleet)


def _redis(settings: Settings, store: Store, *, worker: bool, name: str) -> Parts:
    if not settings.dispatch.startswith(("redis://", "rediss://", "unix://")):
        raise InputInvalid(
            f"dispatch={without_password(settings.dispatch)!r} is not a dispatch that this version knows",
            remedy="use redis://host:port/0, or leave it out: PostgreSQL then rings by itself",
        )
    try:
        from callboard.connections.redis import connect
        from callboard.dispatch.redis_streams import RedisBell
        from callboard.resilience.redis import RedisCounters
        from callboard.streams.redis import RedisStream
    except ModuleNotFoundError as error:
        raise _not_installed(settings.dispatch, "redis", error) from error
    namespace = settings.namespace or _namespace(settings.store)
    fleet = Fleet()
    counters = RedisCounters(connect(settings.dispatch), settings.dispatch, prefix=f"callboard:{namespace}:counters")
    return Parts(
        store=store,
        bell=RedisBell(settings.dispatch, InProcessBell(), namespace, name, claims=worker),
        stream=RedisStream(settings.dispatch, namespace, name),
        counters=_shared(counters, fleet),
        fleet=fleet,
    )


def _shared(counters: Counters, fleet: Fleet) -> Counters:
    """Counters that go on, each process within its part, while the place that they share is away."""
    return Batching(Fallback(counters, InProcessCounters(), processes=lambda: fleet.size))


def _namespace(store: str) -> str:
    """Names the deployment by its database, so that two of them may share one Redis."""
    place = store.partition("://")[2].rpartition("@")[2].partition("?")[0]
    return blake2b(place.encode(), digest_size=6).hexdigest()


def _not_installed(url: str, extra: str, error: ModuleNotFoundError) -> InputInvalid:
    return InputInvalid(
        f"{without_password(url)} needs a library that is not installed: {error.name}",
        remedy=f'pip install "callboard[{extra}]"',
    )
