"""What executions work with, handed in by the runtime."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from callboard.dispatch.bell import Bell
from callboard.domain.budget import Charge
from callboard.domain.event import Event
from callboard.domain.ids import Ids
from callboard.domain.run import Run, RunStatus
from callboard.engine.clock import Clock
from callboard.engine.fleet import Fleet
from callboard.engine.flow import Flow
from callboard.engine.tails import Tails
from callboard.settings import EngineSettings
from callboard.store.store import Store
from callboard.streams.stream import Stream
from callboard.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from callboard.telemetry.exposition import UpstreamLevel


async def _nothing() -> None:
    return None


class Ended(msgspec.Struct, frozen=True):
    """A run that has ended here, or has begun anew, as what comes after it needs to know.

    Attributes:
        tenant: whose it is.
        run_id: the run.
        status: how it ended; READY when it has begun anew.
        seq: the number of the event that says so; None for the journal's last.
        base: the number of the event with which its journal begins.
        run: its row, as it was when it was claimed; None where that is not known.
        events: its journal, from `base` to `seq`; None where somebody has to read it.
    """

    tenant: str
    run_id: str
    status: RunStatus
    seq: int | None = None
    base: int = 0
    run: Run | None = None
    events: list[Event] | None = None


def _untold(ended: Ended) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Services:
    """Store, bell, stream, clock, ids, chance, options and the flows by `name@version`.

    `find` gives the flow of a name in its newest version here, or None. `labels` are those of this worker: runs
    that need one are executed only where it is. `fleet` is what is known of the others. `carried` is what
    those who build on effects find again in each of them, by its type; the engine only carries it. `tails` are the
    followers of journals in this process. `charges` says whom the runs below a run count to, which is stored with
    them. `swept` is awaited at the end of each of a worker's sweeps. `ended` is told of each part of a run that has
    ended here, after that is committed; it must not block; `keeps` says that it wants the events. `sampled` says by
    its id whether a trace is wanted. `upstreams` tells how those stand that are called here.
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
    tails: Tails = field(default_factory=Tails)
    carried: Mapping[type[Any], Any] = field(default_factory=dict)
    charges: Callable[[Run], tuple[Charge, ...]] = lambda run: ()
    swept: Callable[[], Awaitable[None]] = _nothing
    ended: Callable[[Ended], None] = _untold
    keeps: bool = False
    sampled: Callable[[str], bool] | None = None
    upstreams: Callable[[], Sequence["UpstreamLevel"]] = tuple
