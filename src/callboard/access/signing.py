"""With which secrets a tenant's messages to webhooks are signed, and how one is given up for another."""

import hmac
from hashlib import sha256

import msgspec

from callboard.access.access import Access
from callboard.access.guard import Guard
from callboard.access.secret import Secret
from callboard.access.webhooks import shown
from callboard.domain.errors import InputInvalid
from callboard.engine.clock import Clock
from callboard.policy.access import Action
from callboard.store.deliveries import Signing
from callboard.store.store import Store

DAY = 86_400.0
_LONGEST = 30 * DAY


class SigningSecret(msgspec.Struct, frozen=True):
    """What a receiver verifies with. Until `before_until` (epoch seconds) messages are signed with `before` as well: a
    receiver may know either."""

    secret: str
    before: str | None = None
    before_until: float | None = None

    def __repr__(self) -> str:
        return f"SigningSecret(before_until={self.before_until})"


class DeskWebhooks:
    """The signing secret of one tenant, for who manages access there.

    Args:
        access: has the secret from which it is derived.
        store: which of the derived ones it is.
        clock: when the one before ends.
        guard: who asks.
    """

    def __init__(self, access: Access, store: Store, clock: Clock, guard: Guard) -> None:
        self._access = access
        self._store = store
        self._clock = clock
        self._guard = guard

    async def secret(self) -> SigningSecret:
        """The secret; that it was looked at is recorded. Raises Denied; InputInvalid where there is none to derive it
        from."""
        async with self._guard.deed("webhooks:secret", self._object, needs=Action.ACCESS_MANAGE):
            return await self._shown(await self._store.deliveries.signing(self._guard.tenant))

    async def rotate(self, overlap: float = DAY) -> SigningSecret:
        """Another secret, from now on; with the one before messages are signed as well for `overlap` seconds. One that
        was given up before that is no longer used. Raises Denied, InputInvalid."""
        if not 0 <= overlap <= _LONGEST:
            raise InputInvalid(f"overlap={overlap!r} is not within 0 s and 30 days", remedy="a day is usual")
        async with self._guard.deed(
            "webhooks:rotate", self._object, needs=Action.ACCESS_MANAGE, after={"overlap": overlap}
        ):
            await self._access.secret.key("webhooks")  # where there is none, nothing is rotated
            until = self._clock.now() + overlap if overlap else 0.0
            return await self._shown(await self._store.deliveries.rotate(self._guard.tenant, until))

    @property
    def _object(self) -> str:
        return f"tenant:{self._guard.tenant}"

    async def _shown(self, signing: Signing) -> SigningSecret:
        keys = await signing_keys(self._access.secret, self._guard.tenant, signing, self._clock.now())
        if len(keys) == 1:
            return SigningSecret(shown(keys[0]))
        return SigningSecret(shown(keys[0]), shown(keys[1]), signing.before_until)


async def signing_keys(secret: Secret, tenant: str, signing: Signing, now: float) -> list[bytes]:
    """With what messages of a tenant are signed now: 32 bytes each, the newest first. Raises as Secret.key does."""
    root, newest = await secret.key("webhooks"), signing.generation
    before = newest > 1 and now < signing.before_until
    return [_key(root, tenant, generation) for generation in ((newest, newest - 1) if before else (newest,))]


def _key(root: bytes, tenant: str, generation: int) -> bytes:
    named = tenant if generation == 1 else f"{tenant}\x00{generation}"  # no tenant's name has that character
    return hmac.digest(root, named.encode(), sha256)
