"""What the tests with recorded traffic share."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.traffic.serving import Provider


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """A server that says what it is told to say."""
    async with AsyncExitStack() as held:
        yield await held.enter_async_context(Provider())
