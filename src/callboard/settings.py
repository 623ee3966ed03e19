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

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_deaths", "payload", "depth", "effects"):
            _positive(name, getattr(self, name))
        for name in ("sweep", "beat", "lease", "window", "step_timeout"):
            _positive(name, getattr(self, name))
        if self.window >= self.lease:
            raise InputInvalid(
                f"window={self.window} is not shorter than lease={self.lease}",
                why="a call could start after its run was taken over",
                remedy="shorten the window or lengthen the lease",
            )


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All options. `store` is a URL: `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` in memory."""

    store: str = DEFAULT_STORE
    tenant: str = "default"
    engine: EngineSettings = EngineSettings()

    @property
    def folder(self) -> str:
        """Where files beside the store belong: the folder of a SQLite file, else the current folder."""
        path = self.store.partition(":///")[2]
        return os.path.dirname(os.path.abspath(path)) if self.store.startswith("sqlite:") and path else os.getcwd()


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that the environment names: `CALLBOARD_STORE`, `CALLBOARD_TENANT`, and each engine option as
    `CALLBOARD_<OPTION>`. Raises InputInvalid, naming the variable."""
    env = os.environ if environ is None else environ
    found: dict[str, float | int] = {}
    for field in msgspec.structs.fields(EngineSettings):
        name = f"CALLBOARD_{field.name.upper()}"
        if name in env:
            found[field.name] = _number(name, env[name], whole=field.type is int)
    return Settings(
        store=env.get("CALLBOARD_STORE", DEFAULT_STORE),
        tenant=env.get("CALLBOARD_TENANT", "default"),
        engine=EngineSettings(**found),  # type: ignore[arg-type]
    )


def _number(name: str, text: str, *, whole: bool) -> float | int:
    try:
        return int(text) if whole else float(text)
    except ValueError:
        raise InputInvalid(
            f"{name}={text!r} is not a {'whole ' if whole else ''}number", remedy=f"set {name} to a number"
        ) from None
