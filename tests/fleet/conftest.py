"""A database with its users, shared by the tests of one process."""

import pytest

from tests.conformance.store.postgres_home import PostgresHome, postgres_home
from tests.fleet.tenancy import Tenancy, settled

__all__ = ["postgres_home"]


@pytest.fixture
async def tenancy(postgres_home: PostgresHome) -> Tenancy:
    return await settled(postgres_home)
