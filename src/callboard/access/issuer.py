"""The issuer of tokens: what it publishes of itself, and the keys that its tokens are signed with."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from callboard.access.fetching import fetched, missing, secured
from callboard.access.published import Published
from callboard.domain.errors import Unauthenticated
from callboard.settings import GatewaySettings

if TYPE_CHECKING:
    from joserfc.jwk import Key

_TYPES = ("RSA", "EC", "OKP")  # never `oct`: a secret that is shared is none of an issuer's
_DISCOVERY = "/.well-known/openid-configuration"


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What an issuer says of itself (OpenID Connect Discovery 1.0, section 3; RFC 9207, section 3).

    Attributes:
        keys: where its keys are.
        authorization: where people log in; empty where they do not.
        token: where a code is exchanged; likewise.
        end_session: where people log out; empty if it does not say.
        methods: how clients show there who they are.
        challenges: which kinds of PKCE challenges it takes; None if it does not say.
        signs: whether its answers to the browser name it in `iss`.
    """

    keys: str
    authorization: str = ""
    token: str = ""
    end_session: str = ""
    methods: tuple[str, ...] = ("client_secret_basic",)
    challenges: tuple[str, ...] | None = None
    signs: bool = False


class Issuer:
    """Asks the issuer's discovery document; for its keys the settings' `oidc_keys`, where these are named.

    Args:
        settings: who issues tokens.
        clock: monotonic seconds.
    """

    def __init__(self, settings: GatewaySettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._metadata = Published("the discovery document of the issuer of tokens", self._discover, clock)
        self._keys = Published("the keys of the issuer of tokens", self._fetch_keys, clock)

    async def metadata(self) -> Metadata:
        """What it says of itself. Raises TryLater when that cannot be had; InputInvalid without the library."""
        return await self._metadata.get()

    async def key(self, kid: str | None) -> "Key":
        """The public key of that id; without one, the only key that there is.

        Raises Unauthenticated for an unknown one; TryLater when the issuer's keys cannot be had; InputInvalid for
        settings that cannot work.
        """
        found = _known(await self._keys.get(lambda keys: _known(keys, kid) is not None), kid)
        if found is None:
            raise Unauthenticated(
                "the token was signed with a key that its issuer does not show", remedy="get a new token"
            )
        return found

    async def _discover(self) -> Metadata:
        """OpenID Connect Discovery 1.0, section 4. Raises OSError, ValueError, TimeoutError."""
        issuer = self._settings.oidc_issuer
        _, found = await fetched(issuer.rstrip("/") + _DISCOVERY)
        if found.get("issuer") != issuer:
            raise ValueError(f"its discovery document is that of {str(found.get('issuer'))[:200]!r}")

        def address(name: str) -> str:
            text = found.get(name)
            if text is None:
                return ""
            if not isinstance(text, str):
                raise ValueError(f"its {name} is no address")
            if secured(text).scheme == "http" and issuer.startswith("https:"):
                raise ValueError(f"its {name} is no https address")
            return text

        def listed(name: str) -> tuple[str, ...] | None:
            values = found.get(name)
            return tuple(each for each in values if isinstance(each, str)) if isinstance(values, list) else None

        return Metadata(
            keys=address("jwks_uri"),
            authorization=address("authorization_endpoint"),
            token=address("token_endpoint"),
            end_session=address("end_session_endpoint"),
            methods=listed("token_endpoint_auth_methods_supported") or ("client_secret_basic",),
            challenges=listed("code_challenge_methods_supported"),
            signs=found.get("authorization_response_iss_parameter_supported") is True,
        )

    async def _fetch_keys(self) -> "dict[str | None, list[Key]]":
        """Raises OSError, ValueError, TimeoutError, TryLater."""
        return _read((await fetched(self._settings.oidc_keys or (await self.metadata()).keys))[1])


def _known(keys: "dict[str | None, list[Key]]", kid: str | None) -> "Key | None":
    found = [each for some in keys.values() for each in some] if kid is None else keys.get(kid, [])
    return found[0] if len(found) == 1 else None


def _read(document: dict[str, Any]) -> "dict[str | None, list[Key]]":
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
