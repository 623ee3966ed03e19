"""PgBouncer, where there is one: it pools transactions, so a session's state does not last."""

from collections.abc import Callable

import asyncpg

from tests.servers.pgbouncer import Bouncer


async def test_transactions_of_one_client_share_the_servers_connections(
    new_database: Callable[..., str], pgbouncer: Callable[..., Bouncer]
) -> None:
    url = new_database("pooled")
    through = pgbouncer(url, pool_size=1).url(url)
    first, second = [await asyncpg.connect(through, statement_cache_size=0) for _ in range(2)]
    try:
        backends = {await client.fetchval("SELECT pg_backend_pid()") for client in (first, second)}
        assert len(backends) == 1
        assert await first.fetchval("SELECT current_database()") == url.rpartition("/")[2]
    finally:
        await first.close()
        await second.close()
