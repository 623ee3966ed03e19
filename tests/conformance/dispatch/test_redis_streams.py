"""What only the bell in Redis does: each READY hint is one worker's to answer."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from redis import Redis
from redis.crc import key_slot

from callboard.dispatch.bell import Hint, News
from callboard.dispatch.in_process import InProcessBell
from callboard.dispatch.redis_streams import RedisBell
from callboard.dispatch.redis_streams.keys import GROUP, Keys
from callboard.domain.errors import InputInvalid
from tests.conformance.dispatch.conftest import Ear, quiet, until
from tests.servers.redis import RedisServer

IDS = [f"{n:026d}" for n in range(1_000)]
Opened = Callable[..., Awaitable[tuple[RedisBell, Ear]]]


@pytest.fixture
def namespace() -> str:
    return f"test-{secrets.token_hex(8)}"


@pytest.fixture
def keys(namespace: str) -> Keys:
    return Keys(namespace, 1)


@pytest.fixture
def look(redis_server: RedisServer) -> Redis:
    return Redis.from_url(redis_server.url, decode_responses=True, protocol=2)


@pytest.fixture
async def opened(redis_server: RedisServer, namespace: str) -> AsyncIterator[Opened]:
    bells: list[RedisBell] = []

    async def make(claims: bool = True, *, takeover: float = 60.0, shards: int = 1) -> tuple[RedisBell, Ear]:
        name, ear = f"process-{len(bells)}", Ear()
        bell = RedisBell(
            redis_server.url, InProcessBell(), namespace, name, claims=claims, takeover=takeover, shards=shards
        )
        await bell.open()
        bell.listen(ear)
        bells.append(bell)
        return bell, ear

    yield make
    for bell in bells:
        await bell.close()


def ready(*numbers: int, priority: int = 0) -> list[Hint]:
    return [Hint(News.READY, IDS[n], priority) for n in numbers]


def pending(look: Redis, keys: Keys) -> int:
    answers: list[Any] = [look.xpending(stream, GROUP) for stream in keys.streams]
    return sum(answer["pending"] for answer in answers)


async def test_one_idle_worker_wakes_for_one_run(opened: Opened) -> None:
    door, _ = await opened(claims=False)
    ears = [(await opened())[1] for _ in range(3)]
    door.ring(ready(0))
    await until(lambda: any(ear.heard for ear in ears))
    await quiet()
    assert [hint for ear in ears for hint in ear.heard] == ready(0)


async def test_many_runs_wake_all_idle_workers(opened: Opened) -> None:
    door, _ = await opened(claims=False)
    ears = [(await opened())[1] for _ in range(4)]
    door.ring(ready(*range(500)))
    await until(lambda: all(ear.heard for ear in ears))


async def test_what_was_answered_is_done(opened: Opened, look: Redis, keys: Keys) -> None:
    door, _ = await opened(claims=False)
    worker, ear = await opened()
    door.ring(ready(0, 1, 2))
    await until(lambda: ear.heard)
    assert pending(look, keys) > 0
    await with_answers(worker, lambda: len(ear.heard) == 3 and pending(look, keys) == 0)


async def with_answers(worker: RedisBell, done: Callable[[], object]) -> None:
    """Claims like a worker that is never full, until something has come about."""

    def answered() -> object:
        worker.answered(worker.mark())
        return done()

    await until(answered)


async def test_a_claim_answers_only_what_was_heard_before_it(opened: Opened, look: Redis, keys: Keys) -> None:
    door, _ = await opened(claims=False)
    worker, ear = await opened()
    mark = worker.mark()
    door.ring(ready(0))
    await until(lambda: ear.heard)
    worker.answered(mark)
    await quiet()
    assert pending(look, keys) == 1


async def test_a_full_worker_takes_no_more_and_the_others_do(opened: Opened) -> None:
    door, _ = await opened(claims=False)
    full, full_ear = await opened()
    door.ring(ready(0))
    await until(lambda: full_ear.heard)
    other, other_ear = await opened()

    def answer() -> bool:
        other.answered(other.mark())
        return {h.run_id for h in other_ear.heard} == set(IDS[1:40])

    for n in range(1, 40):
        door.ring(ready(n))
    await until(answer)
    assert full_ear.heard == ready(0)
    assert full.healthy


async def test_what_a_worker_does_not_answer_goes_to_another(opened: Opened) -> None:
    door, _ = await opened(claims=False)
    _, first = await opened(takeover=0.3)
    door.ring(ready(0))
    await until(lambda: first.heard)
    _, second = await opened(takeover=0.3)
    await until(lambda: second.heard)
    assert second.heard == ready(0)


async def test_what_was_trimmed_before_it_is_taken_over_is_forgotten(opened: Opened, look: Redis, keys: Keys) -> None:
    door, _ = await opened(claims=False)
    _, first = await opened(takeover=0.3)
    door.ring(ready(0, 1, 2))
    await until(lambda: first.heard)
    for stream in keys.streams:
        look.xtrim(stream, maxlen=0, approximate=False)
    second, second_ear = await opened(takeover=0.3)
    await quiet()
    door.ring(ready(7))
    await with_answers(second, lambda: ready(7)[0] in second_ear.heard and second.healthy)


async def test_a_dead_process_is_forgotten(opened: Opened, look: Redis, keys: Keys) -> None:
    def consumers() -> list[str]:
        return [consumer["name"] for consumer in look.xinfo_consumers(keys.streams[1], GROUP)]

    door, _ = await opened(claims=False)
    gone, ear = await opened(takeover=0.1)
    door.ring(ready(0))
    await until(lambda: ear.heard)
    await gone.close()  # without an answer
    assert consumers() == ["process-1"]
    heir, heard = await opened(takeover=0.1)
    await until(lambda: heard.heard)
    await with_answers(heir, lambda: consumers() == ["process-2"])


async def test_its_own_worker_is_not_told_twice_and_answers_for_the_entries_too(
    opened: Opened, look: Redis, keys: Keys
) -> None:
    worker, ear = await opened()
    worker.ring(ready(0))
    await until(lambda: ear.heard)
    await with_answers(worker, lambda: look.xlen(keys.streams[1]) == 1 and pending(look, keys) == 0)
    await quiet()
    assert ear.heard == ready(0)
    worker.ring(ready(1))  # claimed before its entry can come back
    worker.answered(worker.mark())
    await until(lambda: look.xlen(keys.streams[1]) == 2)
    await quiet()
    assert pending(look, keys) == 0


async def test_a_process_under_the_name_of_a_dead_one_hears(
    redis_server: RedisServer, namespace: str, look: Redis, keys: Keys
) -> None:
    def made() -> tuple[RedisBell, Ear]:
        return RedisBell(redis_server.url, InProcessBell(), namespace, "same", takeover=0.2), Ear()

    bell, _ = made()
    await bell.open()
    for n in range(20):
        bell.ring(ready(n))
        await quiet()
    await bell.close()  # full: it answered nothing
    heir, ear = made()
    heir.listen(ear)
    await heir.open()
    await with_answers(heir, lambda: len(ear.heard) >= 10 and pending(look, keys) == 0)
    await heir.close()


async def test_a_process_without_a_worker_takes_nothing(opened: Opened, look: Redis, keys: Keys) -> None:
    door, ear = await opened(claims=False)
    other, _ = await opened(claims=False)
    other.ring(ready(0))
    await until(lambda: look.xlen(keys.streams[1]) == 1)
    await quiet()
    assert ear.heard == []
    assert door.mark() == 0
    _, worker = await opened()
    await until(lambda: worker.heard)  # it was kept for the first worker to come


async def test_hints_go_by_priority_and_run(opened: Opened, look: Redis, namespace: str) -> None:
    door, _ = await opened(claims=False, shards=4)
    for priority in (-5, 0, 3):
        door.ring(ready(*range(40), priority=priority))
    streams = Keys(namespace, 4).streams
    await until(lambda: sum(look.xlen(stream) for stream in streams) == 120)
    counts = [look.xlen(stream) for stream in streams]
    assert counts[:4] == counts[4:8] == counts[8:]
    assert min(counts) > 0
    assert [stream.rpartition(":")[2] for stream in streams] == ["high"] * 4 + ["normal"] * 4 + ["low"] * 4


def test_in_a_cluster_the_keys_of_a_namespace_lie_together() -> None:
    keys = Keys("shop", 8)
    assert len({key_slot(stream.encode()) for stream in keys.streams}) == 1
    assert key_slot(keys.channel.encode()) == key_slot(keys.streams[0].encode())
    assert key_slot(Keys("other", 1).channel.encode()) != key_slot(keys.channel.encode())


async def test_a_flood_of_hints_stays_bounded(opened: Opened, look: Redis, keys: Keys) -> None:
    door, _ = await opened(claims=False)
    for _ in range(20):
        door.ring(ready(*range(1_000)))
    await until(lambda: look.xlen(keys.streams[1]) > 0)
    await quiet()
    assert look.xlen(keys.streams[1]) == 64


@pytest.mark.parametrize("namespace", ["", "a{b", "a}b", "a b"])
def test_a_namespace_that_breaks_keys_is_refused(namespace: str) -> None:
    with pytest.raises(InputInvalid, match="cannot stand in a key"):
        RedisBell("redis://localhost", InProcessBell(), namespace, "me")
