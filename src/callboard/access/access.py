"""Who comes in: keys, tokens, log-ins; and the secret behind them."""

from collections.abc import Callable

import msgspec

from callboard.access.attempts import Attempts
from callboard.access.issuer import Issuer
from callboard.access.keyring import Keyring
from callboard.access.logins import Entered, Logins, local
from callboard.access.passwords import Passwords
from callboard.access.provider import Provider
from callboard.access.rates import Rates
from callboard.access.secret import Secret
from callboard.access.tokens import Tokens
from callboard.domain.errors import Conflict
from callboard.domain.principal import Grant, Principal, Role
from callboard.engine.clock import Clock
from callboard.resilience.counters import Counters
from callboard.settings import Settings
from callboard.store.audit import Deed
from callboard.store.store import Store

_FIRST = "firstadminkey"  # an id like any other, so that of two first starts at once only one makes it


class Access:
    """Says who somebody is. What they may do, the desk says.

    Args:
        store: keys, people, log-ins and the record.
        clock: when they end.
        settings: the secret, the issuer of tokens, how long log-ins last.
        counters: how often somebody failed, over all processes.
        entropy: returns so many random bytes.
        passwords: how they are hashed.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: Settings,
        counters: Counters,
        entropy: Callable[[int], bytes],
        passwords: Passwords | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self.secret = Secret(settings, entropy)
        self.passwords = Passwords() if passwords is None else passwords
        issuer = Issuer(settings.gateway, clock.monotonic)
        self.tokens = Tokens(settings, clock, issuer)
        self.rates = Rates(counters, settings.gateway, clock.monotonic)
        self.keyring = Keyring(store, clock, self.secret, entropy)
        self.logins = Logins(store, clock, settings, counters, self.secret, self.keyring, self.passwords, entropy)
        attempts = Attempts(self.secret, clock, counters, entropy)
        self.provider = Provider(settings, clock, issuer, attempts, self.logins)

    def local(self, name: str) -> Principal:
        """Whoever sits at the machine, and could open the store without any door: an admin of everything."""
        return local(name, self._settings.tenant)

    async def authenticate_key(self, text: str) -> Principal:
        """Whose key it is. One that was revoked in another process is refused here two seconds later at the latest.

        Raises Unauthenticated, StoreError.
        """
        return await self.keyring.recognise(text)

    async def authenticate_token(self, text: str) -> Principal:
        """Whom a token of the issuer speaks of (a JWT). Raises Unauthenticated; TryLater while the issuer's keys cannot
        be had."""
        return await self.tokens.recognise(text)

    async def authenticate_login(self, cookie: str) -> tuple[Principal, str]:
        """Who is logged in with a cookie, and the token that forms must bring beside it. Raises Unauthenticated,
        StoreError."""
        return await self.logins.recognise(cookie)

    async def login(self, name: str, password: str, source: str) -> Entered:
        """Logs a person in. Raises Unauthenticated, RateLimited, StoreError."""
        return await self.logins.with_password(name, password, source)

    async def login_with_key(self, text: str, source: str) -> Entered:
        """Logs in who has a key. Raises Unauthenticated, RateLimited, StoreError."""
        return await self.logins.with_key(text, source)

    async def logout(self, cookie: str, source: str = "") -> None:
        """Logs out; nobody who is not in is no error."""
        await self.logins.leave(cookie, source)

    def entry_token(self, name: str = "local") -> str:
        """What a link carries that lets its first reader in as `local(name)`, within ten minutes, in this process: for
        a gateway whose only user has just started it."""
        return self.logins.link(self.local(name))

    async def enter(self, token: str, source: str) -> Entered:
        """Logs in who has such a link. Raises Unauthenticated, RateLimited."""
        return await self.logins.with_link(token, source)

    async def first_key(self) -> str | None:
        """An admin's key for a store in which nobody has a key or a password yet, to be shown once; else None."""
        if await self._store.keys.any():
            return None
        key, text = await self.keyring.make(
            self._settings.tenant, "first admin", (Grant(Role.ADMIN),), "local:first start", key_id=_FIRST
        )
        deed = Deed(
            at=self._clock.now(),
            actor="local:first start",
            name="first start",
            action="keys:create",
            object=f"key:{key.id}",
            source="local",
            after={"name": key.name, "grants": ["admin in *"]},
        )
        await self._store.audit.append(key.tenant, deed)
        try:
            await self._store.keys.add(key)
        except Conflict as error:
            await self._store.audit.append(key.tenant, msgspec.structs.replace(deed, outcome=error.code))
            return None
        return text
