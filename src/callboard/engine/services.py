"""What executions work with, handed in by the runtime."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from callboard.dispatch.bell import Bell
from callboard.domain.ids import Ids
from callboard.engine.clock import Clock
from callboard.engine.fleet import Fleet
from callboard.engine.flow import Flow
from callboard.settings import EngineSettings
from callboard.store.store import Store
from callboard.streams.stream import Stream
from callboard.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Services:
    """Store, bell, stream, clock, ids, chance, options and the flows by `name@version`.

    `find` gives the flow of a name in its newest version here, or None. `labels` are those of this worker: runs
    that need one are executed only where it is. `fleet` is what is known of the others.
    """

    store: Store
    bell: Bell
    stream: Stream
    clock: Clock
    ids: Ids
    chance: Random
    settings: EngineSettings
    flows: Mapping[str, Flow]
    find: Callable[[str], Flow | None]
    labels: tuple[str, ...] = ()
    fleet: Fleet = field(default_factory=Fleet)
    metrics: Metrics = field(default_factory=Metrics)
