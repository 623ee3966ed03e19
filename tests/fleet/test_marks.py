"""What a writer finds out about a COMMIT whose answer it never heard, while the old session is still at it."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from callboard.store.postgres import PostgresStore
from callboard.store.postgres.marks import Marks


@pytest.mark.parametrize("earlier", [0, 1], ids=["a writer's first group", "a later one"])
@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
async def test_the_answer_waits_for_a_session_that_is_still_at_it(
    new_database: Callable[..., str], earlier: int, end: str
) -> None:
    url = new_database("marks")
    store = PostgresStore(url)
    await store.open()
    await store.close()
    old, new = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        marks = Marks()
        for _ in range(earlier):
            await marks.put(old)
        await old.execute("BEGIN")
        marked = await marks.put(old)
        asked = asyncio.create_task(marks.committed(new, *marked))
        await asyncio.sleep(0.1)  # it waits; an answer that came by now would have been a guess
        assert not asked.done()
        await old.execute(end)
        assert await asked is (end == "COMMIT")
    finally:
        await old.close()
        await new.close()
