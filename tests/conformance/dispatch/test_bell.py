"""A bell tells every listener soon, never waits and never fails."""

import asyncio
import time

import pytest

from callboard.dispatch.bell import Bell, Hint, News
from tests.conformance.dispatch.adapters import Adapter
from tests.conformance.dispatch.conftest import Ear, MakeBell, quiet

IDS = [f"{n:026d}" for n in range(10_000)]


def hint(n: int = 0, news: News = News.READY) -> Hint:
    return Hint(news, IDS[n])


async def test_a_listener_hears_what_is_rung(bell: Bell, ear: Ear) -> None:
    bell.listen(ear)
    hints = [hint(n, news) for n, news in enumerate(News)]
    bell.ring(hints)
    await ear.hears(*hints)
    assert ear.heard == hints


async def test_every_listener_hears(bell: Bell) -> None:
    ears = [Ear() for _ in range(3)]
    for ear in ears:
        bell.listen(ear)
    bell.ring([hint()])
    for ear in ears:
        await ear.hears(hint())


async def test_a_listener_is_called_later_and_not_by_the_one_who_rings(bell: Bell, ear: Ear) -> None:
    bell.listen(ear)
    bell.ring([hint()])
    assert ear.heard == []
    await ear.hears(hint())


async def test_what_rings_in_one_turn_arrives_together(bell: Bell, ear: Ear) -> None:
    bell.listen(ear)
    for n in range(5):
        bell.ring([hint(n)])
    await ear.hears(hint(4))
    assert [len(batch) for batch in ear.batches] == [5]


async def test_hints_may_come_from_any_iterable(bell: Bell, ear: Ear) -> None:
    bell.listen(ear)
    bell.ring(hint(n) for n in range(3))
    await ear.hears(hint(0), hint(1), hint(2))


async def test_nobody_is_called_when_there_is_no_news(bell: Bell, ear: Ear) -> None:
    bell.listen(ear)
    bell.ring([])
    await quiet()
    assert ear.batches == []


async def test_a_listener_may_ring_in_turn(bell: Bell, ear: Ear) -> None:
    def echo(hints: list[Hint]) -> None:
        if hint(0) in hints:
            bell.ring([hint(1)])

    bell.listen(echo)
    bell.listen(ear)
    bell.ring([hint(0)])
    await ear.hears(hint(1))


async def test_a_listener_that_fails_keeps_nobody_else_from_hearing(bell: Bell, ear: Ear) -> None:
    def deaf(hints: list[Hint]) -> None:
        raise RuntimeError("deaf")

    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    bell.listen(deaf)
    bell.listen(ear)
    bell.ring([hint(0)])
    await ear.hears(hint(0))


async def test_a_bell_that_nobody_listens_to_is_rung_in_vain(bell: Bell) -> None:
    bell.ring([hint()])
    await quiet()


async def test_a_bell_that_was_rung_too_early_is_heard_once_it_is_open(adapter: Adapter, ear: Ear) -> None:
    bell = adapter.bell()
    bell.ring([hint(0)])  # lost or late: either is allowed
    await bell.open()
    bell.listen(ear)
    bell.ring([hint(1)])
    await ear.hears(hint(1))
    await bell.close()


async def test_a_closed_bell_may_be_rung_and_closed_again(adapter: Adapter, ear: Ear) -> None:
    bell = adapter.bell()
    await bell.close()
    await bell.open()
    bell.listen(ear)
    bell.ring([hint(0)])
    await bell.close()
    await bell.close()
    bell.ring([hint(1)])
    await quiet()
    assert hint(1) not in ear.heard


async def test_a_bell_can_be_opened_again(adapter: Adapter, ear: Ear) -> None:
    bell = adapter.bell()
    await bell.open()
    bell.ring([hint(0)])
    await bell.close()
    bell.ring([hint(1)])
    await bell.open()
    bell.listen(ear)
    bell.ring([hint(2)])
    await ear.hears(hint(2))
    await bell.close()


async def test_ringing_a_great_deal_takes_no_time(bell: Bell, ear: Ear) -> None:
    bell.listen(ear)
    began = time.thread_time()  # of this thread alone: a machine that is busy with something else takes nothing of it
    for n in range(10_000):
        bell.ring([hint(n)])
    assert time.thread_time() - began < 2
    await ear.hears(hint(9_999))


async def test_another_process_hears(bell: Bell, other: Bell, ear: Ear) -> None:
    other.listen(ear)
    await ear.hears(hint(7, News.ENDED), ring=lambda: bell.ring([hint(7, News.ENDED)]))
    assert set(ear.heard) == {hint(7, News.ENDED)}


async def test_all_other_processes_hear_and_the_one_that_rings_hears_once(
    bell: Bell, other: Bell, make_bell: MakeBell
) -> None:
    bells = [bell, other, await make_bell()]
    ears = [Ear() for _ in bells]
    for each, ear in zip(bells, ears, strict=True):
        each.listen(ear)
    known, news = hint(0, News.ENDED), [hint(1, News.INBOX), hint(2, News.ENDED), hint(3, News.STREAM)]
    bell.ring([known])  # from now on it knows the others
    for ear in ears:
        await ear.hears(known, ring=lambda: bell.ring([known]))
    await quiet()
    for ear in ears:
        ear.batches.clear()
    bell.ring(news)
    for ear in ears:
        await ear.hears(*news)
        assert ear.heard == news


@pytest.mark.parametrize("priority", [-1, 0, 1])
async def test_of_runs_that_are_ready_another_process_hears(
    bell: Bell, other: Bell, make_bell: MakeBell, priority: int
) -> None:
    ears = [Ear(), Ear()]
    for each, ear in zip((other, await make_bell()), ears, strict=True):
        each.listen(ear)

    def answer(hints: list[Hint]) -> None:
        for each in (bell, other):
            each.answered(each.mark())

    bell.listen(answer)
    async with asyncio.timeout(60):
        while not any(ear.heard for ear in ears):
            bell.ring([Hint(News.READY, IDS[n], priority) for n in range(20)])
            await quiet()
    assert {h.news for ear in ears for h in ear.heard} == {News.READY}
    assert {h.run_id for ear in ears for h in ear.heard} <= set(IDS[:20])


async def test_what_is_rung_before_it_closes_is_heard(bell: Bell, other: Bell, ear: Ear) -> None:
    other.listen(ear)
    await ear.hears(hint(0, News.ENDED), ring=lambda: bell.ring([hint(0, News.ENDED)]))
    bell.ring([hint(1, News.ENDED)])
    await bell.close()
    await ear.hears(hint(1, News.ENDED))


async def test_a_bell_that_reaches_others_is_healthy(bell: Bell) -> None:
    assert bell.healthy
    bell.ring([hint()])
    await quiet()
    assert bell.healthy


async def test_answering_what_was_never_heard_harms_nothing(bell: Bell, ear: Ear) -> None:
    bell.answered(bell.mark())
    bell.listen(ear)
    bell.ring([hint()])
    await ear.hears(hint())
    bell.answered(bell.mark())
    bell.answered(bell.mark() + 7)


async def test_a_burst_reaches_another_process_in_order(bell: Bell, other: Bell, ear: Ear) -> None:
    other.listen(ear)
    await ear.hears(hint(0, News.ENDED), ring=lambda: bell.ring([hint(0, News.ENDED)]))
    await quiet()
    ear.batches.clear()
    burst = [hint(n, News.INBOX) for n in range(1, 1_001)]
    bell.ring(burst)
    await ear.hears(burst[-1])
    assert ear.heard == burst


@pytest.mark.parametrize("way", ["closed", "never opened"])
async def test_a_process_that_does_not_listen_harms_nobody(
    adapter: Adapter, bell: Bell, other: Bell, ear: Ear, way: str
) -> None:
    gone = adapter.bell()
    if way == "closed":
        await gone.open()
        bell.ring([hint(0)])
        await gone.close()
    other.listen(ear)
    await ear.hears(hint(1), ring=lambda: bell.ring([hint(1)]))
