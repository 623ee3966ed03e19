"""What only the bell in PostgreSQL does: it goes on through an outage, and around a pooler."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from callboard.dispatch import postgres as adapter
from callboard.dispatch.bell import LOOK, Hint, News
from callboard.dispatch.in_process import InProcessBell
from callboard.dispatch.postgres import PostgresBell
from callboard.domain.errors import InputInvalid
from tests.conformance.dispatch.conftest import Ear, quiet, until
from tests.servers.pgbouncer import Bouncer
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import FaultProxy

IDS = [f"{n:026d}" for n in range(5_000)]
Opened = Callable[..., Awaitable[tuple[PostgresBell, Ear]]]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    bells: list[PostgresBell] = []
    channel = f"bell-{secrets.token_hex(8)}"

    async def make(url: str, listen: str | None = None) -> tuple[PostgresBell, Ear]:
        ear = Ear()
        bell = PostgresBell(url, InProcessBell(), f"process-{len(bells)}", listen=listen, channel=channel)
        await bell.open()
        bell.listen(ear)
        bells.append(bell)
        return bell, ear

    yield make
    for bell in bells:
        await bell.close()


def ended(n: int) -> Hint:
    return Hint(News.ENDED, IDS[n])


async def test_after_a_restart_of_the_server_listeners_look_and_hear_again(
    private_postgres: Callable[..., PostgresServer], opened: Opened
) -> None:
    server = private_postgres()
    one, _ = await opened(server.url)
    two, ear = await opened(server.url)
    server.stop("immediate")
    await until(lambda: not two.healthy)
    one.ring([ended(n) for n in range(5_000)])
    await until(lambda: not one.healthy)
    one.ring([Hint(News.READY, IDS[7])])
    assert ear.heard == []
    server.start()
    await until(lambda: LOOK in ear.heard)
    await until(lambda: one.healthy and two.healthy)
    await ear.hears(ended(1), ring=lambda: one.ring([ended(1)]))


async def test_a_network_that_swallows_everything_is_noticed(
    postgres: PostgresServer, fault_proxy: Callable[[str], FaultProxy], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "_ANSWER", 0.5)
    monkeypatch.setattr(adapter, "_LOOK_AFTER", 0.2)
    proxy = fault_proxy(postgres.url)
    near, _ = await opened(postgres.url)
    far, ear = await opened(proxy.url(postgres.url))
    proxy.black_hole()
    far.ring([ended(0)])
    await until(lambda: not far.healthy)
    proxy.heal()
    await until(lambda: far.healthy)
    assert LOOK in ear.heard
    await ear.hears(ended(1), ring=lambda: near.ring([ended(1)]))


async def test_a_server_that_is_not_there_when_it_opens_is_waited_for(
    private_postgres: Callable[..., PostgresServer], opened: Opened
) -> None:
    server = private_postgres()
    server.stop("fast")
    one, _ = await opened(server.url)
    two, ear = await opened(server.url)
    assert not one.healthy
    one.ring([ended(3)])
    server.start()
    await until(lambda: one.healthy and two.healthy)
    await ear.hears(ended(3), ring=lambda: one.ring([ended(3)]))


async def test_more_hints_than_one_notification_holds_all_arrive(postgres: PostgresServer, opened: Opened) -> None:
    one, _ = await opened(postgres.url)
    _, ear = await opened(postgres.url)
    hints = [ended(n) for n in range(5_000)]
    one.ring(hints)
    await ear.hears(*hints)
    assert ear.heard == hints


async def test_many_ready_runs_are_one_hint(postgres: PostgresServer, opened: Opened) -> None:
    one, own = await opened(postgres.url)
    _, ear = await opened(postgres.url)
    hints = [Hint(News.READY, each) for each in IDS[:1_000]]
    one.ring(hints)
    one.ring([ended(0)])
    await ear.hears(ended(0))
    assert ear.heard == [hints[0], ended(0)]
    assert own.heard == [*hints, ended(0)]


async def test_hints_are_told_through_a_bouncer_and_heard_beside_it(
    postgres: PostgresServer, pgbouncer: Callable[..., Bouncer], opened: Opened
) -> None:
    pooled = pgbouncer(postgres.url).url(postgres.url)
    pooled += ("&" if "?" in pooled else "?") + "pgbouncer=1" if "pgbouncer=" not in pooled else ""
    one, ear = await opened(pooled, listen=postgres.url)
    two, other = await opened(postgres.url)
    await other.hears(ended(0), ring=lambda: one.ring([ended(0)]))
    await ear.hears(ended(1), ring=lambda: two.ring([ended(1)]))


def test_listening_through_a_bouncer_is_refused() -> None:
    with pytest.raises(InputInvalid, match="do not pass through PgBouncer") as caught:
        PostgresBell("postgresql://anna:geheim@pool/db?pgbouncer=1", InProcessBell(), "me")
    assert "geheim" not in str(caught.value)


async def test_what_others_say_on_the_channel_is_not_heard(postgres: PostgresServer, opened: Opened) -> None:
    import asyncpg

    one, _ = await opened(postgres.url)
    two, ear = await opened(postgres.url)
    db = await asyncpg.connect(postgres.url)
    for noise in ("", "x", "x ", "x q1", "x r", "x  e", "ä 😀"):
        await db.execute("SELECT pg_notify($1, $2)", two._channel, noise)
    await db.close()
    await ear.hears(ended(1), ring=lambda: one.ring([ended(1)]))
    await quiet()
    assert set(ear.heard) == {ended(1)}
