"""Workers are killed around every commit of a run, and another goes on: nothing is lost, nothing is done twice."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fleet import audit
from tests.fleet.fleet import Fleet, attended, fleet
from tests.fleet.orders import Orders
from tests.fleet.outside import Outside

_AT_ONCE = 6  # processes that die side by side


def expected(name: str) -> dict[str, Any]:
    return {
        "step": 2 * len(name),
        "charge": f"charged {name}",
        "ship": f"shipped {name}",
        "both": [f"charged {name}/a", f"shipped {name}/b"],
        "child": f"charged {name}/child",
        "go": "now",
        "ask": ["approved", {"of": name}],
        "booked": len(name),
        "last": f"charged {name}/last",
    }


def effects(name: str) -> set[str]:
    return {f"charge {name}{part}" for part in ("", "/a", "/child", "/last")} | {f"ship {name}", f"ship {name}/b"}


async def begun(company: Fleet, name: str) -> Any:
    handle = await company.door.start(f"everything{name}", name, key=name)
    await handle.signal("go", "now")
    return handle


async def commits_of_one(company: Fleet, folder: Path) -> int:
    """How many commits a run needs that is left alone."""
    (worker,) = await company.working(1, suffixes=("calm",))
    handle = await begun(company, "calm")
    assert await company.results([handle]) == [expected("calm")]
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0
    return int((folder / f"commits-{worker.pid}").read_text())


async def test_every_kind_of_effect_survives_a_kill_around_every_commit(
    new_database: Callable[..., str], tmp_path: Path
) -> None:
    names = ("calm", *(f"{point}{n}" for point in ("before", "after") for n in range(1, 60)))
    orders = Orders(store=new_database("kills"), folder=str(tmp_path), suffixes=names)
    async with fleet(orders) as company, attended(company.door):
        commits = await commits_of_one(company, tmp_path)
        assert commits > 15
        names = tuple(f"{point}{n}" for point in ("before", "after") for n in range(1, commits + 1))
        handles = [await begun(company, name) for name in names]
        turns = asyncio.Semaphore(_AT_ONCE)

        async def die(name: str) -> bool:
            """Whether it died of the commit it was told, and not because its run had ended before."""
            point, nth = name.rstrip("0123456789"), int(name.lstrip("abefort"))
            handle = next(h for n, h in zip(names, handles, strict=True) if n == name)
            async with turns:
                worker = company.start(suffixes=(name,), point=f"{point}_commit", die=nth)
                while worker.alive and not (await handle.status()).ended:
                    await asyncio.sleep(0.05)
                died = not worker.alive
                worker.kill()
                return died

        died = await asyncio.gather(*(die(name) for name in names))
        assert sum(died) >= len(names) - 6  # groups differ a little from play to play
        await company.working(1)
        assert await company.results(handles) == [expected(name) for name in names]
        outside = Outside(orders.outside)
        assert not outside.wrong()
        assert outside.effects() == set().union(*(effects(name) for name in ("calm", *names)))
        assert len(await company.rows("SELECT FROM bookings")) == len(names) + 1
        assert not await audit.wrong(orders.store)
