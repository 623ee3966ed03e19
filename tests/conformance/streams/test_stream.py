"""Chunks reach whoever follows the run, in order, wherever it is read, and nobody is made to wait or lied to."""

import asyncio
from collections.abc import Callable

import pytest

from callboard.domain.errors import InputInvalid
from callboard.streams.stream import GAP, START, Chunk, Stream
from tests.conformance.streams.adapters import Adapter
from tests.conformance.streams.conftest import Reader, quiet, until

Reading = Callable[..., Reader]


def chunk(number: int, run_id: str = "run", epoch: int = 1, tenant: str = "acme", value: object = None) -> Chunk:
    return Chunk(run_id, epoch, "0:model", number, "delta", {"n": number} if value is None else value, tenant)


async def test_a_reader_gets_what_is_published_in_order(stream: Stream, other: Stream, reading: Reading) -> None:
    reader = reading(other, after=START)
    sent = [chunk(n) for n in range(1, 51)]
    for each in sent:
        stream.publish(each)
    await reader.gets(*range(1, 51))
    assert reader.read == sent


async def test_a_reader_who_waits_gets_each_chunk_as_it_comes(stream: Stream, other: Stream, reading: Reading) -> None:
    reader = reading(other, after=START)
    for n in range(1, 6):
        stream.publish(chunk(n))
        await reader.gets(*range(1, n + 1))


async def test_without_a_place_a_reader_begins_now(stream: Stream, other: Stream, reading: Reading) -> None:
    earlier = reading(other, after=START)
    stream.publish(chunk(1))
    stream.publish(chunk(2))
    await earlier.gets(1, 2)
    reader = reading(other)
    await quiet()
    await quiet()
    stream.publish(chunk(3))
    await reader.gets(3)


async def test_a_reader_who_comes_back_goes_on_behind_what_it_has_seen(
    stream: Stream, other: Stream, reading: Reading
) -> None:
    first = reading(stream, after=START)
    for n in range(1, 11):
        stream.publish(chunk(n))
    await first.gets(*range(1, 11))
    back = reading(other, after=first.read[3].id)
    await back.gets(*range(5, 11))
    stream.publish(chunk(11))
    await back.gets(*range(5, 12))
    await reading(other, after=back.read[-1].id).gets()


async def test_after_a_crash_the_next_owner_is_read_and_the_old_one_is_not(
    stream: Stream, other: Stream, reading: Reading
) -> None:
    reader = reading(other, after=START)
    stream.publish(chunk(1))
    stream.publish(chunk(2))
    await reader.gets(1, 2)
    stream.publish(chunk(1, epoch=2))
    await reader.gets(1, 2, 1)
    stream.publish(chunk(3, epoch=1))  # it does not know yet that it lost the run
    stream.publish(chunk(2, epoch=2))
    await reader.gets(1, 2, 1, 2)
    assert [c.epoch for c in reader.read] == [1, 1, 2, 2]
    assert [c.id for c in reader.read] == ["1-1", "1-2", "2-1", "2-2"]


async def test_lost_chunks_leave_a_gap_that_is_told(stream: Stream, other: Stream, reading: Reading) -> None:
    reader = reading(other, after=START)
    stream.publish(chunk(1))
    stream.publish(chunk(5))
    await reader.gets(1, 4, 5)
    gap = reader.read[1]
    assert (gap.kind, gap.value, gap.tenant, gap.run_id) == (GAP, {"lost": 3}, "acme", "run")
    await reading(other, after=gap.id).gets(5)


async def test_a_gap_is_told_to_who_comes_back_too(stream: Stream, other: Stream, reading: Reading) -> None:
    stream.publish(chunk(6))
    stream.publish(chunk(2, epoch=2))
    back = reading(other, after="1-4")
    await back.gets(5, 6, 1, 2)
    assert [c.kind for c in back.read] == [GAP, "delta", GAP, "delta"]


async def test_two_tenants_may_use_one_id(stream: Stream, other: Stream, reading: Reading) -> None:
    acme, bolt = reading(other, after=START), reading(other, tenant="bolt", after=START)
    stream.publish(chunk(1, tenant="acme", value="a"))
    stream.publish(chunk(1, tenant="bolt", value="b"))
    await acme.gets(1)
    await bolt.gets(1)
    assert [c.value for c in acme.read + bolt.read] == ["a", "b"]
    assert [c.tenant for c in acme.read + bolt.read] == ["acme", "bolt"]


@pytest.mark.parametrize(("tenant", "run_id"), [("a:b", "c"), ("a", "b:c"), ("{a}", "c"), ("ä b", "c%3A"), ("*", "?")])
async def test_names_do_not_run_into_each_other(
    stream: Stream, other: Stream, reading: Reading, tenant: str, run_id: str
) -> None:
    places = [("a:b", "c"), ("a", "b:c"), ("{a}", "c"), ("ä b", "c%3A"), ("*", "?")]
    for each in places:
        stream.publish(chunk(1, tenant=each[0], run_id=each[1], value=list(each)))
    reader = reading(other, run_id=run_id, tenant=tenant, after=START)
    await reader.gets(1)
    assert reader.read[0].value == [tenant, run_id]


async def test_many_runs_are_followed_side_by_side(stream: Stream, other: Stream, reading: Reading) -> None:
    readers = [reading(other, run_id=f"run-{n}", after=START) for n in range(40)]
    await quiet()
    for number in (1, 2, 3):
        for n in range(40):
            stream.publish(chunk(number, run_id=f"run-{n}"))
        await quiet()
    for reader in readers:
        await reader.gets(1, 2, 3)


async def test_two_readers_of_one_run_get_the_same_each_in_its_own_pace(
    stream: Stream, other: Stream, reading: Reading
) -> None:
    first = reading(other, after=START)
    for n in range(1, 4):
        stream.publish(chunk(n))
    await first.gets(1, 2, 3)
    late = reading(other, after="1-1")
    await late.gets(2, 3)
    stream.publish(chunk(4))
    await first.gets(1, 2, 3, 4)
    await late.gets(2, 3, 4)


async def test_a_reader_that_stands_still_holds_up_nobody(stream: Stream, other: Stream, reading: Reading) -> None:
    still = other.follow("acme", "run", START)
    waiting = asyncio.ensure_future(anext(still))
    stream.publish(chunk(1))
    assert (await asyncio.wait_for(waiting, 60)).number == 1
    quick = reading(other, after=START)
    total = 3_000
    for n in range(2, total + 1):
        stream.publish(chunk(n))
        if n % 100 == 0:
            await asyncio.sleep(0.002)
    await until(lambda: quick.read and quick.read[-1].number == total)
    # The slow one goes on where it stood, or behind a gap; either way each chunk is read or counted as lost.
    seen = 1
    async with asyncio.timeout(60):
        while seen < total:
            each = await anext(still)
            seen += each.value["lost"] if each.kind == GAP else 1
            assert each.number == seen


async def test_values_are_json(stream: Stream, other: Stream, reading: Reading) -> None:
    reader = reading(other, after=START)
    values = ["text\x00 ä 😀", 1.5, None, {"list": [1, True, {}]}, ""]
    for n, value in enumerate(values, 1):
        stream.publish(Chunk("run", 1, "", n, "progress", value, "acme"))
    await reader.gets(1, 2, 3, 4, 5)
    assert [c.value for c in reader.read] == values


async def test_what_cannot_be_published_takes_nothing_else_with_it(
    adapter: Adapter, stream: Stream, other: Stream, reading: Reading
) -> None:
    if not adapter.shared:
        pytest.skip("within a process a value is handed over as it is")
    reader = reading(other, after=START)
    stream.publish(chunk(1))
    stream.publish(chunk(2, value=object()))
    stream.publish(chunk(3))
    await reader.gets(1, 2, 3)
    assert [c.kind for c in reader.read] == ["delta", GAP, "delta"]


@pytest.mark.parametrize("after", ["", "7", "1-", "-1", "a-b", "1-2-3", "1 - 2", "1-" + "9" * 50])
async def test_a_place_that_is_none_is_refused(stream: Stream, after: str) -> None:
    with pytest.raises(InputInvalid, match="is no chunk's id"):
        await anext(stream.follow("acme", "run", after))


async def test_nobody_is_told_of_another_run(stream: Stream, other: Stream, reading: Reading) -> None:
    reader = reading(other, run_id="quiet", after=START)
    stream.publish(chunk(1))
    await reading(other, after=START).gets(1)
    await reader.gets()


async def test_what_was_published_before_the_end_is_read(
    adapter: Adapter, stream: Stream, other: Stream, reading: Reading
) -> None:
    if not adapter.shared:
        pytest.skip("there is one process only")
    stream.publish(chunk(1))
    await stream.close()
    await reading(other, after=START).gets(1)


async def test_a_server_that_is_not_there_hinders_nobody(adapter: Adapter, reading: Reading) -> None:
    stream = adapter.nowhere()
    stream.publish(chunk(1))
    await stream.open()
    assert stream.healthy is not adapter.shared
    reader = reading(stream, after=START)
    for n in range(2, 30_000):
        stream.publish(chunk(n))
    await quiet()
    assert not reader.read or not adapter.shared
    await reader.stop()
    await stream.close()
    stream.publish(chunk(30_000))


async def test_an_open_stream_is_healthy(stream: Stream) -> None:
    assert stream.healthy
