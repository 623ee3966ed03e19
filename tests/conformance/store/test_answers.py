"""Answers that may be given again: one for each tenant and key, and not for ever."""

import asyncio

import pytest

from callboard.domain.errors import InputInvalid
from callboard.store.answers import LARGEST, Answer
from callboard.store.store import Store
from tests.conformance.store.play import STRANGER, T0, TENANT

KEY = bytes(range(16))


async def test_what_was_put_is_got(store: Store) -> None:
    await store.answers.put(TENANT, KEY, b"\x00\xff{}", T0)
    assert await store.answers.get(TENANT, KEY, T0) == Answer(b"\x00\xff{}", T0)
    assert await store.answers.get(TENANT, KEY[:-1], T0) is None


async def test_what_is_too_old_is_not(store: Store) -> None:
    await store.answers.put(TENANT, KEY, b"1", T0)
    assert await store.answers.get(TENANT, KEY, T0 + 0.001) is None


async def test_no_tenant_sees_anothers(store: Store) -> None:
    await store.answers.put(TENANT, KEY, b"mine", T0)
    assert await store.answers.get(STRANGER, KEY, 0.0) is None
    await store.answers.put(STRANGER, KEY, b"theirs", T0)
    assert await store.answers.get(TENANT, KEY, 0.0) == Answer(b"mine", T0)
    assert await store.answers.forget(STRANGER, T0 + 1) == 1
    assert await store.answers.get(TENANT, KEY, 0.0) is not None


async def test_a_later_answer_takes_the_place_of_an_earlier_one_alone(store: Store) -> None:
    await store.answers.put(TENANT, KEY, b"first", T0)
    await store.answers.put(TENANT, KEY, b"second", T0 + 1)
    await store.answers.put(TENANT, KEY, b"late, and of before", T0 + 0.5)
    assert await store.answers.get(TENANT, KEY, 0.0) == Answer(b"second", T0 + 1)


async def test_old_ones_are_forgotten_of_one_tenant_or_of_all(store: Store) -> None:
    for tenant in (TENANT, STRANGER):
        for n in range(3):
            await store.answers.put(tenant, bytes([n]), b"x", T0 + n)
    assert await store.answers.forget(TENANT, T0 + 1) == 1
    assert await store.answers.forget(None, T0 + 2) == 3
    assert await store.answers.forget(None, T0 + 2) == 0
    left = [await store.answers.get(tenant, b"\x02", 0.0) for tenant in (TENANT, STRANGER)]
    assert left == [Answer(b"x", T0 + 2)] * 2


async def test_many_are_forgotten_in_one_go(store: Store) -> None:
    count = 1_100  # more than one transaction takes
    await asyncio.gather(*(store.answers.put(TENANT, b"%d" % n, b"x", T0) for n in range(count)))
    assert await store.answers.forget(None, T0 + 1) == count


async def test_an_answer_may_be_large_but_not_larger(store: Store) -> None:
    await store.answers.put(TENANT, KEY, b"x" * LARGEST, T0)
    with pytest.raises(InputInvalid, match="1,048,577 bytes"):
        await store.answers.put(TENANT, KEY, b"y" * (LARGEST + 1), T0 + 1)
    kept = await store.answers.get(TENANT, KEY, 0.0)
    assert kept is not None and kept.body == b"x" * LARGEST


async def test_another_process_sees_them(store: Store, other: Store) -> None:
    await store.answers.put(TENANT, KEY, b"1", T0)
    assert await other.answers.get(TENANT, KEY, 0.0) == Answer(b"1", T0)
