"""Log-ins to the console: with a password, a key, a link or at a provider; kept as a cookie's digest, looked up at each
request."""

import base64
import contextlib
import hmac
from collections.abc import Awaitable, Callable
from hashlib import sha256
from math import inf

import msgspec

from callboard.access.keyring import FRESH, Keyring
from callboard.access.passwords import Passwords
from callboard.access.recent import Recent
from callboard.access.secret import Secret
from callboard.domain.errors import CallboardError, Denied, RateLimited, StoreError, Unauthenticated
from callboard.domain.principal import Grant, Kind, Principal, Role
from callboard.engine.clock import Clock
from callboard.resilience.counters import Counters
from callboard.settings import Settings
from callboard.store.audit import Deed
from callboard.store.people import Login, Person
from callboard.store.store import Store

_TRIES, _PERIOD = 10, 300.0  # failures in seconds that one name may have; they fill up evenly
_ADDRESS_TRIES = 30  # and one address
_ENTRY = 600.0  # seconds for which a link to enter is good
_ENTRIES = 100  # such links at a time
_MOST = 10_000  # log-ins that are remembered
_REFUSED = "the name or the password is wrong"


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody has logged in.

    Attributes:
        principal: who.
        cookie: what the browser is to bring again; it is nowhere else.
        csrf: what forms bring beside it.
        expires_at: when it ends, in epoch seconds.
    """

    principal: Principal
    cookie: str
    csrf: str
    expires_at: float

    def __repr__(self) -> str:
        return f"Entered({self.principal.who})"


class Logins:
    """Who is logged in."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: Settings,
        counters: Counters,
        secret: Secret,
        keyring: Keyring,
        passwords: Passwords,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._counters = counters
        self._secret = secret
        self._keyring = keyring
        self._passwords = passwords
        self._entropy = entropy
        self._logins: Recent[bytes, Login] = Recent(FRESH, _MOST, clock.monotonic)
        self._people: Recent[str, Person] = Recent(FRESH, _MOST, clock.monotonic)
        self._links: Recent[bytes, str] = Recent(_ENTRY, _ENTRIES, clock.monotonic)

    async def with_password(self, login: str, password: str, source: str) -> Entered:
        """Logs a person in. It takes as long for a name that nobody has.

        Raises Unauthenticated; RateLimited, saying when to come back, for a name or an address that failed too often.
        """
        self._open("password")
        told = await self._admitted(login, source)
        person = await self._store.people.find(login) if login.isprintable() else None
        fits = await self._passwords.fits(password, None if person is None else person.password)
        if person is None or not fits or person.disabled_at is not None:
            await self._failed(
                None if person is None else person.tenant, None if person is None else f"person:{person.login}", source
            )
            raise Unauthenticated(_REFUSED, remedy="try again, or ask who runs this deployment")
        await self._forgive(told)
        if self._passwords.aged(person.password):
            with contextlib.suppress(StoreError):
                fresh = await self._passwords.hashed(password)
                await self._store.people.put(msgspec.structs.replace(person, password=fresh))
        return await self._enter(_principal(person), source)

    async def with_key(self, text: str, source: str) -> Entered:
        """Logs in who has a key, no longer than the key is good. Raises Unauthenticated, RateLimited."""
        self._open("key")
        told = await self._admitted("", source)
        try:
            principal = await self._keyring.recognise(text.strip())
        except Unauthenticated:
            await self._failed(None, "key", source)
            raise
        await self._forgive(told)
        key = await self._store.keys.find(principal.id)
        return await self._enter(principal, source, inf if key is None or key.expires_at is None else key.expires_at)

    async def with_token(self, principal: Principal, expires_at: float, source: str) -> Entered:
        """Logs in who showed a token, with what it grants and no longer than until then."""
        return await self._enter(principal, source, expires_at)

    async def with_provider(self, finish: Callable[[], Awaitable[Principal]], source: str) -> Entered:
        """Logs in who comes back from the provider, with what it says that they may. How they fared is recorded.

        Args:
            finish: finds out who that is; raises Unauthenticated, and TryLater where the provider does not answer.
            source: from which address.

        Raises these; Denied for who is known and may do nothing; RateLimited.
        """
        self._open("provider")
        # Counted apart: whoever makes others' browsers come here with nothing must not keep them from their passwords.
        told = await self._admitted("", source, "provider")
        try:
            principal = await finish()
        except CallboardError as error:
            await self._failed(None, "provider", source, error)
            raise
        if not principal.grants:
            nothing = Denied(
                f"you are known here as {principal.name}, but nothing is granted to you",
                why="the provider names no role of yours that means something here",
                remedy="ask who runs this deployment for a role",
            )
            await self._record("login", principal, source, principal.tenant, outcome=nothing.code, why=nothing.why)
            raise nothing
        await self._forgive(told)
        return await self.with_token(principal, inf, source)

    def link(self, principal: Principal) -> str:
        """What a link carries by which its first reader enters, within ten minutes, in this process."""
        text = _text(self._entropy(32))
        self._links.put(sha256(text.encode()).digest(), principal.name)
        return text

    async def with_link(self, text: str, source: str) -> Entered:
        """Logs in who has a link, once. Raises Unauthenticated, RateLimited."""
        told = await self._admitted("", source)
        digest = sha256(text.encode("utf-8", "replace")).digest()
        name = self._links.get(digest)
        self._links.drop(digest)
        if name is None:
            await self._failed(None, "link", source)
            raise Unauthenticated("this link was used or is too old", remedy="start again to get another")
        await self._forgive(told)
        return await self._enter(local(name, self._settings.tenant), source)

    async def recognise(self, cookie: str) -> tuple[Principal, str]:
        """Who is logged in with a cookie, and the token that its forms bring. Raises Unauthenticated, StoreError."""
        if not cookie or len(cookie) > 200 or not cookie.isascii():
            raise Unauthenticated("nobody is logged in", remedy="log in")
        mac = await self._mac(cookie)
        login = self._logins.get(mac)
        if login is None:
            login = await self._store.people.entered(mac)
            if login is not None:
                self._logins.put(mac, login)
        if login is None or login.expires_at <= self._clock.now():
            raise Unauthenticated("nobody is logged in, or for too long", remedy="log in")
        return await self._subject(login), await self._csrf(cookie)

    async def leave(self, cookie: str, source: str = "") -> None:
        """Logs out; recorded with where it was asked from."""
        mac = await self._mac(cookie)
        login = await self._store.people.entered(mac)
        self._logins.drop(mac)
        if login is not None:
            await self._store.people.leave(login.tenant, mac)
            who = Principal(kind=Kind(login.kind), id=login.subject, name=login.name, grants=(), tenant=login.tenant)
            await self._record("logout", who, source, login.tenant)

    async def leave_everywhere(self, tenant: str, kind: Kind, subject: str) -> int:
        """Ends all log-ins of somebody; returns how many."""
        self._logins.clear()
        return await self._store.people.leave_all(tenant, kind, subject)

    def changed(self, login: str) -> None:
        """A person was changed by this process, which goes by that at once."""
        self._people.drop(login)

    async def _enter(self, principal: Principal, source: str, until: float = inf) -> Entered:
        now = self._clock.now()
        cookie = _text(self._entropy(32))
        expires = min(now + self._settings.gateway.login_time, until)
        login = Login(
            mac=await self._mac(cookie),
            tenant=principal.tenant,
            kind=principal.kind,
            subject=principal.id,
            name=principal.name,
            grants=principal.grants if principal.kind is Kind.OIDC else (),
            created_at=now,
            expires_at=expires,
        )
        await self._record("login", principal, source, principal.tenant)
        await self._store.people.enter(login)
        return Entered(principal=principal, cookie=cookie, csrf=await self._csrf(cookie), expires_at=expires)

    async def _subject(self, login: Login) -> Principal:
        match Kind(login.kind):
            case Kind.PERSON:
                person = self._people.get(login.subject)
                if person is None:
                    person = await self._store.people.find(login.subject)
                    if person is not None:
                        self._people.put(login.subject, person)
                if person is None or person.disabled_at is not None or person.tenant != login.tenant:
                    raise Unauthenticated("nobody is logged in", remedy="ask who runs this deployment")
                return _principal(person)
            case Kind.KEY:
                return await self._keyring.valid(login.subject)
            case Kind.OIDC:
                return Principal(
                    kind=Kind.OIDC, id=login.subject, name=login.name, grants=login.grants, tenant=login.tenant
                )
            case Kind.LOCAL:
                return local(login.name, login.tenant)

    def _open(self, way: str) -> None:
        """Raises Unauthenticated where people do not log in this way."""
        if not self._settings.gateway.lets_in_by(way):
            raise Unauthenticated(f"nobody logs in here by {way}", remedy="use another way that the log-in page shows")

    async def _admitted(self, login: str, source: str, kind: str = "address") -> list[tuple[str, int]]:
        """Counts an attempt before it is made, so that many at once count as well. Raises RateLimited."""
        told: list[tuple[str, int]] = []
        names = [(f"login:{kind}:{_short(source)}", _ADDRESS_TRIES)]
        if login:
            names.append((f"login:name:{_short(login)}", _TRIES))
        for name, tries in names:
            wait = await self._counters.take(name, 1.0, tries, _PERIOD)
            if wait:
                raise RateLimited(
                    "too many log-ins failed", retry_after=wait, remedy=f"try again in {max(1.0, wait):.0f} s"
                )
            told.append((name, tries))
        return told

    async def _forgive(self, told: list[tuple[str, int]]) -> None:
        for name, tries in told:
            await self._counters.give_back(name, 1.0, tries, _PERIOD)

    async def _failed(
        self, tenant: str | None, object: str | None, source: str, error: CallboardError | None = None
    ) -> None:
        """Records a log-in that failed: a name that nobody has is not kept, it may well be a password."""
        nobody = Principal(kind=Kind.PERSON, id="", name="", grants=(), tenant=tenant or self._settings.tenant)
        outcome, why = (Unauthenticated.code, "") if error is None else (error.code, error.what)
        await self._record("login", nobody, source, nobody.tenant, object or "person", outcome, why)

    async def _record(
        self,
        action: str,
        who: Principal,
        source: str,
        tenant: str,
        object: str | None = None,
        outcome: str = "done",
        why: str = "",
    ) -> None:
        deed = Deed(
            at=self._clock.now(),
            actor=who.who if who.id else "nobody",
            name=who.name,
            action=action,
            object=object or who.who,
            source=source,
            after={"why": why} if why else None,
            outcome=outcome,
        )
        await self._store.audit.append(tenant, deed)

    async def _mac(self, cookie: str) -> bytes:
        return hmac.digest(await self._secret.key("log-ins"), cookie.encode("utf-8", "replace"), sha256)

    def _csrf(self, cookie: str) -> Awaitable[str]:
        return derived(self._secret, "forms", cookie)


async def derived(secret: Secret, purpose: str, text: str) -> str:
    """A text that only who has the secret can make of another."""
    return _text(hmac.digest(await secret.key(purpose), text.encode(), sha256))


def local(name: str, tenant: str) -> Principal:
    """Whoever can open the store itself: there is nothing that could be kept from them."""
    return Principal(kind=Kind.LOCAL, id=name, name=name, grants=(Grant(Role.ADMIN),), tenant=tenant)


def _principal(person: Person) -> Principal:
    return Principal(kind=Kind.PERSON, id=person.login, name=person.name, grants=person.grants, tenant=person.tenant)


def _short(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _text(random: bytes) -> str:
    return base64.urlsafe_b64encode(random).decode().rstrip("=")
