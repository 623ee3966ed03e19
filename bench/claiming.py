"""claims: how fast a worker takes ready runs out of the store, also where others read or thousands of tenants wait."""

import asyncio
import os
import time
from collections.abc import Callable

import callboard as cb
from bench.figure import Figure
from bench.places.place import Place, opened
from callboard.domain.event import Event, EventKind
from callboard.domain.ids import Ids
from callboard.store.claims import Claimed, Finish
from callboard.store.runs import NewRun
from callboard.store.store import Store

FEW, MANY, TENANTS, BATCH = 20_000, 100_000, 1_000, 500
STARTS = 2_000  # under way at a time
FLOW = "claimed"

app = cb.App("claiming")  # without flows, so that its worker leaves the runs to us
_ids = Ids(time.time, os.urandom)


async def measure(place: Place) -> dict[str, Figure]:
    """Each in a store of its own: claims are timed, and what ends the runs between two claims is not."""
    plain, ended = await _drain(place.store("claims"), FEW, lambda _: "default")
    store = place.store("snapshot")
    async with opened(app, store):
        pass
    async with place.snapshot(store):
        late, _ = await _drain(store, MANY, lambda _: "default", last=MANY // 2)
    spread, _ = await _drain(place.store("tenants"), FEW, lambda number: f"tenant-{number % TENANTS}")
    return {
        "claims": Figure(plain),
        "claims_snapshot": Figure(late),
        "claims_tenants": Figure(spread),
        "claims_ended": Figure(ended),
    }


async def _drain(store: str, count: int, tenant: Callable[[int], str], last: int = 0) -> tuple[float, float]:
    """Claims a second, of the last ones or of all; and runs claimed and ended a second, of all."""
    async with opened(app, store) as rt:
        await _start(rt.store, count, tenant)
        claims, worker = rt.store.claims, _ids.new()
        await claims.register(worker, time.time())
        claiming, timed, done, begun = 0.0, 0, 0, time.perf_counter()
        while done < count:
            claims.beat(worker)
            called = time.perf_counter()
            claimed = await claims.claim(worker, [f"{FLOW}@1"], BATCH, time.time())
            took = time.perf_counter() - called
            assert claimed, f"{done} of {count} runs were claimed, and then none"
            if not last or done >= count - last:
                claiming += took
                timed += len(claimed)
            await asyncio.gather(*[claims.settle(each.claim, _end(each)) for each in claimed])
            done += len(claimed)
        total = time.perf_counter() - begun
        await claims.retire(worker)
    return timed / claiming, count / total


def _end(claimed: Claimed) -> Finish:
    at = int(time.time() * 1e6)
    event = Event(len(claimed.events), EventKind.RUN_SUCCEEDED, "", b"", at, 0, b"null")
    return Finish(cb.RunStatus.SUCCEEDED, event)


async def _start(store: Store, count: int, tenant: Callable[[int], str]) -> None:
    for first in range(0, count, STARTS):
        await asyncio.gather(
            *[store.runs.start(_new(tenant(number))) for number in range(first, min(first + STARTS, count))]
        )


def _new(tenant: str) -> NewRun:
    return NewRun(
        id=_ids.new(), tenant=tenant, flow=FLOW, version="1", input=b"null", digest=b"8 bytes!", at=time.time()
    )
