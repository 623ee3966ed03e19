"""Tokens against a real issuer: real keys over real HTTP, and everything that a forger might try."""

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from callboard.access.tokens import ALGORITHMS, Tokens, granted
from callboard.domain.errors import TryLater, Unauthenticated
from callboard.domain.principal import Grant, Kind, Role
from callboard.settings import GatewaySettings, Settings
from callboard.testing.clock import WindingClock

AUDIENCE = "callboard-test"


class Issuer:
    """Signs tokens, and shows its keys as OpenID Connect wants it."""

    def __init__(self) -> None:
        self.keys: list[Key] = [
            RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
            ECKey.generate_key("P-256", {"kid": "ec"}),
            OKPKey.generate_key("Ed25519", {"kid": "ed"}),
        ]
        self.asked: list[str] = []
        self.status = 200
        self.flood = False
        self.elsewhere: str | None = None
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                issuer.serve(self)

            do_POST = do_GET

            def log_message(self, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        """Answers a request."""
        body = json.dumps(self.document(request.path)).encode()
        if self.flood:
            body = b'{"keys": [' + b" " * 1_000_000 + b"]}"
        request.send_response(self.status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def document(self, path: str) -> Any:
        if path == "/keys":
            public = KeySet(list(self.keys)).as_dict(private=False)
            return {"keys": [*public["keys"], {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}, {"kty": "new"}]}
        return {"issuer": self.elsewhere or self.url, "jwks_uri": f"{self.url}/keys"}

    def key(self, kid: str) -> Key:
        return next(key for key in self.keys if key.kid == kid)

    def token(
        self,
        clock: WindingClock,
        *,
        kid: Any = "rsa",
        alg: str = "RS256",
        key: Any = None,
        typ: str = "JWT",
        **claims: Any,
    ) -> str:
        now = int(clock.now())
        stated = {"iss": self.url, "aud": AUDIENCE, "sub": "mia", "exp": now + 300, "iat": now, "roles": ["operator"]}
        stated = {name: value for name, value in (stated | claims).items() if value is not None}
        header = {"alg": alg, "typ": typ} | ({} if kid is None else {"kid": kid})
        registry = JWSRegistry(algorithms=list(JWSRegistry.algorithms), strict_check_header=False)
        return jwt.encode(header, stated, key or self.key(kid), registry=registry)


@pytest.fixture(scope="module")
def made() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.server.shutdown()
    issuer.server.server_close()


@pytest.fixture
def issuer(made: Issuer) -> Iterator[Issuer]:
    keys, made.asked, made.status, made.flood, made.elsewhere = list(made.keys), [], 200, False, None
    yield made
    made.keys = keys


class Clock(WindingClock):
    """One of which monotonic time is wound as well."""

    def monotonic(self) -> float:
        return self.now()


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())


def tokens(issuer: Issuer, clock: Clock, **options: Any) -> Tokens:
    gateway = GatewaySettings(oidc_issuer=issuer.url, oidc_audience=AUDIENCE, **options)
    return Tokens(Settings(store="sqlite://", gateway=gateway), clock)


async def test_a_token_says_who_it_is_and_what_they_may(issuer: Issuer, clock: Clock) -> None:
    checked = tokens(issuer, clock, oidc_roles="realm.roles", oidc_tenant="org")
    claims: dict[str, Any] = {
        "realm": {"roles": ["viewer", "approver:acme", "admin:", "other"]},
        "org": "north",
        "name": "Mia\n",
    }
    found = await checked.recognise(issuer.token(clock, aud=["x", AUDIENCE], **claims))
    assert (found.kind, found.id, found.name, found.tenant) == (Kind.OIDC, f"{issuer.url}|mia", "Mia?", "north")
    assert found.grants == (Grant(Role.VIEWER, "north"), Grant(Role.APPROVER, "acme"))
    assert (await checked.recognise(issuer.token(clock, org="south"))).grants == ()
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]  # once for both


@pytest.mark.parametrize(("kid", "alg"), [("rsa", "PS256"), ("ec", "ES256"), ("ed", "EdDSA"), ("ed", "Ed25519")])
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_these_algorithms_are_taken(issuer: Issuer, clock: Clock, kid: str, alg: str) -> None:
    assert (await tokens(issuer, clock).recognise(issuer.token(clock, kid=kid, alg=alg))).grants
    assert alg in ALGORITHMS


async def test_what_is_forged_or_not_meant_for_us_is_refused(issuer: Issuer, clock: Clock) -> None:
    checked, now = tokens(issuer, clock), int(clock.now())
    rsa = issuer.key("rsa")
    assert isinstance(rsa, RSAKey)
    public = rsa.as_pem(private=False)
    other = RSAKey.generate_key(2048, {"kid": "rsa"})
    good = issuer.token(clock)
    head, body, signature = good.split(".")
    none = _part({"alg": "none", "typ": "JWT"})
    hs256 = _part({"alg": "HS256", "kid": "rsa"})
    stamp = hmac.digest(public, f"{hs256}.{body}".encode(), hashlib.sha256)
    refused = {
        "none": f"{none}.{body}.",
        "none with a signature": f"{none}.{body}.{signature}",
        "signed with the public key as a shared secret": f"{hs256}.{body}.{_text(stamp)}",
        "a shared key that the issuer shows": issuer.token(
            clock, kid="shared", alg="HS256", key=OctKey.import_key("secret" * 8)
        ),
        "an algorithm that is not on the list": issuer.token(clock, alg="RS512"),
        "another key": issuer.token(clock, key=other),
        "another's key of another kind": issuer.token(clock, kid="ec", alg="RS256", key=other),
        "other claims under a good signature": f"{head}.{_part({'sub': 'admin'})}.{signature}",
        "expired": issuer.token(clock, exp=now - 61),
        "for ever": issuer.token(clock, exp=None),
        "not yet": issuer.token(clock, nbf=now + 120),
        "from the future": issuer.token(clock, iat=now + 120),
        "for somebody else": issuer.token(clock, aud="another"),
        "for nobody": issuer.token(clock, aud=None),
        "from another issuer": issuer.token(clock, iss="https://elsewhere.example"),
        "from no issuer": issuer.token(clock, iss=None),
        "about nobody": issuer.token(clock, sub=None),
        "about nothing": issuer.token(clock, sub=""),
        "a log-out": issuer.token(clock, typ="logout+jwt"),
        "too long": issuer.token(clock, roles=["x" * 20_000]),
        "no id among several keys": issuer.token(clock, kid=None, key=issuer.key("rsa")),
        "no token": "a.b.c",
        "nothing": "",
        "a stranger's alphabet": "é.é.é",
    }
    for what, text in refused.items():
        with pytest.raises(Unauthenticated):
            found = await checked.recognise(text)
            pytest.fail(f"{what} was taken for {found}")
    assert (await checked.recognise(issuer.token(clock, exp=now - 30))).grants  # within the leeway
    with pytest.raises(Unauthenticated, match="names no tenant"):
        await tokens(issuer, clock, oidc_tenant="org").recognise(issuer.token(clock, org="*"))


async def test_a_new_key_is_fetched_and_an_unknown_one_does_not_make_us_ask_without_end(
    issuer: Issuer, clock: Clock
) -> None:
    checked = tokens(issuer, clock, oidc_keys=f"{issuer.url}/keys")
    await checked.recognise(issuer.token(clock))
    new = RSAKey.generate_key(2048, {"kid": "new"})
    issuer.keys = [new]
    for _ in range(3):  # within ten seconds of the last fetch nobody is asked
        with pytest.raises(Unauthenticated):
            await checked.recognise(issuer.token(clock, kid="new"))
    clock.set(clock.now() + 11)
    tries = [checked.recognise(issuer.token(clock, kid=f"made up {n}", key=new)) for n in range(20)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert all(isinstance(each, Unauthenticated) for each in answers)
    assert issuer.asked == ["/keys", "/keys"]
    assert (await checked.recognise(issuer.token(clock, kid="new"))).grants
    with pytest.raises(Unauthenticated):  # the old one is withdrawn
        await checked.recognise(issuer.token(clock, key=RSAKey.generate_key(2048, {"kid": "rsa"})))


async def test_an_issuer_that_does_not_answer_is_an_error_of_its_own(issuer: Issuer, clock: Clock) -> None:
    for fault in ("status", "flood", "elsewhere"):
        issuer.status, issuer.flood, issuer.elsewhere = 200, False, None
        setattr(issuer, fault, {"status": 503, "flood": True, "elsewhere": "https://evil.example"}[fault])
        with pytest.raises(TryLater):
            await tokens(issuer, clock).recognise(issuer.token(clock))
    with pytest.raises(TryLater, match="https"):
        await tokens(issuer, clock, oidc_keys="http://issuer.example/keys").recognise(issuer.token(clock))
    with pytest.raises(Unauthenticated, match="not taken here"):
        await Tokens(Settings(store="sqlite://"), clock).recognise(issuer.token(clock))


async def test_known_keys_are_good_for_a_day_while_the_issuer_is_away(issuer: Issuer, clock: Clock) -> None:
    checked = tokens(issuer, clock)
    await checked.recognise(issuer.token(clock))
    issuer.status = 503
    clock.set(clock.now() + 23 * 3_600)
    assert (await checked.recognise(issuer.token(clock))).grants
    clock.set(clock.now() + 2 * 3_600)
    with pytest.raises(TryLater):
        await checked.recognise(issuer.token(clock))


def test_roles_may_be_a_text_and_strangers_mean_nothing() -> None:
    assert granted("viewer,author:* x:y", "t") == (Grant(Role.VIEWER, "t"), Grant(Role.AUTHOR, "*"))
    assert granted({"viewer": True}, "t") == granted(None, "t") == granted([["viewer"], 7], "t") == ()


def _part(value: dict[str, Any]) -> str:
    return _text(json.dumps(value).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
