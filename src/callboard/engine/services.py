"""What executions work with, handed in by the runtime."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from callboard.dispatch.bell import Bell
from callboard.domain.budget import Charge
from callboard.domain.ids import Ids
from callboard.domain.run import Run
from callboard.engine.clock import Clock
from callboard.engine.fleet import Fleet
from callboard.engine.flow import Flow
from callboard.settings import EngineSettings
from callboard.store.store import Store
from callboard.streams.stream import Stream
from callboard.telemetry.metrics import Metrics


async def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Services:
    """Store, bell, stream, clock, ids, chance, options and the flows by `name@version`.

    `find` gives the flow of a name in its newest version here, or None. `labels` are those of this worker: runs
    that need one are executed only where it is. `fleet` is what is known of the others. `carried` is what
    those who build on effects find again in each of them, by its type; the engine only carries it. `charges` says
    whom the runs below a run count to, which is stored with them. `swept` is awaited at the end of each of a
    worker's sweeps.
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
    carried: Mapping[type[Any], Any] = field(default_factory=dict)
    charges: Callable[[Run], tuple[Charge, ...]] = lambda run: ()
    swept: Callable[[], Awaitable[None]] = _nothing
