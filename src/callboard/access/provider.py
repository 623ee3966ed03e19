"""Log-ins at an OpenID Connect provider, by the authorization code flow (OpenID Connect Core 1.0, section 3.1).

The browser is sent to the provider, comes back with a code, and the code is exchanged for an ID token between this
process and the provider. Who the token speaks of, and what it gives, is found as for tokens of programs: tokens.py.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

import msgspec

from callboard.access.attempts import Attempt, Attempts, next_of
from callboard.access.exchange import Exchange
from callboard.access.issuer import Issuer, Metadata
from callboard.access.logins import Entered, Logins
from callboard.access.tokens import principal
from callboard.domain.errors import NotFound, TryLater, Unauthenticated
from callboard.domain.principal import Principal
from callboard.engine.clock import Clock
from callboard.settings import Settings

_LONGEST = 4_096  # characters of a code
_CODE = re.compile(r"[a-z_]{1,60}")
_SAID = 300  # characters of what the provider says of an error
# Errors of the provider (RFC 6749, section 4.1.2.1; OpenID Connect Core 1.0, section 3.1.2.6).
_PERSONS = {"access_denied", "login_required", "consent_required", "interaction_required", "account_selection_required"}
_PASSING = {"temporarily_unavailable", "server_error"}


class Departure(msgspec.Struct, frozen=True, kw_only=True):
    """Where a browser is sent to log in, and the cookie that it brings back."""

    url: str
    cookie: str

    def __repr__(self) -> str:
        return "Departure(...)"


class Provider:
    """Sends people to the provider, and recognises them when they come back.

    Args:
        settings: issuer, client, and the claims that name roles and tenant.
        clock: when tokens begin and end.
        issuer: what the provider publishes.
        attempts: log-ins under way.
        logins: where a log-in ends.
    """

    def __init__(self, settings: Settings, clock: Clock, issuer: Issuer, attempts: Attempts, logins: Logins) -> None:
        self._settings = settings
        self._issuer = issuer
        self._attempts = attempts
        self._logins = logins
        self._exchange = Exchange(settings.gateway, issuer, clock)

    @property
    def offered(self) -> bool:
        """Whether people may log in there."""
        return self._settings.gateway.lets_in_by("provider")

    @property
    def name(self) -> str:
        """As people know it."""
        gateway = self._settings.gateway
        return gateway.oidc_name or urlsplit(gateway.oidc_issuer).hostname or "the provider"

    async def begin(self, next: str, back: str) -> Departure:
        """A log-in that leads to a path of ours: an authentication request (OpenID Connect Core 1.0, section 3.1.2.1).

        Args:
            next: that path; who calls has looked at it.
            back: the redirect URI, exactly as the provider knows it.

        Raises NotFound where nobody logs in at a provider; TryLater when it cannot be asked where.
        """
        if not self.offered:
            raise NotFound("nobody logs in here at a provider", remedy="use another way that the log-in page shows")
        metadata = await self._metadata()
        attempt = await self._attempts.begin(next)
        asked = {
            "response_type": "code",
            "client_id": self._settings.gateway.oidc_client,
            "redirect_uri": back,
            "scope": self._settings.gateway.oidc_scope,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        return Departure(url=_with(metadata.authorization, asked), cookie=attempt.cookie)

    async def finish(self, cookie: str, answer: Sequence[tuple[str, str]], back: str, source: str) -> Entered:
        """Logs in who comes back; `path` then says where to.

        Args:
            cookie: what the browser brings.
            answer: the parameters of the provider's answer (RFC 6749, section 4.1.2), as they were sent.
            back: the redirect URI of the request.
            source: from which address.

        Raises NotFound where nobody logs in at a provider; Unauthenticated for an answer that is none to this browser's
        request, an error that the provider tells, or a token that is not taken; Denied for who may do nothing; TryLater
        when the provider does not answer; RateLimited.
        """
        if not self.offered:
            raise NotFound("nobody logs in here at a provider", remedy="use another way that the log-in page shows")

        async def who() -> Principal:
            attempt, code = await self._answered(cookie, answer)
            return principal(await self._exchange.claims(code, attempt, back), self._settings)

        return await self._logins.with_provider(who, source)

    @staticmethod
    def path(cookie: str) -> str:
        """Where a log-in leads to, by its cookie. Until it is finished anybody may have written that: who calls looks
        at it."""
        return next_of(cookie)

    async def leaving(self, back: str) -> str:
        """Where one logs out at the provider and comes back from (OpenID Connect RP-Initiated Logout 1.0, section 2);
        empty where it says no such place, or nothing.

        No ID token goes along: it would stand in an address, and the provider asks the person instead.
        """
        if not self.offered:
            return ""
        try:
            place = (await self._issuer.metadata()).end_session
        except TryLater:
            return ""
        client = self._settings.gateway.oidc_client
        return _with(place, {"client_id": client, "post_logout_redirect_uri": back}) if place else ""

    async def _metadata(self) -> Metadata:
        found = await self._issuer.metadata()
        if not found.authorization or not found.token:
            raise TryLater(
                f"{self.name} does not say where people log in",
                why="its discovery document has no authorization_endpoint, or no token_endpoint",
                remedy="tell who runs this deployment",
            )
        if found.challenges is not None and "S256" not in found.challenges and not self._secret:
            raise TryLater(
                f"{self.name} does not take S256 challenges",
                why="without one, whoever catches the code of a public client could log in with it",
                remedy="tell who runs this deployment: CALLBOARD_GATEWAY_OIDC_CLIENT_SECRET has to be set",
            )
        return found

    @property
    def _secret(self) -> bool:
        return bool(self._settings.gateway.oidc_client_secret)

    async def _answered(self, cookie: str, answer: Sequence[tuple[str, str]]) -> tuple[Attempt, str]:
        """The log-in that an answer belongs to, and its code. Raises Unauthenticated, TryLater."""
        said = dict(answer)
        if len(said) < len(answer):  # RFC 6749, section 3.1
            raise Unauthenticated("the answer says something twice", remedy="log in again")
        attempt = await self._attempts.finish(cookie, said.get("state", ""))
        metadata, issuer = await self._metadata(), self._settings.gateway.oidc_issuer
        if said.get("iss", "" if metadata.signs else issuer) != issuer:  # RFC 9207, section 2.4
            raise Unauthenticated(
                f"the answer is not from {self.name}",
                why="it names another issuer, or none",
                remedy="log in again; if that happens again, tell who runs this deployment",
            )
        if "error" in said:
            raise self._refusal(said["error"], said.get("error_description", ""))
        code = said.get("code", "")
        if not 0 < len(code) <= _LONGEST:
            raise Unauthenticated("the answer holds no code", remedy="log in again")
        return attempt, code

    def _refusal(self, error: str, description: str) -> Unauthenticated | TryLater:
        code = error if _CODE.fullmatch(error) else "an error of its own"
        why = "".join(each if each.isprintable() else " " for each in description[:_SAID]).strip(" .")
        if code in _PERSONS:
            return Unauthenticated(
                f"{self.name} did not let you in ({code})",
                why=why,
                remedy=f"log in again and agree there, or ask who runs {self.name} to give you this application",
            )
        if code in _PASSING:
            return TryLater(f"{self.name} cannot let you in now ({code})", why=why, remedy="try again in a minute")
        return Unauthenticated(
            f"{self.name} refused the request ({code})",
            why=why,
            remedy="tell who runs this deployment: client, redirect URI and scopes have to be those that it knows",
        )


def _with(url: str, query: dict[str, str]) -> str:
    """An address of the provider with more in its query; what stands there stays (RFC 6749, section 3.1)."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(query)}"
