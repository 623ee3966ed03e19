"""A code for an ID token: asked of the provider's token endpoint, and all that is to be checked of the answer."""

import base64
import hashlib
import hmac
import logging
import re
from typing import Any
from urllib.parse import quote_plus

import msgspec

from callboard.access.attempts import Attempt
from callboard.access.fetching import fetched
from callboard.access.issuer import Issuer
from callboard.access.tokens import verified
from callboard.domain.errors import TryLater, Unauthenticated
from callboard.engine.clock import Clock
from callboard.settings import GatewaySettings

_TYPES = ("", "jwt")  # what the header of an ID token may call it: an access token is none
_CODE = re.compile(r"[a-z_]{1,60}")
_CLIENTS = ("invalid_client", "unauthorized_client")
_AGAIN = "log in again"
_log = logging.getLogger("callboard.access")


class Exchange:
    """The token request (OpenID Connect Core 1.0, section 3.1.3).

    Args:
        settings: which client this is.
        issuer: where to ask, and whose keys sign.
        clock: when tokens begin and end.
    """

    def __init__(self, settings: GatewaySettings, issuer: Issuer, clock: Clock) -> None:
        self._settings = settings
        self._issuer = issuer
        self._clock = clock

    async def claims(self, code: str, attempt: Attempt, back: str) -> dict[str, Any]:
        """What the ID token says that the code stands for.

        Args:
            code: as the browser brought it.
            attempt: the log-in that it belongs to.
            back: the redirect URI of its request.

        Raises Unauthenticated for a code or a token that is not taken; TryLater when the provider does not answer.
        """
        said = await self._ask(code, attempt, back)
        token, access = said.get("id_token"), said.get("access_token")
        if not isinstance(token, str):
            raise Unauthenticated(
                "the provider gave no ID token",
                remedy="tell who runs this deployment: CALLBOARD_GATEWAY_OIDC_SCOPE and the client must allow openid",
            )
        try:
            claims = await verified(
                token, self._issuer, self._clock, self._settings.oidc_issuer, self._settings.oidc_client, _TYPES
            )
        except Unauthenticated as error:
            raise _untrue(error.why or error.what) from error
        self._check(claims, attempt)
        if "at_hash" in claims and not (isinstance(access, str) and fits(token, access, claims["at_hash"])):
            raise _untrue("it belongs to another access token")
        return claims

    def _check(self, claims: dict[str, Any], attempt: Attempt) -> None:
        """What OpenID Connect Core 1.0, section 3.1.3.7, asks for beyond what every token has to fulfil."""
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != self._settings.oidc_client:
            raise _untrue("it was made for another client")
        if "iat" not in claims:
            raise _untrue("it does not say when it was made")
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(
            nonce.encode("utf-8", "replace"), attempt.nonce.encode()
        ):
            raise _untrue("it was made for another log-in")

    async def _ask(self, code: str, attempt: Attempt, back: str) -> dict[str, Any]:
        metadata = await self._issuer.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": attempt.verifier,  # RFC 7636, section 4.5
        }
        headers = self._authenticated(form, metadata.methods)
        try:
            status, said = await fetched(metadata.token, form, headers)
        except (OSError, ValueError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            _log.warning("a log-in ended since the provider did not answer: %s", why)
            raise TryLater(
                "the provider does not answer", why=why, remedy="try again in a minute, or log in another way"
            ) from error
        if status == 200:
            return said
        told = said.get("error")
        known = told if isinstance(told, str) and _CODE.fullmatch(told) else f"status {status}"
        if known == "invalid_grant":
            raise Unauthenticated(
                "the provider does not take this log-in's code: it was used, is too old, or is another's", remedy=_AGAIN
            )
        _log.warning("a log-in ended since the provider refused this client: %s", known)
        if known in _CLIENTS or status == 401:
            raise Unauthenticated(
                f"the provider does not know this deployment: {known}",
                remedy="tell who runs it: CALLBOARD_GATEWAY_OIDC_CLIENT and _OIDC_CLIENT_SECRET must be its own",
            )
        raise Unauthenticated(
            f"the provider refused the log-in's code: {known}", remedy="tell who runs this deployment"
        )

    def _authenticated(self, form: dict[str, str], methods: tuple[str, ...]) -> dict[str, str]:
        """Shows which client asks, in headers or the form (OpenID Connect Core 1.0, section 9)."""
        client, secret = self._settings.oidc_client, self._settings.oidc_client_secret
        if secret and "client_secret_basic" in methods:
            pair = f"{quote_plus(client)}:{quote_plus(secret)}"  # RFC 6749, section 2.3.1
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        form["client_id"] = client
        if secret:
            if "client_secret_post" not in methods:
                raise Unauthenticated(
                    f"the provider takes no client secret, but {', '.join(methods)[:200]}",
                    remedy="tell who runs this deployment: the client has to be one with a secret, or public",
                )
            form["client_secret"] = secret
        return {}


def fits(token: str, access: str, told: Any) -> bool:
    """Whether `at_hash` of an ID token is that of an access token: the left half of its digest, by the hash of the
    signature's algorithm (OpenID Connect Core 1.0, section 3.1.3.6)."""
    head = token.partition(".")[0]
    algorithm = msgspec.json.decode(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))).get("alg")
    digest = (hashlib.sha256 if str(algorithm).endswith("256") else hashlib.sha512)(access.encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    return isinstance(told, str) and hmac.compare_digest(told.encode("utf-8", "replace"), half)


def _untrue(why: str) -> Unauthenticated:
    return Unauthenticated("the provider's ID token is not taken", why=why, remedy=_AGAIN)
