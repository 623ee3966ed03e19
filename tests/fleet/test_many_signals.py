"""Five hundred signals to one run, from ten processes, while its workers die."""

import asyncio
import multiprocessing
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import callboard as cb
from tests.fleet import audit
from tests.fleet.fleet import fleet
from tests.fleet.orders import Orders
from tests.fleet.town import town

SENDERS, EACH = 10, 50
_FORKS = multiprocessing.get_context("forkserver")


def send(orders: Orders, run_id: str, sender: int) -> None:
    """Sends so many signals, one after the other."""

    async def main() -> None:
        async with cb.open(town(orders.outside), settings=orders.settings, worker=False) as door:
            for n in range(EACH):
                await door.handle(run_id).signal("n", sender * 1_000 + n)

    asyncio.run(main())


async def test_each_signal_is_consumed_once_and_those_of_a_sender_in_order(
    new_database: Callable[..., str], tmp_path: Path
) -> None:
    orders = Orders(store=new_database("signals"), folder=str(tmp_path))
    async with fleet(orders) as company:
        (first,) = await company.working(1)
        (handle,) = await company.begin("counting", [[SENDERS * EACH, 40]])
        senders = [_FORKS.Process(target=send, args=(orders, handle.id, n), daemon=True) for n in range(SENDERS)]
        for sender in senders:
            sender.start()
        await company.until_row("SELECT 1 FROM bookings HAVING count(*) >= 100")
        first.kill()
        await company.working(1)
        await company.results([handle])
        for sender in senders:
            await asyncio.to_thread(sender.join)
        assert [sender.exitcode for sender in senders] == [0] * SENDERS
        got = [int(row["what"]) for row in await company.rows("SELECT what FROM bookings ORDER BY n")]
        assert sorted(got) == sorted(number * 1_000 + n for number in range(SENDERS) for n in range(EACH))
        for number in range(SENDERS):
            own = [n for n in got if n // 1_000 == number]
            assert all(one < other for one, other in pairwise(own))
        assert not await audit.wrong(orders.store)
