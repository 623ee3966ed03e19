"""Keys and people at a desk: nobody gives more than they have themselves."""

from collections.abc import Sequence
from typing import Any

import msgspec

from callboard.access.access import Access
from callboard.access.granting import beyond, checked
from callboard.access.guard import Guard
from callboard.domain.errors import Conflict, Denied, InputInvalid, NotFound
from callboard.domain.principal import Grant, Kind
from callboard.engine.clock import Clock
from callboard.policy.access import Action
from callboard.store.keys import Key
from callboard.store.people import Person
from callboard.store.store import Store

_LONGEST = 200  # characters of a name
_OVERLAP = 24 * 3_600.0  # seconds for which a key that was replaced is still good


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just made. `text` is shown once; nobody can tell it again."""

    key: Key
    text: str

    def __repr__(self) -> str:
        return f"NewKey({self.key.id})"


class DeskCredentials:
    """What one principal may do with the keys and people of one tenant. All of it is recorded.

    Who changes a key or a person must have what that one has: else an admin of one tenant could become one of all.
    """

    def __init__(self, access: Access, store: Store, clock: Clock, guard: Guard) -> None:
        self._access = access
        self._store = store
        self._clock = clock
        self._guard = guard

    async def keys(self) -> list[Key]:
        """All keys of the tenant, revoked ones too, newest first. Raises Denied."""
        self._guard.check(Action.ACCESS_MANAGE)
        return await self._store.keys.list(self._guard.tenant)

    async def create_key(self, name: str, grants: Sequence[Grant], *, expires_at: float | None = None) -> NewKey:
        """A new key, for a program or a service account.

        Args:
            name: what it is for.
            grants: what it may do: no more than the principal may.
            expires_at: when it ends by itself, in epoch seconds; never, by default.

        Raises Denied, InputInvalid.
        """
        name, given = _name(name), checked(grants)
        if expires_at is not None and expires_at <= self._clock.now():
            raise InputInvalid("the key would have expired already", remedy="give it a time to come")
        await self._covered("keys:create", f"key:{name}", given)
        made, text = await self._make(name, given, expires_at)
        after = {"name": name, "grants": given, "expires_at": expires_at}
        async with self._guard.deed("keys:create", f"key:{made.id}", needs=Action.ACCESS_MANAGE, after=after):
            await self._store.keys.add(made)
        return NewKey(made, text)

    async def rotate_key(self, key_id: str, *, overlap: float = _OVERLAP, expires_at: float | None = None) -> NewKey:
        """A new key in the place of one, with the same name and grants. The old one is good for `overlap` seconds
        more, so that programs can change over without a pause.

        Raises Denied, InputInvalid, NotFound; Conflict for one that has ended.
        """
        if overlap < 0:
            raise InputInvalid(f"overlap={overlap!r} is no number of seconds from 0", remedy="leave it out for a day")
        old = await self._key(key_id, "keys:rotate")
        now = self._clock.now()
        if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
            raise Conflict(f"key {key_id} has ended", remedy="create a new one")
        made, text = await self._make(old.name, old.grants, expires_at, replaces=old.id)
        after = {"new": made.id, "expires_at": now + overlap}
        async with self._guard.deed(
            "keys:rotate", f"key:{old.id}", needs=Action.ACCESS_MANAGE, before=_facts(old), after=after
        ):
            await self._store.keys.add(made)
            await self._store.keys.expire(self._guard.tenant, old.id, now + overlap)
            self._access.keyring.changed(old.id)
        return NewKey(made, text)

    async def revoke_key(self, key_id: str) -> Key:
        """Ends a key: in this process at once, in others within two seconds. Raises Denied, NotFound."""
        old = await self._key(key_id, "keys:revoke")
        async with self._guard.deed("keys:revoke", f"key:{old.id}", needs=Action.ACCESS_MANAGE, before=_facts(old)):
            done = await self._store.keys.revoke(self._guard.tenant, old.id, self._clock.now())
            self._access.keyring.changed(old.id)
            return done

    async def people(self) -> list[Person]:
        """Everybody of the tenant, by log-in; their passwords' hashes are left out. Raises Denied."""
        self._guard.check(Action.ACCESS_MANAGE)
        found = await self._store.people.list(self._guard.tenant)
        return [msgspec.structs.replace(person, password="") for person in found]

    async def add_person(self, login: str, name: str, password: str, grants: Sequence[Grant]) -> Person:
        """Somebody who can log in. Raises Denied, InputInvalid; Conflict when somebody has that log-in already."""
        login, name, given = _name(login, spaces=False), _name(name), checked(grants)
        await self._covered("people:add", f"person:{login}", given)
        if await self._store.people.find(login) is not None:
            raise Conflict(f"somebody has the log-in {login!r} already", remedy="choose another")
        person = Person(
            login=login,
            tenant=self._guard.tenant,
            name=name,
            password=await self._access.passwords.hashed(password),
            grants=given,
            created_at=self._clock.now(),
            created_by=self._guard.principal.who,
        )
        return await self._put("people:add", person, None, {"name": name, "grants": given})

    async def grant(self, login: str, grants: Sequence[Grant]) -> Person:
        """Gives somebody these grants in place of those before. Raises Denied, InputInvalid, NotFound."""
        old, given = await self._person(login, "people:grant"), checked(grants)
        await self._covered("people:grant", f"person:{old.login}", given)
        new = msgspec.structs.replace(old, grants=given)
        return await self._put("people:grant", new, {"grants": old.grants}, {"grants": given})

    async def set_password(self, login: str, password: str) -> Person:
        """Gives somebody another password, and ends their log-ins. Raises Denied, InputInvalid, NotFound."""
        old = await self._person(login, "people:password")
        new = msgspec.structs.replace(old, password=await self._access.passwords.hashed(password))
        done = await self._put("people:password", new, None, None)
        await self._access.logins.leave_everywhere(old.tenant, Kind.PERSON, old.login)
        return done

    async def disable(self, login: str) -> Person:
        """Lets somebody in no longer, and ends their log-ins. Raises Denied, NotFound."""
        old = await self._person(login, "people:disable")
        new = msgspec.structs.replace(old, disabled_at=old.disabled_at or self._clock.now())
        done = await self._put(
            "people:disable", new, {"disabled_at": old.disabled_at}, {"disabled_at": new.disabled_at}
        )
        await self._access.logins.leave_everywhere(old.tenant, Kind.PERSON, old.login)
        return done

    async def enable(self, login: str) -> Person:
        """Lets somebody in again. Raises Denied, NotFound."""
        old = await self._person(login, "people:enable")
        new = msgspec.structs.replace(old, disabled_at=None)
        return await self._put("people:enable", new, {"disabled_at": old.disabled_at}, {"disabled_at": None})

    async def end_logins(self, login: str) -> int:
        """Logs somebody out everywhere; returns of how many log-ins. Raises Denied, NotFound."""
        person = await self._person(login, "people:logout")
        async with self._guard.deed("people:logout", f"person:{person.login}", needs=Action.ACCESS_MANAGE):
            return await self._access.logins.leave_everywhere(person.tenant, Kind.PERSON, person.login)

    async def _make(
        self, name: str, grants: tuple[Grant, ...], expires_at: float | None, *, replaces: str | None = None
    ) -> tuple[Key, str]:
        by, tenant = self._guard.principal.who, self._guard.tenant
        return await self._access.keyring.make(tenant, name, grants, by, expires_at=expires_at, replaces=replaces)

    async def _put(self, action: str, person: Person, before: Any, after: Any) -> Person:
        async with self._guard.deed(
            action, f"person:{person.login}", needs=Action.ACCESS_MANAGE, before=before, after=after
        ):
            await self._store.people.put(person)
            self._access.logins.changed(person.login)
        return msgspec.structs.replace(person, password="")

    async def _key(self, key_id: str, action: str) -> Key:
        """A key of the tenant that the principal may change. Raises Denied, NotFound."""
        await self._allowed(action, f"key:{key_id}")
        key = await self._store.keys.find(key_id)
        if key is None or key.tenant != self._guard.tenant:
            raise NotFound(f"no key {key_id[:100]!r}", remedy="callboard keys list shows the ids")
        await self._covered(action, f"key:{key_id}", key.grants)
        return key

    async def _person(self, login: str, action: str) -> Person:
        await self._allowed(action, f"person:{login}")
        person = await self._store.people.find(login)
        if person is None or person.tenant != self._guard.tenant:
            raise NotFound(f"nobody has the log-in {login[:100]!r}", remedy="callboard people list shows them")
        await self._covered(action, f"person:{login}", person.grants)
        return person

    async def _allowed(self, action: str, object: str) -> None:
        if not self._guard.may(Action.ACCESS_MANAGE):
            async with self._guard.deed(action, object[:_LONGEST], needs=Action.ACCESS_MANAGE):
                pass  # it denies, and records that

    async def _covered(self, action: str, object: str, grants: Sequence[Grant]) -> None:
        """Raises Denied unless the principal manages access here, and has all that the grants give."""
        await self._allowed(action, object)
        if (more := beyond(self._guard.principal, grants)) is not None:
            denied = Denied(
                f"{self._guard.principal.name} may not give or change what reaches further than their own grants",
                why=f"{more} is beyond them, there or for these flows",
                remedy="ask somebody who has it",
            )
            await self._guard.refuse(action, object, denied, after={"grants": tuple(grants)})


def _name(text: str, *, spaces: bool = True) -> str:
    text = text.strip()
    if not 0 < len(text) <= _LONGEST or not text.isprintable() or (not spaces and " " in text):
        raise InputInvalid(
            f"{text[:_LONGEST]!r} is no name",
            why=f"it has 1 to {_LONGEST} characters that can be printed" + ("" if spaces else ", and no spaces"),
            remedy="choose another",
        )
    return text


def _facts(key: Key) -> dict[str, Any]:
    return {"name": key.name, "grants": key.grants, "expires_at": key.expires_at, "revoked_at": key.revoked_at}
