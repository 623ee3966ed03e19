"""A fleet under fire for minutes, and then the reckoning: `python -m tests.fleet.soak --minutes 10`, or `make soak`.

Four workers execute 2,000 runs of mixed kinds while something is hurt every few seconds. In the end every run must have
ended as it should, every effect must have happened once, and nothing may be left lying about in the database.
"""

import argparse
import asyncio
import contextlib
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

import callboard as cb
from callboard.domain.errors import CallboardError
from tests.fleet import audit
from tests.fleet.fire import Fire, burning
from tests.fleet.fleet import Fleet, attended, fleet, patiently
from tests.fleet.orders import LEASE, Orders
from tests.fleet.outside import Outside
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

WORKERS = 4
RUNS = 2_000
SIGNALS = 12  # for each run that counts them, of which it takes 5 in each of its lives
_WARM = 30.0  # seconds for workers to begin and for the last runs to end, left out of the time for harm


class Play:
    """The runs of a soak, started little by little, and what they are to come to."""

    def __init__(self, company: Fleet, chance: random.Random) -> None:
        self._company = company
        self._chance = chance
        self.handles: dict[str, cb.RunHandle] = {}
        self.expected: dict[str, Any] = {}
        self.effects: set[str] = set()
        self.booked = 0
        self.doubtful: list[str] = []

    async def begin(self, runs: int, seconds: float) -> None:
        """Starts so many runs over so many seconds, and sends them what they wait for."""
        began = time.monotonic()
        for n in range(runs):
            await asyncio.sleep(max(0.0, began + seconds * n / runs - time.monotonic()))
            await self._begin_one(n)

    async def _begin_one(self, n: int) -> None:
        kind = ("everything", "chain", "posting", "timed", "counting", "secret", "waiting")[n % 7]
        name = f"{kind[0]}{n}"
        match kind:
            case "everything":
                handle = await self._start(kind, name, name)
                await self._send(handle, "go", "now")
                self._expect_everything(name)
            case "chain":
                links = self._chance.randrange(1, 12)
                await self._start(kind, name, [name, links, 0.1])
                self.expected[name] = [name, links, f"charged {name}/{links - 1}"]
                self.effects |= {f"charge {name}/{link}" for link in range(links)}
            case "posting":
                await self._start(kind, name, name)
                self.expected[name] = f"shipped {name}"
                self.effects.add(f"ship {name}")
            case "timed":
                await self._start(kind, name, round(self._chance.uniform(0.1, 8.0), 2))
            case "counting":
                handle = await self._start(kind, name, [SIGNALS, 5])
                for number in range(SIGNALS):
                    await self._send(handle, "n", number)
                self.expected[name] = list(range(SIGNALS // 5 * 5, SIGNALS))
                self.booked += SIGNALS
            case "secret":
                handle = await self._start(kind, name, name)
                seen = [name, f"{name}/1", f"{name}/2"]
                self.expected[name] = {"mine": name, "seen": seen, "run": handle.id}
            case "waiting":
                handle = await self._start(kind, name, name, priority=n % 3 - 1)
                await self._send(handle, "go", n)
                self.expected[name] = [name, n]

    def _expect_everything(self, name: str) -> None:
        self.expected[name] = {
            "step": 2 * len(name), "charge": f"charged {name}", "ship": f"shipped {name}",
            "both": [f"charged {name}/a", f"shipped {name}/b"], "child": f"charged {name}/child", "go": "now",
            "ask": ["approved", {"of": name}], "booked": len(name), "last": f"charged {name}/last",
        }  # fmt: skip
        self.effects |= {f"charge {name}{part}" for part in ("", "/a", "/child", "/last")}
        self.effects |= {f"ship {name}", f"ship {name}/b"}
        self.booked += 1

    async def _start(self, flow: str, name: str, given: Any, **options: Any) -> cb.RunHandle:
        handle: cb.RunHandle = await patiently(lambda: self._company.door.start(flow, given, key=name, **options))
        self.handles[name] = handle
        return handle

    async def _send(self, handle: cb.RunHandle, signal: str, value: Any) -> None:
        """Sends once. Whether it came through is looked up where the answer does not say so."""
        while True:
            try:
                await handle.signal(signal, value)
                return
            except CallboardError as error:
                if error.code != "store_unavailable":
                    raise
            await asyncio.sleep(0.2)
            if await patiently(lambda: self._came(handle, value), 120):
                return

    async def _came(self, handle: cb.RunHandle, value: Any) -> bool:
        """Whether a letter with this value is, or was, in the run's inbox: it lies there, or it was answered."""
        text = str(value) if not isinstance(value, str) else f'"{value}"'
        try:
            rows = await self._company.rows(
                "SELECT 1 FROM runs r WHERE r.id = $1 AND (EXISTS (SELECT FROM inbox i WHERE i.run = r.number AND "
                "i.body = convert_to($2, 'UTF8')) OR EXISTS (SELECT FROM bookings b WHERE b.run = r.id AND "
                "b.what = $2) OR EXISTS (SELECT FROM events e WHERE e.run = r.number AND e.kind = 3 AND "
                "position(convert_to($2, 'UTF8') IN e.body) > 0 AND e.path LIKE '%wait%'))",
                handle.id,
                text,
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(0.3)
            return await self._came(handle, value)
        self.doubtful.append(handle.id)
        return bool(rows)


async def soak(minutes: float, runs: int, seed: int, gap: float, folder: Path) -> bool:
    """Plays, prints a summary; whether all was well."""
    postgres = PostgresServer.begin(durable=True, private=True)
    redis = RedisServer.begin(private=True)
    try:
        orders = Orders(store=postgres.new_database("soak"), folder=str(folder), dispatch=redis.url)
        async with fleet(orders) as company, attended(company.door):
            for statement in audit.NOTED:
                await company.rows(statement)
            fire = Fire(company.start, WORKERS, postgres=postgres, redis=redis, lease=LEASE, seed=seed)
            try:
                return await _soak(company, fire, minutes * 60, runs, gap)
            finally:
                fire.close()
    finally:
        redis.close()
        postgres.close()


async def _soak(company: Fleet, fire: Fire, seconds: float, runs: int, gap: float) -> bool:
    began = time.monotonic()
    play = Play(company, random.Random(runs))
    async with burning(fire, gap):
        await play.begin(runs, max(seconds - _WARM, 1.0))
        lasting = await _ended(company, began)
    found = [f"{name} did not end" for name in lasting]
    found += await _outputs(play)
    outside = Outside(company.orders.outside)
    found += outside.wrong()
    found += [f"effect missing: {what}" for what in sorted(play.effects - outside.effects())]
    found += [f"effect that nobody asked for: {what}" for what in sorted(outside.effects() - play.effects)]
    booked = (await company.row("SELECT count(*) FROM bookings"))[0]
    if booked != play.booked:
        found.append(f"{booked} bookings instead of {play.booked}")
    await asyncio.sleep(LEASE * 3)  # those who live clear away those who died
    found += await audit.wrong(company.direct, silence=LEASE * 3)
    await _show(company, fire, play, outside, time.monotonic() - began)
    for what in found[:50]:
        print("WRONG:", what)
    if found:
        print(f"{len(found)} things are wrong; workers said last:")
        for worker in company.workers[-WORKERS:]:
            print(worker.log()[-2_000:])
    return not found


async def _ended(company: Fleet, began: float, patience: float = 180.0) -> list[str]:
    """Waits until nothing goes on any more; the ids of runs that do not end."""
    deadline = time.monotonic() + patience
    query = "SELECT id, flow, status FROM runs WHERE finished_at IS NULL ORDER BY number"
    while True:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            rows = await company.rows(query)
            if not rows or time.monotonic() > deadline:
                return [f"{row['flow']} {row['id']} ({row['status']})" for row in rows]
        await asyncio.sleep(0.5)


async def _outputs(play: Play) -> list[str]:
    found = []
    for name, handle in play.handles.items():
        try:
            output = await patiently(partial(handle.result, timeout=1.0))
        except (CallboardError, TimeoutError) as error:
            found.append(f"{name} {handle.id}: {type(error).__name__} {error}")
            continue
        if name in play.expected and output != play.expected[name]:
            found.append(f"{name} {handle.id}: {output} instead of {play.expected[name]}")
    return found


async def _show(company: Fleet, fire: Fire, play: Play, outside: Outside, seconds: float) -> None:
    counts = {row[0]: row[1] for row in await company.rows("SELECT status, count(*) FROM runs GROUP BY status")}
    taken, claims = await company.row(audit.CLAIMS)
    events, longest = await company.row("SELECT count(*), max(seq) FROM events")
    calls = Counter(call.guard for call in outside.calls())
    print(f"{seconds:.0f} s, {WORKERS} workers at a time, {fire.started} in all")
    print("faults:", ", ".join(f"{kind} {count}" for kind, count in fire.faults.most_common()))
    print("runs:", ", ".join(f"{status} {count}" for status, count in sorted(counts.items())),
          f"({len(play.handles)} started, the others are children); {taken} went to more than one worker, "
          f"{claims} claims in all")  # fmt: skip
    print(f"events: {events}, {longest + 1} in the longest journal")
    print(f"effects: {len(outside.effects())} of {len(play.effects)} asked for; calls that came in: {dict(calls)}; "
          f"signals whose sender was not told: {len(play.doubtful)}")  # fmt: skip


def main() -> None:
    """Soaks, and exits with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--gap", type=float, default=4.0, help="seconds between faults, about")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="callboard-soak-") as folder:
        logging.basicConfig(filename=Path(folder, "door.log"))
        well = asyncio.run(soak(chosen.minutes, chosen.runs, chosen.seed, chosen.gap, Path(folder)))
    print("all is well" if well else "NOT well")
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
