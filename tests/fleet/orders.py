"""What a worker process is told when it begins."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from callboard.settings import EngineSettings, Settings

# Short, so that tests are. A worker of a busy machine that loses its lease by that has to be right as well.
ENGINE = EngineSettings(
    sweep=0.2, beat=0.25, lease=1.5, window=0.5, drain=10.0, max_deaths=1_000, concurrency=64, step_timeout=120.0
)
LEASE = ENGINE.lease

Point = Literal["before_commit", "after_commit"]


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker process works.

    Attributes:
        store: the database's URL.
        folder: where the world outside keeps its file, and where workers leave notes.
        dispatch: Redis' URL, or nothing.
        direct: where to listen, if `store` leads elsewhere.
        suffixes: of the names of flows, so that only some workers have them.
        version: of the code.
        skew: seconds that its wall clock is ahead.
        engine: what differs from ENGINE.
        die: the commit around which the process kills itself, from 1; 0 for never.
        stop: the commit after which it stops itself.
        memory: megabytes that it may use beyond what it has when it begins; 0 for no limit.
    """

    store: str
    folder: str
    dispatch: str = ""
    direct: str = ""
    suffixes: tuple[str, ...] = ("",)
    version: str = "1"
    skew: float = 0.0
    engine: dict[str, Any] = {}
    point: Point = "after_commit"
    die: int = 0
    stop: int = 0
    memory: int = 0

    @property
    def outside(self) -> Path:
        """The file of the world outside."""
        return Path(self.folder) / "outside.db"

    @property
    def settings(self) -> Settings:
        """The options of a process that works so."""
        engine = msgspec.structs.replace(ENGINE, **self.engine)
        return Settings(store=self.store, dispatch=self.dispatch, direct=self.direct, engine=engine)
