"""A worker in a process of its own: `python -m tests.fleet.worker ORDERS` (JSON), or `work(orders)` in a fork."""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path

import msgspec

from callboard.engine.clock import SystemClock
from callboard.runtime import build
from callboard.store.postgres import PostgresStore
from tests.fleet.orders import Orders
from tests.fleet.town import town


class SkewedClock(SystemClock):
    """The clock of a machine that was set wrong."""

    def __init__(self, ahead: float) -> None:
        super().__init__()
        self._offset += ahead


class Fate:
    """A fault hook: kills or stops its own process around the commit that it was told."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self.commits = 0

    def __call__(self, point: str) -> None:
        """Called around each commit."""
        orders = self._orders
        if point == "before_commit":
            self.commits += 1
        if point == orders.point and self.commits == orders.die:
            os.kill(os.getpid(), signal.SIGKILL)
        if point == orders.point and self.commits == orders.stop:
            Path(orders.folder, f"stopped-{os.getpid()}").touch()
            os.kill(os.getpid(), signal.SIGSTOP)


def work(orders: Orders) -> None:
    """Executes runs until SIGTERM."""
    log = Path(orders.folder, f"worker-{os.getpid()}.log")
    logging.basicConfig(filename=log, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    with log.open("a") as errors:
        os.dup2(errors.fileno(), 2)
    if orders.memory:
        used = _megabytes()
        resource.setrlimit(resource.RLIMIT_AS, ((used + orders.memory) << 20, resource.RLIM_INFINITY))
    fate = Fate(orders)
    asyncio.run(_work(orders, fate))
    Path(orders.folder, f"commits-{os.getpid()}").write_text(str(fate.commits))


async def _work(orders: Orders, fate: Fate) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    app = town(orders.outside, suffixes=orders.suffixes, version=orders.version)
    settings, clock = orders.settings, SkewedClock(orders.skew)
    rt = build(app, settings, clock=clock, store=PostgresStore(settings.store, fault=fate))
    await rt.open()
    Path(orders.folder, f"working-{os.getpid()}").write_text(str(rt.worker and rt.worker.id))
    await told.wait()
    await rt.close()


def _megabytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmSize:"):
            return int(line.split()[1]) >> 10
    return 0


def end_with_parent() -> None:
    """Ends this process soon after its parent has ended, whatever became of that."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1.0)
    with contextlib.suppress(ProcessLookupError):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    work(msgspec.json.decode(sys.argv[1], type=Orders))
