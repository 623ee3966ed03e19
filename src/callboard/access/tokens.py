"""Tokens of an OpenID Connect issuer (JWT): checked here, by the issuer's public keys."""

from collections.abc import Sequence
from typing import Any

from callboard.access.fetching import missing
from callboard.access.issuer import Issuer
from callboard.domain.errors import Unauthenticated
from callboard.domain.principal import EVERY, Grant, Kind, Principal, Role
from callboard.engine.clock import Clock
from callboard.settings import Settings

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")  # never `none`, never one with a shared secret
_LEEWAY = 60  # seconds by which the issuer's clock may differ
_LONGEST = 16_384  # characters of a token
_TYPES = ("", "jwt", "at+jwt", "application/at+jwt")  # what a header may call it: not a log-out, not a proof
_ROLES = 100  # values of the claim that are read
_NAMES = ("name", "preferred_username", "email", "client_id", "sub")  # claims by which people know somebody
_SHOWN = 200  # characters of a name


class Tokens:
    """Recognises who a token speaks of.

    Args:
        settings: issuer, audience, and the claims that name roles and tenant.
        clock: when tokens begin and end.
        issuer: shows the keys; one of its own by default.
    """

    def __init__(self, settings: Settings, clock: Clock, issuer: Issuer | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._issuer = Issuer(settings.gateway, clock.monotonic) if issuer is None else issuer

    async def recognise(self, text: str) -> Principal:
        """Who it is. Raises Unauthenticated; TryLater while the issuer's keys cannot be had."""
        gateway = self._settings.gateway
        if not gateway.oidc_issuer or not gateway.oidc_audience:
            raise Unauthenticated(
                "tokens are not taken here",
                why="no issuer is set, or no audience",
                remedy="send a key, or set CALLBOARD_GATEWAY_OIDC_ISSUER and _OIDC_AUDIENCE",
            )
        claims = await verified(text, self._issuer, self._clock, gateway.oidc_issuer, gateway.oidc_audience)
        return principal(claims, self._settings)


async def verified(
    text: str, issuer: Issuer, clock: Clock, name: str, audience: str, types: Sequence[str] = _TYPES
) -> dict[str, Any]:
    """What a token says that is signed by the issuer, for us, and good now (RFC 7519; RFC 8725).

    Args:
        text: the token.
        issuer: whose keys have to have signed it.
        clock: what now is.
        name: as the issuer names itself in `iss`.
        audience: who has to be in `aud`.
        types: what its header may call it.

    Raises Unauthenticated; TryLater while the issuer's keys cannot be had; InputInvalid without the library.
    """
    try:
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jws import JWSRegistry, extract_compact
    except ModuleNotFoundError as error:
        raise missing(error) from error

    if len(text) > _LONGEST or not text.isascii():
        raise refused("it is too long, or no token")
    try:
        header = extract_compact(text.encode()).headers()
    except (JoseError, ValueError, TypeError) as error:
        raise refused("it is no signed token") from error
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise refused(f"it is signed with {str(algorithm)[:20]!r}, and taken are {', '.join(ALGORITHMS)}")
    if not isinstance(kid, str | None) or str(header.get("typ") or "").lower() not in types:
        raise refused("it is a token of another kind")
    key = await issuer.key(kid)
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    checks = jwt.JWTClaimsRegistry(
        now=lambda: int(clock.now()),
        leeway=_LEEWAY,
        iss={"essential": True, "value": name},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
        sub={"essential": True},
    )
    try:
        token = jwt.decode(text, key, algorithms=[algorithm], registry=registry)
        checks.validate(token.claims)
    except (JoseError, ValueError, TypeError) as error:
        raise refused(str(error) or type(error).__name__) from error
    return token.claims


def principal(claims: dict[str, Any], settings: Settings) -> Principal:
    """Who the claims of a token speak of, and what these give: for tokens of programs and of log-ins alike.

    Raises Unauthenticated for a subject or a tenant that cannot be one.
    """
    gateway = settings.gateway
    subject = claims["sub"]
    if not 0 < len(subject) <= 255 or not subject.isprintable():
        raise refused("its subject is empty, too long, or cannot be printed")
    tenant: Any = settings.tenant
    if gateway.oidc_tenant:
        tenant = _claim(claims, gateway.oidc_tenant)
        if not isinstance(tenant, str) or not 0 < len(tenant) <= _SHOWN or not tenant.isprintable() or tenant == EVERY:
            raise refused(f"its claim {gateway.oidc_tenant} names no tenant")
    name = next((claims[each] for each in _NAMES if isinstance(claims.get(each), str) and claims[each]), subject)
    return Principal(
        kind=Kind.OIDC,
        id=f"{gateway.oidc_issuer}|{subject}",
        name="".join(c if c.isprintable() else "?" for c in name[:_SHOWN]),
        grants=granted(_claim(claims, gateway.oidc_roles), tenant),
        tenant=tenant,
    )


def granted(claim: Any, tenant: str) -> tuple[Grant, ...]:
    """What the roles in a claim give: `role` in the token's own tenant, `role:tenant` in another, `role:*` in each.

    A list, or one text with spaces or commas. What names no role of ours is meant for others.
    """
    listed = claim.replace(",", " ").split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    found: dict[Grant, None] = {}
    for each in listed[:_ROLES]:
        if not isinstance(each, str):
            continue
        role, colon, where = each.partition(":")
        if role in tuple(Role) and (where or not colon):
            found[Grant(Role(role), where or tenant)] = None
    return tuple(found)


def _claim(claims: dict[str, Any], name: str) -> Any:
    """A claim by its name, or by its path where dots lead into objects, as `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def refused(why: str) -> Unauthenticated:
    """What is said of a token that is not taken."""
    return Unauthenticated("the token is not taken", why=why, remedy="get a new one from the issuer")
