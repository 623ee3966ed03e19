"""One frozen tree of options, read once when a runtime opens."""

import os
from collections.abc import Mapping

import msgspec

from callboard.domain.errors import InputInvalid

DEFAULT_STORE = "sqlite:///callboard.db"


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise InputInvalid(f"{name}={value!r} is not a positive number", remedy=f"set {name} above 0")


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker executes runs. Times are in seconds, sizes in bytes.

    Attributes:
        concurrency: runs executed at a time by one worker.
        sweep: how often a worker looks for due timers, unannounced runs and dead workers.
        beat: how often a worker shows that it lives.
        lease: a worker that has not beaten for this long loses its runs.
        window: a `once` call starts within this time after its intent was committed, or not at all; it must
            be shorter than the lease.
        max_deaths: a run that this many workers in a row died on, without progress, goes to the dead letters.
        drain: how long a stopping worker lets effects in flight finish.
        step_timeout: the time limit of a step that declares none.
        payload: the largest input, output, result or signal.
        depth: how deep child runs may nest.
        effects: the most effects in one run.
        max_ready: starts are refused while so many runs are ready, over all tenants.
        max_ready_tenant: and while a tenant has so many ready runs of its own.
        max_ready_age: and while a run has been ready for so long without being claimed; None for ever.
    """

    concurrency: int = 256
    sweep: float = 1.0
    beat: float = 2.0
    lease: float = 10.0
    window: float = 5.0
    max_deaths: int = 3
    drain: float = 20.0
    step_timeout: float = 600.0
    payload: int = 16 * 1024 * 1024
    depth: int = 16
    effects: int = 100_000
    max_ready: int = 1_000_000
    max_ready_tenant: int = 100_000
    max_ready_age: float | None = None

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_deaths", "payload", "depth", "effects", "max_ready", "max_ready_tenant"):
            _positive(name, getattr(self, name))
        for name in ("sweep", "beat", "lease", "window", "step_timeout"):
            _positive(name, getattr(self, name))
        if self.max_ready_age is not None:
            _positive("max_ready_age", self.max_ready_age)
        if self.window >= self.lease:
            raise InputInvalid(
                f"window={self.window} is not shorter than lease={self.lease}",
                why="a call could start after its run was taken over",
                remedy="shorten the window or lengthen the lease",
            )


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All options.

    Attributes:
        store: a URL: `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` in memory.
        tenant: whose runs, where nothing else says it.
        dispatch: a URL of what rings for workers, `redis://host/0`; empty for what belongs to the store.
        direct: the PostgreSQL server's own URL, where `store` leads through PgBouncer: notifications do not.
        namespace: names this deployment in Redis; by default a digest of the database's address.
        labels: what this worker offers: runs that need a label are executed only by workers that have it.
        config: a TOML file with models, routes, upstreams, prices and budgets; empty for the app's own.
        listen: `host:port` where a door answers; `:port` for every address of the machine, empty for nowhere.
    """

    store: str = DEFAULT_STORE
    tenant: str = "default"
    dispatch: str = ""
    direct: str = ""
    namespace: str = ""
    labels: tuple[str, ...] = ()
    config: str = ""
    listen: str = ""
    engine: EngineSettings = EngineSettings()

    @property
    def file(self) -> str | None:
        """The absolute path of the SQLite file; None for a store in memory or on a server."""
        path = self.store.partition(":///")[2]
        return os.path.abspath(path) if self.store.startswith("sqlite:") and path not in ("", ":memory:") else None

    @property
    def place(self) -> str:
        """The store's URL without password and options, to be shown."""
        if self.store.startswith("sqlite:"):
            return self.store
        return without_password(self.store)

    @property
    def folder(self) -> str:
        """Where files beside the store belong: the folder of a SQLite file, else the current folder."""
        return os.getcwd() if self.file is None else os.path.dirname(self.file)


def without_password(url: str) -> str:
    """A URL without password and options, to be shown."""
    scheme, found, rest = url.partition("?")[0].partition("://")
    login, at, address = rest.rpartition("@")
    return f"{scheme}{found}{login.partition(':')[0]}{at}{address}"


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that the environment names: each option as `CALLBOARD_<OPTION>`, labels with commas between
    them. Raises InputInvalid, naming the variable."""
    env = os.environ if environ is None else environ
    found: dict[str, float | int] = {}
    for field in msgspec.structs.fields(EngineSettings):
        name = f"CALLBOARD_{field.name.upper()}"
        if name in env:
            found[field.name] = _number(name, env[name], whole=field.type is int)
    return Settings(
        store=env.get("CALLBOARD_STORE", DEFAULT_STORE),
        tenant=env.get("CALLBOARD_TENANT", "default"),
        dispatch=env.get("CALLBOARD_DISPATCH", ""),
        direct=env.get("CALLBOARD_DIRECT", ""),
        namespace=env.get("CALLBOARD_NAMESPACE", ""),
        labels=tuple(each.strip() for each in env.get("CALLBOARD_LABELS", "").split(",") if each.strip()),
        config=env.get("CALLBOARD_CONFIG", ""),
        listen=env.get("CALLBOARD_LISTEN", ""),
        engine=EngineSettings(**found),  # type: ignore[arg-type]
    )


def _number(name: str, text: str, *, whole: bool) -> float | int:
    try:
        return int(text) if whole else float(text)
    except ValueError:
        raise InputInvalid(
            f"{name}={text!r} is not a {'whole ' if whole else ''}number", remedy=f"set {name} to a number"
        ) from None
