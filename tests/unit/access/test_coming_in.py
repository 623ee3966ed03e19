"""Keys, passwords, cookies and links: who comes in by them, and who no longer does."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from argon2 import PasswordHasher

import callboard as cb
from callboard.access.passwords import Passwords
from callboard.domain.errors import Conflict, Denied, InputInvalid, NotFound, RateLimited, Unauthenticated
from callboard.domain.principal import Grant, Kind, Role
from callboard.runtime import Desk, Runtime
from callboard.testing.clock import WindingClock
from callboard.testing.runtime import TestRuntime, runtime

PASSWORD = "correct horse battery"
VIEWER = [Grant(Role.VIEWER, "default")]
DAY = 86_400.0


class Clock(WindingClock):
    """One of which monotonic time is wound as well, for what is remembered a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
async def stage() -> AsyncIterator[TestRuntime]:
    async with runtime(cb.App("stage"), clock=Clock()) as test:
        quick(test.rt)
        yield test


def quick(rt: Runtime) -> None:
    """Makes passwords cheap: how slow a real one is, no test here is about."""
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    rt.access.passwords = rt.access.logins._passwords = passwords


def boss(test: TestRuntime) -> Desk:
    return test.rt.desk(test.rt.access.local("boss"), source="cli")


def later(test: TestRuntime, seconds: float) -> None:
    """Lets time pass, also for what is remembered a moment."""
    test.clock.set(test.clock.now() + seconds)
    assert isinstance(test.clock, Clock)
    test.clock.ahead += seconds


async def test_a_key_is_shown_once_rotated_without_a_pause_and_ends(stage: TestRuntime) -> None:
    access, keys = stage.rt.access, boss(stage).credentials
    made = await keys.create_key("billing", VIEWER, expires_at=stage.clock.now() + 30 * DAY)
    who = await access.authenticate_key(made.text)
    assert (who.kind, who.who, who.name, who.grants) == (Kind.KEY, f"key:{made.key.id}", "billing", tuple(VIEWER))
    secret = made.text.rpartition("_")[2]
    stored = await keys.keys()
    assert secret not in repr((made, stored)) and secret.encode() not in stored[0].mac
    assert stored[0].used_at == stage.clock.now()
    new = await keys.rotate_key(made.key.id, overlap=DAY)
    assert (new.key.replaces, new.key.grants) == (made.key.id, made.key.grants)
    for text in (made.text, new.text):
        assert (await access.authenticate_key(text)).name == "billing"
    later(stage, DAY + 1)
    with pytest.raises(Unauthenticated, match="expired"):
        await access.authenticate_key(made.text)
    assert (await access.authenticate_key(new.text)).id == new.key.id
    with pytest.raises(Conflict):
        await keys.rotate_key(made.key.id)
    await keys.revoke_key(new.key.id)
    with pytest.raises(Unauthenticated, match="revoked"):
        await access.authenticate_key(new.text)
    with pytest.raises(NotFound):
        await keys.revoke_key("nosuchkeyatall")
    with pytest.raises(InputInvalid):
        await keys.create_key("late", VIEWER, expires_at=1.0)


async def test_what_is_no_key_is_refused(stage: TestRuntime) -> None:
    made = await boss(stage).credentials.create_key("k", VIEWER)
    other = await boss(stage).credentials.create_key("k2", VIEWER)
    swapped = f"cb_{made.key.id}_{other.text.rpartition('_')[2]}"
    for text in ("", "cb__", made.text[:-1], made.text + "a", made.text.upper(), swapped, "é" * 70, made.text + "\n"):
        with pytest.raises(Unauthenticated):
            await stage.rt.access.authenticate_key(text)


async def test_a_key_that_another_process_revoked_is_refused_within_two_seconds(stage: TestRuntime) -> None:
    made = await boss(stage).credentials.create_key("k", VIEWER)
    access = stage.rt.access
    await access.authenticate_key(made.text)
    await stage.rt.store.keys.revoke("default", made.key.id, stage.clock.now())
    assert (await access.authenticate_key(made.text)).id == made.key.id  # remembered, so that a request costs no read
    later(stage, 2.01)
    with pytest.raises(Unauthenticated):
        await access.authenticate_key(made.text)


async def test_those_who_come_with_one_key_look_it_up_once_and_a_change_meanwhile_counts(stage: TestRuntime) -> None:
    made = await boss(stage).credentials.create_key("k", VIEWER)
    access, keys = stage.rt.access, stage.rt.store.keys
    later(stage, 2.01)
    find, looks, go = keys.find, list[str](), asyncio.Event()

    async def slow(key_id: str) -> Any:
        looks.append(key_id)
        found = await find(key_id)
        await go.wait()
        return found

    keys.find = slow  # type: ignore[method-assign]
    first = [asyncio.ensure_future(access.authenticate_key(made.text)) for _ in range(20)]
    await asyncio.sleep(0.05)
    assert looks == [made.key.id]
    keys.find = find  # type: ignore[method-assign]
    await boss(stage).credentials.revoke_key(made.key.id)
    go.set()
    await asyncio.gather(*first)  # they came before it was revoked
    with pytest.raises(Unauthenticated):
        await access.authenticate_key(made.text)


async def test_the_first_key_is_made_once(stage: TestRuntime) -> None:
    access = stage.rt.access
    first, none = sorted(await asyncio.gather(access.first_key(), access.first_key()), key=lambda each: each is None)
    assert first is not None and none is None
    who = await access.authenticate_key(first)
    assert (await stage.rt.desk(who).credentials.create_key("x", [Grant(Role.ADMIN)])).text.startswith("cb_")
    assert await access.first_key() is None


async def test_a_person_logs_in_and_is_out_when_they_are_disabled(stage: TestRuntime) -> None:
    access, people = stage.rt.access, boss(stage).credentials
    await people.add_person("mia", "Mia <b>", PASSWORD, VIEWER)
    entered = await access.login("mia", PASSWORD, "192.0.2.7")
    who, csrf = await access.authenticate_login(entered.cookie)
    assert (who.who, who.name, csrf) == ("person:mia", "Mia <b>", entered.csrf) and csrf != entered.cookie
    assert entered.cookie not in repr(entered) and csrf not in repr(entered)
    second = await access.login("mia", PASSWORD, "192.0.2.8")
    assert second.csrf != entered.csrf
    await people.grant("mia", [Grant(Role.AUTHOR, "default")])
    assert (await access.authenticate_login(entered.cookie))[0].grants == (Grant(Role.AUTHOR, "default"),)
    await access.logout(entered.cookie)
    with pytest.raises(Unauthenticated):
        await access.authenticate_login(entered.cookie)
    await people.disable("mia")
    with pytest.raises(Unauthenticated):
        await access.authenticate_login(second.cookie)
    with pytest.raises(Unauthenticated):
        await access.login("mia", PASSWORD, "192.0.2.7")
    await people.enable("mia")
    third = await access.login("mia", PASSWORD, "192.0.2.7")
    await people.set_password("mia", PASSWORD + "!")
    with pytest.raises(Unauthenticated):
        await access.authenticate_login(third.cookie)
    fourth = await access.login("mia", PASSWORD + "!", "192.0.2.7")
    assert await people.end_logins("mia") == 1
    fifth = await access.login("mia", PASSWORD + "!", "192.0.2.7")
    later(stage, stage.rt.settings.gateway.login_time + 1)
    for cookie in (fourth.cookie, fifth.cookie, "", "x" * 500, "é"):
        with pytest.raises(Unauthenticated):
            await access.authenticate_login(cookie)
    deeds = [entry.deed for entry in await boss(stage).audit.find(action="log*", limit=50)]
    failed = [deed for deed in deeds if deed.outcome == "unauthenticated"]
    assert [deed.object for deed in failed] == ["person:mia"]
    assert not any(PASSWORD in repr(deed) for deed in deeds)
    for password in ("short", "x" * 2_000):
        with pytest.raises(InputInvalid):
            await people.set_password("mia", password)
    with pytest.raises(Conflict):
        await people.add_person("mia", "another", PASSWORD, VIEWER)
    with pytest.raises(Conflict):  # also from another tenant, where nobody may know of it
        await stage.rt.desk(stage.rt.access.local("boss"), "other").credentials.add_person("mia", "M", PASSWORD, VIEWER)


async def test_a_key_logs_in_for_as_long_as_it_is_good(stage: TestRuntime) -> None:
    access, keys = stage.rt.access, boss(stage).credentials
    made = await keys.create_key("k", VIEWER, expires_at=stage.clock.now() + 60)
    entered = await access.login_with_key(f" {made.text}\n", "192.0.2.7")
    assert entered.expires_at == made.key.expires_at
    assert (await access.authenticate_login(entered.cookie))[0].who == f"key:{made.key.id}"
    await keys.revoke_key(made.key.id)
    with pytest.raises(Unauthenticated):
        await access.authenticate_login(entered.cookie)
    with pytest.raises(Unauthenticated):
        await access.login_with_key("cb_x_y", "192.0.2.7")


async def test_a_link_lets_one_reader_in(stage: TestRuntime) -> None:
    access = stage.rt.access
    link = access.entry_token("dev")
    entered = await access.enter(link, "127.0.0.1")
    assert (await access.authenticate_login(entered.cookie))[0].who == "local:dev"
    with pytest.raises(Unauthenticated):
        await access.enter(link, "127.0.0.1")
    stale = access.entry_token()
    later(stage, 601)
    for text in (stale, "", "made up"):
        with pytest.raises(Unauthenticated):
            await access.enter(text, "127.0.0.1")


async def test_who_guesses_is_told_to_come_back_later(stage: TestRuntime) -> None:
    access = stage.rt.access
    await boss(stage).credentials.add_person("mia", "Mia", PASSWORD, VIEWER)
    for n in range(20):  # who gets in uses nothing up
        await access.login("mia", PASSWORD, f"192.0.2.{n}")
    tries = [access.login("mia", f"guess number {n}", f"198.51.100.{n}") for n in range(30)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    kinds = [type(each) for each in answers]
    assert (kinds.count(Unauthenticated), kinds.count(RateLimited)) == (10, 20)  # however many come at once
    with pytest.raises(RateLimited) as told:
        await access.login("mia", PASSWORD, "192.0.2.1")
    assert 0 < told.value.retry_after <= 30
    names = [access.login(f"name{n}", "guess number 1", "203.0.113.9") for n in range(40)]
    kinds = [type(each) for each in await asyncio.gather(*names, return_exceptions=True)]
    assert (kinds.count(Unauthenticated), kinds.count(RateLimited)) == (30, 10)
    later(stage, 31)
    assert (await access.login("mia", PASSWORD, "192.0.2.1")).principal.id == "mia"


async def test_an_unknown_name_costs_as_much_as_a_wrong_password(stage: TestRuntime) -> None:
    access, verified = stage.rt.access, []
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

    class Counting(PasswordHasher):
        def verify(self, hash: Any, password: Any) -> Any:
            verified.append(hash)
            return hasher.verify(hash, password)

    await boss(stage).credentials.add_person("mia", "Mia", PASSWORD, VIEWER)
    access.logins._passwords = Passwords(Counting(time_cost=1, memory_cost=8, parallelism=1))
    for login in ("mia", "nobody", "no\nname"):
        with pytest.raises(Unauthenticated, match="the name or the password is wrong"):
            await access.login(login, "guess number 1", "192.0.2.7")
    assert len(verified) == 3
    deeds = [entry.deed for entry in await boss(stage).audit.find(action="login")]
    assert [deed.object for deed in deeds] == ["person", "person", "person:mia"]  # what was typed may be a password


async def test_a_password_is_hashed_again_when_that_has_become_harder(stage: TestRuntime) -> None:
    await boss(stage).credentials.add_person("mia", "Mia", PASSWORD, VIEWER)
    people = stage.rt.store.people
    before = await people.find("mia")
    harder = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    stage.rt.access.logins._passwords = Passwords(harder)
    await stage.rt.access.login("mia", PASSWORD, "192.0.2.7")
    after = await people.find("mia")
    assert before is not None and after is not None and before.password != after.password
    assert not harder.check_needs_rehash(after.password)
    assert (await stage.rt.access.login("mia", PASSWORD, "192.0.2.7")).principal.id == "mia"


async def test_who_manages_access_in_one_tenant_sees_no_other(stage: TestRuntime) -> None:
    made = await boss(stage).credentials.create_key("k", VIEWER)
    other = stage.rt.desk(stage.rt.access.local("boss"), "other").credentials
    assert await other.keys() == []
    for change in (other.revoke_key(made.key.id), other.rotate_key(made.key.id)):
        with pytest.raises(NotFound):
            await change
    assert await other.keys() == []
    who = await stage.rt.access.authenticate_key(made.text)
    with pytest.raises(Denied):
        await stage.rt.desk(who).credentials.keys()
