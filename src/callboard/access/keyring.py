"""Keys of programs: made, and recognised."""

import asyncio
import base64
import contextlib
import hmac
import re
from collections.abc import Callable
from hashlib import sha256

from callboard.access.recent import Recent
from callboard.access.secret import Secret
from callboard.domain.errors import StoreError, Unauthenticated
from callboard.domain.principal import Grant, Kind, Principal
from callboard.engine.clock import Clock
from callboard.store.keys import Key
from callboard.store.store import Store

FRESH = 2.0  # seconds after which a key that was revoked in another process is refused in this one
_MOST = 10_000  # keys that are remembered
_USED = 60.0  # seconds between two notes that a key was used
_FORM = re.compile(r"cb_([a-z2-7]{12,32})_([a-z2-7]{52})")
_NOBODY = b"\0" * 32


class Keyring:
    """Keys as `cb_ID_SECRET`: 80 random bits that name it, 256 that prove it, of which a keyed digest is stored."""

    def __init__(self, store: Store, clock: Clock, secret: Secret, entropy: Callable[[int], bytes]) -> None:
        self._store = store
        self._clock = clock
        self._secret = secret
        self._entropy = entropy
        self._keyed: hmac.HMAC | None = None
        self._recent: Recent[str, Key] = Recent(FRESH, _MOST, clock.monotonic)
        self._looks: dict[str, asyncio.Task[Key | None]] = {}  # that are being taken
        self._noted: Recent[str, bool] = Recent(_USED, _MOST, clock.monotonic)

    async def make(
        self,
        tenant: str,
        name: str,
        grants: tuple[Grant, ...],
        by: str,
        *,
        expires_at: float | None = None,
        replaces: str | None = None,
        key_id: str | None = None,
    ) -> tuple[Key, str]:
        """A new key that is not kept yet, and its text, which nobody can tell again."""
        chosen = key_id or _text(self._entropy(10))
        proof = _text(self._entropy(32))
        key = Key(
            id=chosen,
            tenant=tenant,
            name=name,
            mac=await self._mac(chosen, proof),
            grants=grants,
            created_at=self._clock.now(),
            created_by=by,
            expires_at=expires_at,
            replaces=replaces,
        )
        return key, f"cb_{chosen}_{proof}"

    async def recognise(self, text: str) -> Principal:
        """Whose key it is. Raises Unauthenticated, StoreError."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise _refused("this is no key", "send one as it was shown when it was made: cb_...")
        key = await self._find(match[1])
        mac = await self._mac(match[1], match[2])
        if not hmac.compare_digest(mac, _NOBODY if key is None else key.mac) or key is None:
            raise _refused("this key is unknown", "make one with: callboard keys create")
        self.check(key)
        await self._note(key)
        return principal_of(key)

    async def valid(self, key_id: str) -> Principal:
        """Whose key it is, for somebody who showed it before and still is in by it. Raises Unauthenticated."""
        key = await self._find(key_id)
        if key is None:
            raise _refused("this key is unknown", "log in again")
        self.check(key)
        return principal_of(key)

    def check(self, key: Key) -> None:
        """Raises Unauthenticated for one that was revoked or has expired."""
        now = self._clock.now()
        if key.revoked_at is not None and key.revoked_at <= now:
            raise _refused("this key was revoked", "ask who runs this deployment for a new one")
        if key.expires_at is not None and key.expires_at <= now:
            raise _refused("this key has expired", "ask who runs this deployment for a new one")

    def changed(self, key_id: str) -> None:
        """A key was changed by this process, which goes by that at once."""
        self._recent.drop(key_id)
        self._looks.pop(key_id, None)

    async def _find(self, key_id: str) -> Key | None:
        known = self._recent.get(key_id)
        if known is None:
            look = self._looks.get(key_id)
            if look is None:  # hundreds come with one key, and what is known of it grows old for all in one moment
                look = self._looks[key_id] = asyncio.ensure_future(self._look(key_id))
            known = await asyncio.shield(look)
        return known

    async def _look(self, key_id: str) -> Key | None:
        try:
            known = await self._store.keys.find(key_id)
            if known is not None and self._looks.get(key_id) is asyncio.current_task():  # else it was changed meanwhile
                self._recent.put(key_id, known)
            return known
        finally:
            if self._looks.get(key_id) is asyncio.current_task():
                del self._looks[key_id]

    async def _mac(self, key_id: str, proof: str) -> bytes:
        if self._keyed is None:
            self._keyed = hmac.new(await self._secret.key("keys"), digestmod=sha256)
        mac = self._keyed.copy()  # each request makes one: keyed beforehand it takes a third less
        mac.update(f"{key_id}.{proof}".encode())
        return mac.digest()

    async def _note(self, key: Key) -> None:
        now = self._clock.now()
        if self._noted.get(key.id) or (key.used_at is not None and now - key.used_at < _USED):
            return
        self._noted.put(key.id, True)
        with contextlib.suppress(StoreError):  # a store that takes no writes is no reason to let nobody read
            await self._store.keys.used(key.tenant, key.id, now)


def principal_of(key: Key) -> Principal:
    """Who acts with a key."""
    return Principal(kind=Kind.KEY, id=key.id, name=key.name, grants=key.grants, tenant=key.tenant)


def _text(random: bytes) -> str:
    return base64.b32encode(random).decode().rstrip("=").lower()


def _refused(what: str, remedy: str) -> Unauthenticated:
    return Unauthenticated(what, remedy=remedy)
