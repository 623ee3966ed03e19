"""The processes of these measurements: a door that is served as users serve it, the bare one, and the load."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import psutil

import callboard as cb
from bench.doors.orders import Found, Load, Streams
from bench.other_process import ROOT
from bench.places.place import Place, opened

_APP = "bench.doors.flows"
_PATIENCE = 60.0
_END = 10.0


async def fresh(place: Place, app: cb.App) -> str:
    """A store in which nothing is yet, with its schema, which a door on PostgreSQL does not make."""
    store = place.store("doors")
    async with opened(app, store):
        return store


class Served:
    """A process that answers at `address` (host:port). `key` is what it shows of an admin's key, empty for none."""

    def __init__(self, process: asyncio.subprocess.Process, address: str, key: str) -> None:
        self._watched = psutil.Process(process.pid)
        self.address = address
        self.key = key

    @property
    def headers(self) -> tuple[str, ...]:
        """What lets a request in."""
        return (f"authorization: Bearer {self.key}",) if self.key else ()

    def cpu(self) -> float:
        """Processor seconds of all its threads so far, in steps of a clock tick."""
        times = self._watched.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> int:
        """Bytes that it has in memory."""
        return int(self._watched.memory_info().rss)


class Loading:
    """A process that takes orders."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def carry_out(self, order: Load) -> Found:
        """Puts on a load, and says what came of it."""
        await self.begin(order)
        return await self.end()

    async def begin(self, order: Load | Streams) -> None:
        """Gives an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        await self._process.stdin.drain()

    async def word(self) -> dict[str, Any]:
        """What it says before the end."""
        found: dict[str, Any] = msgspec.json.decode(await self._line())
        return found

    async def end(self) -> Found:
        """What came of the order."""
        return msgspec.json.decode(await self._line(), type=Found)

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load process has ended; its message stands above")
        return line


@asynccontextmanager
async def gateway(store: str, *flags: str, key: str = "", **options: Any) -> AsyncIterator[Served]:
    """`callboard gateway` on a store, with options of CALLBOARD_... . The first one on a store shows the key that is
    handed to the next as `key`."""
    environment = {f"CALLBOARD_{name.upper()}": str(value) for name, value in options.items()}
    environment.setdefault("CALLBOARD_GATEWAY_SECRET", "of-a-measurement-and-of-nothing-else")
    arguments = ("-m", "callboard.apps.cli", "gateway", _APP, "--store", store, "--port", "0", *flags)
    async with _serving(arguments, environment, key) as served:
        yield served


@asynccontextmanager
async def bare() -> AsyncIterator[Served]:
    """The floor: the same web stack with a route that does nothing."""
    async with _serving(("-m", "bench.doors.bare"), {}, "") as served:
        yield served


@asynccontextmanager
async def loading(served: Served) -> AsyncIterator[Loading]:
    """A load process for a door."""
    async with _ordered("bench.doors.load", served.address) as found:
        yield found


@asynccontextmanager
async def calling(store: str) -> AsyncIterator[Loading]:
    """A process that calls the runtime itself."""
    async with _ordered("bench.doors.direct", store) as found:
        yield found


@asynccontextmanager
async def worker(store: str, concurrency: int) -> AsyncIterator[None]:
    """`callboard worker` on a store; killed at the end."""
    arguments = ("-m", "callboard.apps.cli", "worker", _APP, "--store", store, "--concurrency", str(concurrency))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env=_around(), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def _ordered(module: str, argument: str) -> AsyncIterator[Loading]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, argument, cwd=ROOT, stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None
    try:
        yield Loading(process)
    finally:
        process.stdin.close()
        await _ended(process)


def _around() -> dict[str, str]:
    """The environment without options of Callboard's: what is measured has those that users get."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CALLBOARD_")}


@asynccontextmanager
async def _serving(arguments: Sequence[str], environment: dict[str, str], key: str) -> AsyncIterator[Served]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env=_around() | environment, stderr=asyncio.subprocess.PIPE
    )
    reading: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(_PATIENCE):
            address, shown = await _address(process)
        reading = asyncio.create_task(_pass_on(process))
        yield Served(process, address, shown or key)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await _ended(process)
        if reading is not None:
            await reading


async def _address(process: asyncio.subprocess.Process) -> tuple[str, str]:
    assert process.stderr is not None
    key, said = "", []
    while line := (await process.stderr.readline()).decode():
        said.append(line)
        if line.startswith("cb_"):
            key = line.strip()
        if line.startswith("http://"):
            return line.split()[0].removeprefix("http://"), key
    raise RuntimeError(f"the door did not open: {''.join(said)}")


async def _pass_on(process: asyncio.subprocess.Process) -> None:
    """What it says later is for people."""
    assert process.stderr is not None
    while line := await process.stderr.readline():
        sys.stderr.buffer.write(line)


async def _ended(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(_END):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
