"""A provider on loopback."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.models.providers.front import Front, front


@pytest.fixture
async def here() -> AsyncIterator[Front]:
    async with front() as listening:
        yield listening
