"""The keys of an issuer of tokens: fetched, kept, and fetched again when a token names one that is not known."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from callboard.domain.errors import InputInvalid, TryLater, Unauthenticated
from callboard.settings import GatewaySettings

if TYPE_CHECKING:
    from joserfc.jwk import Key

_FRESH = 3_600.0  # seconds after which keys are fetched again
_STALE = 86_400.0  # and after which they are no longer taken, if the issuer cannot be reached
_AGAIN = 10.0  # seconds between two fetches, whatever tokens come
_LIMIT = 512 * 1024  # bytes of a document
_TIME = 10.0  # seconds for a fetch
_TYPES = ("RSA", "EC", "OKP")  # never `oct`: a secret that is shared is none of an issuer's
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_DISCOVERY = "/.well-known/openid-configuration"


class Issuer:
    """Asks the settings' `oidc_keys`, or the issuer's discovery document where these are.

    Args:
        settings: who issues tokens.
        clock: monotonic seconds.
    """

    def __init__(self, settings: GatewaySettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._keys: dict[str | None, list[Key]] = {}
        self._fetched = float("-inf")
        self._tried = float("-inf")
        self._why = ""
        self._turn = asyncio.Lock()

    async def key(self, kid: str | None) -> "Key":
        """The public key of that id; without one, the only key that there is.

        Raises Unauthenticated for an unknown one; TryLater when the issuer's keys cannot be had; InputInvalid for
        settings that cannot work.
        """
        if self._clock() - self._fetched > _FRESH or not self._known(kid):
            await self._refresh(kid)
        if self._clock() - self._fetched > _STALE:
            raise TryLater("the keys of the issuer of tokens cannot be had", why=self._why, retry_after=_AGAIN)
        if (found := self._known(kid)) is None:
            raise Unauthenticated(
                "the token was signed with a key that its issuer does not show", remedy="get a new token"
            )
        return found

    def _known(self, kid: str | None) -> "Key | None":
        found = [each for keys in self._keys.values() for each in keys] if kid is None else self._keys.get(kid, [])
        return found[0] if len(found) == 1 else None

    async def _refresh(self, kid: str | None) -> None:
        async with self._turn:
            now = self._clock()
            fresh = now - self._fetched <= _FRESH
            if (fresh and self._known(kid)) or now - self._tried < _AGAIN:
                return
            self._tried = now
            try:
                self._keys = _read(await self._fetch())
            except (OSError, ValueError, TimeoutError) as error:
                self._why = str(error) or type(error).__name__
                return
            self._fetched, self._why = self._clock(), ""

    async def _fetch(self) -> Any:
        """The issuer's key set. Raises OSError, ValueError, TimeoutError."""
        try:
            import httpx2
        except ModuleNotFoundError as error:
            raise missing(error) from error
        async with asyncio.timeout(_TIME):
            async with httpx2.AsyncClient(timeout=_TIME, follow_redirects=False) as client:
                try:
                    url = self._settings.oidc_keys
                    if not url:
                        found = await _get(client, self._settings.oidc_issuer.rstrip("/") + _DISCOVERY)
                        if found.get("issuer") != self._settings.oidc_issuer:
                            raise ValueError(f"its discovery document is that of {found.get('issuer')!r}")
                        url = str(found.get("jwks_uri", ""))
                    return await _get(client, url)
                except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                    raise OSError(f"{type(error).__name__}: {error}") from error


async def _get(client: Any, url: str) -> dict[str, Any]:
    """A JSON object. Raises OSError, ValueError, and what the client raises."""
    address = urlsplit(url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in _LOOPBACK):
        raise ValueError(f"{url!r} is no https address")
    body = b""
    async with client.stream("GET", url, headers={"Accept": "application/json"}) as answer:
        if answer.status_code != 200:
            raise OSError(f"{url} answered {answer.status_code}")
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > _LIMIT:
                raise ValueError(f"{url} answered more than {_LIMIT:,} bytes")
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise ValueError(f"{url} answered no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{url} answered no object")
    return found


def _read(document: Any) -> "dict[str | None, list[Key]]":
    """The keys that signatures can be checked with, by id; one that cannot be read is left out, as RFC 7517 says."""
    try:
        from joserfc.errors import JoseError
        from joserfc.jwk import import_key
    except ModuleNotFoundError as error:
        raise missing(error) from error
    found: dict[str | None, list[Key]] = {}
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise ValueError("the issuer's key set has no keys")
    for each in listed[:100]:
        if not isinstance(each, dict) or each.get("kty") not in _TYPES or each.get("use", "sig") != "sig":
            continue
        public = {name: value for name, value in each.items() if name not in ("d", "p", "q", "dp", "dq", "qi", "oth")}
        try:
            key = import_key(public)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        kid = each.get("kid")
        found.setdefault(kid if isinstance(kid, str) else None, []).append(key)
    if not found:
        raise ValueError("the issuer's key set has no key that signs")
    return found


def missing(error: ModuleNotFoundError) -> InputInvalid:
    """What is said where a library for tokens is not installed."""
    return InputInvalid(
        f"tokens need a library that is not installed: {error.name}", remedy='pip install "callboard[gateway]"'
    )
