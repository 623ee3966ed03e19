"""A log-in at a provider that one gateway begins and another finishes, on PostgreSQL, where a door sees one tenant at a
time."""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest

import callboard as cb
from callboard.domain.errors import Unauthenticated
from callboard.domain.principal import Grant, Role
from callboard.runtime import open as open_runtime
from callboard.settings import GatewaySettings, Settings
from tests.conformance.store.postgres_home import PostgresHome
from tests.unit.access.identity import CLIENT, SECRET, IdentityProvider

BACK = "https://agents.example.com/console/login/callback"


@pytest.fixture
def there() -> Iterator[IdentityProvider]:
    provider = IdentityProvider()
    provider.back.add(BACK)
    provider.person |= {"org": "north", "roles": ["admin"]}
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


async def test_one_gateway_begins_and_another_finishes(postgres_home: PostgresHome, there: IdentityProvider) -> None:
    settings = Settings(
        gateway=GatewaySettings(
            secret="s" * 32,
            public_url="https://agents.example.com",
            oidc_issuer=there.url,
            oidc_client=CLIENT,
            oidc_client_secret=SECRET,
            oidc_tenant="org",
        )
    )
    async with (
        open_runtime(cb.App("x"), postgres_home.door, worker=False, settings=settings) as first,
        open_runtime(cb.App("x"), postgres_home.door, worker=False, settings=settings) as other,
    ):
        left = await first.access.provider.begin("/console/runs", BACK)
        answer = parse_qsl(urlsplit(there.decide(left.url)).query)
        entered = await other.access.provider.finish(left.cookie, answer, BACK, "192.0.2.7")
        who, _ = await first.access.authenticate_login(entered.cookie)
        assert (who.tenant, who.grants) == ("north", (Grant(Role.ADMIN, "north"),))
        for again in (first, other):
            with pytest.raises(Unauthenticated, match="answered before"):
                await again.access.provider.finish(left.cookie, answer, BACK, "192.0.2.7")
        deeds = [each.deed for each in await first.desk(who).audit.find(action="login")]
        assert [(deed.actor, deed.outcome) for deed in deeds] == [(who.who, "done")]
        await other.access.logout(entered.cookie)
        with pytest.raises(Unauthenticated):
            await other.access.authenticate_login(entered.cookie)
