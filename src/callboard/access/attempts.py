"""What holds the halves of a log-in at a provider together: the request that leaves, and the answer that comes back.

Nothing is kept here between them. The browser carries a cookie of random bits; everything else that a log-in needs is
derived from these and the deployment's secret, so that any process which has the secret can finish what another began.
"""

import base64
import binascii
import hmac
from collections.abc import Callable
from hashlib import sha256

import msgspec

from callboard.access.secret import Secret
from callboard.domain.errors import Unauthenticated
from callboard.engine.clock import Clock
from callboard.resilience.counters import Counters

TIME = 600.0  # seconds that somebody has at the provider
_AGAIN = "log in again, in one window of a browser that keeps cookies, within ten minutes"
_LONGEST = 4_000  # characters of a cookie


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One log-in under way.

    Attributes:
        cookie: what binds it to a browser.
        state: comes back with the answer (RFC 6749, section 10.12).
        nonce: comes back in the ID token (OpenID Connect Core 1.0, section 15.5.2).
        verifier: is shown when the code is exchanged (RFC 7636, section 4.1).
    """

    cookie: str
    state: str
    nonce: str
    verifier: str

    def __repr__(self) -> str:
        return "Attempt(...)"

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier: S256 of RFC 7636, section 4.2."""
        return _text(sha256(self.verifier.encode()).digest())


class Attempts:
    """Begins log-ins, and recognises them when they come back.

    Args:
        secret: what everything is derived from.
        clock: when one ends.
        counters: which were finished already, over all processes.
        entropy: returns so many random bytes.
    """

    def __init__(self, secret: Secret, clock: Clock, counters: Counters, entropy: Callable[[int], bytes]) -> None:
        self._secret = secret
        self._clock = clock
        self._counters = counters
        self._entropy = entropy

    async def begin(self, next: str) -> Attempt:
        """A new one, which leads to that path."""
        until = int(self._clock.now() + TIME)
        return await self._of(f"{_text(self._entropy(32))}.{until}.{_text(next.encode())}")

    async def finish(self, cookie: str, state: str) -> Attempt:
        """The one that a browser's cookie and the provider's answer belong to; once.

        Raises Unauthenticated where they do not belong together, or it is over.
        """
        if not 0 < len(cookie) <= _LONGEST or not cookie.isascii():
            raise Unauthenticated("this log-in was not begun in this browser, or too long ago", remedy=_AGAIN)
        found = await self._of(cookie)
        # The state is a MAC of the whole cookie: with it, the cookie is one that was made here.
        if not hmac.compare_digest(found.state.encode(), state.encode("utf-8", "replace")):
            raise Unauthenticated("the answer belongs to another log-in than this browser's last", remedy=_AGAIN)
        if _parts(cookie)[0] <= self._clock.now():
            raise Unauthenticated("this log-in took too long", remedy=_AGAIN)
        name = f"login:attempt:{sha256(found.state.encode()).hexdigest()[:32]}"
        if await self._counters.take(name, 1.0, 1.0, TIME):
            raise Unauthenticated("this log-in was answered before", remedy="log in again")
        return found

    async def _of(self, cookie: str) -> Attempt:
        said: list[str] = []
        for each in ("state", "nonce", "verifier"):
            key = await self._secret.key(f"log-in {each}")
            said.append(_text(hmac.digest(key, cookie.encode(), sha256)))
        return Attempt(cookie=cookie, state=said[0], nonce=said[1], verifier=said[2])


def next_of(cookie: str) -> str:
    """The path that a cookie leads to; empty for junk. Anybody may have written it, until its log-in is finished."""
    return _parts(cookie)[1]


def _parts(cookie: str) -> tuple[float, str]:
    """When it ends and where it leads to, as a cookie says; 0 and nothing of junk."""
    _, until, path = (*cookie.split("."), "", "", "")[:3]
    if not until.isdecimal() or not 0 < len(until) <= 12:
        return 0.0, ""
    try:
        return float(until), base64.urlsafe_b64decode(path + "=" * (-len(path) % 4)).decode()
    except (binascii.Error, ValueError):
        return 0.0, ""


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
