"""Log-ins at a real provider over real HTTP, and everything that may be wrong with what comes back."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import OctKey, RSAKey

import callboard as cb
from callboard.access import Access, fetching
from callboard.access.logins import Entered
from callboard.domain.errors import CallboardError, Denied, NotFound, RateLimited, TryLater, Unauthenticated
from callboard.domain.principal import Grant, Role
from callboard.runtime import Runtime
from callboard.runtime import open as open_runtime
from callboard.settings import GatewaySettings, Settings
from callboard.testing.clock import WindingClock
from tests.unit.access.identity import CLIENT, SECRET, IdentityProvider

BACK = "http://127.0.0.1:9/console/login/callback"
HOUSE = "a secret of this test that is long enough"


@pytest.fixture(scope="module")
def made() -> Iterator[IdentityProvider]:
    provider = IdentityProvider()
    provider.back.add(BACK)
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


@pytest.fixture
def there(made: IdentityProvider) -> IdentityProvider:
    made.reset()
    made.secret, made.status, made.flood = SECRET, 200, False
    return made


class Clock(WindingClock):
    """One of which monotonic time is wound as well."""

    def monotonic(self) -> float:
        return self.now()


@dataclass
class Door:
    """What stands between a browser and the provider. `source` is from where it comes."""

    rt: Runtime
    there: IdentityProvider
    clock: Clock = field(default_factory=lambda: Clock(time.time()))
    source: str = "192.0.2.7"

    def access(self, **options: Any) -> Access:
        """Another process of the same deployment."""
        known = {
            "secret": HOUSE,
            "public_url": "http://127.0.0.1:9",
            "oidc_issuer": self.there.url,
            "oidc_client": CLIENT,
            "oidc_client_secret": SECRET,
        }
        settings = Settings(store="sqlite://", gateway=GatewaySettings(**(known | options)))
        return Access(self.rt.store, self.clock, settings, self.rt.counters, os.urandom)

    async def went(self, access: Access) -> tuple[str, list[tuple[str, str]]]:
        """The cookie and the answer of somebody who went to the provider and decided."""
        left = await access.provider.begin("/console/runs?status=failed", BACK)
        return left.cookie, _answer(self.there.decide(left.url))

    async def came(self, access: Access, cookie: str, answer: list[tuple[str, str]]) -> Entered:
        return await access.provider.finish(cookie, answer, BACK, self.source)

    async def login(self, access: Access) -> Entered:
        return await self.came(access, *await self.went(access))

    async def recorded(self) -> list[Any]:
        """Deeds of log-ins, newest first."""
        return [each.deed for each in await self.rt.store.audit.find("default", action="log*", limit=200)]


def _answer(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query)


@pytest.fixture
async def door(there: IdentityProvider) -> AsyncIterator[Door]:
    async with open_runtime(cb.App("x"), "sqlite://", worker=False) as rt:
        yield Door(rt, there)


@pytest.mark.parametrize(
    ("secret", "methods"),
    [
        (SECRET, None),
        (SECRET, ["client_secret_post"]),
        (SECRET, ["private_key_jwt", "client_secret_basic"]),
        ("", None),
    ],
)
async def test_who_says_yes_there_is_logged_in_here(
    door: Door, secret: str, methods: list[str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    there = door.there
    there.secret, there.methods = secret, methods
    there.person |= {"realm": {"roles": ["viewer", "approver:acme", "stranger"]}}
    first = door.access(oidc_client_secret=secret, oidc_roles="realm.roles", login_time=100.0)
    other = door.access(oidc_client_secret=secret, oidc_roles="realm.roles", login_time=100.0)
    cookie, answer = await door.went(first)
    entered = await door.came(other, cookie, answer)  # another process than the one that began it
    who = entered.principal
    assert (who.who, who.name, who.tenant) == (f"oidc:{there.url}|mia-7", "Mia <b>", "default")
    assert who.grants == (Grant(Role.VIEWER, "default"), Grant(Role.APPROVER, "acme"))
    assert entered.expires_at == door.clock.now() + 100
    assert first.provider.path(cookie) == "/console/runs?status=failed"
    assert (await first.authenticate_login(entered.cookie))[0] == who
    form, header = there.told[-1]
    assert (header != "", "client_secret" in form) == (
        bool(secret) and methods != ["client_secret_post"],
        bool(methods and "client_secret_post" in methods),
    )
    assert len(form["code_verifier"]) == 43
    with pytest.raises(Unauthenticated, match="answered before"):
        await door.came(first, cookie, answer)  # and in a third one it is no good either
    await first.logout(entered.cookie, door.source)
    with pytest.raises(Unauthenticated):
        await other.authenticate_login(entered.cookie)
    deeds = await door.recorded()
    assert [(deed.action, deed.actor, deed.outcome) for deed in deeds] == [
        ("logout", who.who, "done"),
        ("login", "nobody", "unauthenticated"),
        ("login", who.who, "done"),
    ]
    hidden = [*there.given, form["code_verifier"], cookie, entered.cookie, SECRET, dict(answer)["state"]]
    shown = f"{deeds!r} {caplog.text} {entered!r}"
    assert there.given and not [each for each in hidden if each in shown]


def _token(**wrong: Any) -> dict[str, Any]:
    return {"wrong": wrong}


def _sent(**sent: str | None) -> dict[str, Any]:
    return {"sent": sent}


OTHER = RSAKey.generate_key(2048, {"kid": "rsa"})
REFUSED: dict[str, tuple[dict[str, Any], type[CallboardError], str]] = {
    # What the provider says to the browser.
    "she says no": ({"decision": "deny"}, Unauthenticated, r"did not let you in \(access_denied\).*she <b>said</b> no"),
    "it wants more of her": (_sent(code=None, error="login_required"), Unauthenticated, "login_required"),
    "it is busy": (_sent(code=None, error="temporarily_unavailable"), TryLater, "temporarily_unavailable"),
    "a client that it knows otherwise": (_sent(error="unauthorized_client"), Unauthenticated, "refused the request"),
    "an error that nobody knows": (_sent(error="<script>"), Unauthenticated, "an error of its own"),
    "no code": (_sent(code=None), Unauthenticated, "holds no code"),
    "a code without an end": (_sent(code="x" * 5_000), Unauthenticated, "holds no code"),
    "a made up code": (_sent(code="guessed"), Unauthenticated, "does not take this log-in's code"),
    "another issuer": (_sent(iss="https://evil.example"), Unauthenticated, "not from"),
    "no issuer, of one that says it": (_sent(iss=None), Unauthenticated, "not from"),
    "another issuer with an error": (_sent(iss="https://evil.example", error="access_denied"), Unauthenticated, "not"),
    "no state": (_sent(state=None), Unauthenticated, "another log-in"),
    "another state": (_sent(state="x" * 43), Unauthenticated, "another log-in"),
    "a state of other letters": (_sent(state="é"), Unauthenticated, "another log-in"),
    # The ID token.
    "another nonce": (_token(nonce="x" * 43), Unauthenticated, "another log-in"),
    "no nonce": (_token(nonce=None), Unauthenticated, "another log-in"),
    "for another client": (_token(aud="another"), Unauthenticated, "aud"),
    "for us and another": (_token(aud=[CLIENT, "another"]), Unauthenticated, "another client"),
    "for us and another, made for that": (_token(aud=[CLIENT, "b"], azp="b"), Unauthenticated, "another client"),
    "for us, made for another": (_token(azp="another"), Unauthenticated, "another client"),
    "from another issuer": (_token(iss="https://evil.example"), Unauthenticated, "iss"),
    "expired": (_token(exp=int(time.time()) - 100), Unauthenticated, "expired"),
    "for ever": (_token(exp=None), Unauthenticated, "exp"),
    "from the future": (_token(iat=int(time.time()) + 86_400), Unauthenticated, "future"),
    "from no time": (_token(iat=None), Unauthenticated, "when it was made"),
    "about nobody": (_token(sub=None), Unauthenticated, "sub"),
    "of another access token": (_token(at_hash="x" * 22), Unauthenticated, "another access token"),
    "of an access token by a number": (_token(at_hash=7), Unauthenticated, "another access token"),
    "an access token": ({"header": {"typ": "at+jwt"}}, Unauthenticated, "another kind"),
    "a log-out": ({"header": {"typ": "logout+jwt"}}, Unauthenticated, "another kind"),
    "by no algorithm": ({"header": {"alg": "none", "key": OctKey.import_key("x" * 40)}}, Unauthenticated, "'none'"),
    "by the client's secret": (
        {"header": {"alg": "HS256", "key": OctKey.import_key(SECRET * 3)}},
        Unauthenticated,
        "HS256",
    ),
    "by another key": ({"header": {"key": OTHER}}, Unauthenticated, "signature"),
    "by a key that is not shown": ({"header": {"kid": "unknown", "key": OTHER}}, Unauthenticated, "does not show"),
    # The token endpoint.
    "a page": ({"instead": (200, b"<html>Log in</html>")}, TryLater, "no JSON"),
    "a list": ({"instead": (200, b"[]")}, TryLater, "no object"),
    "no token": ({"instead": (200, b'{"access_token": "x"}')}, Unauthenticated, "no ID token"),
    "a number for a token": ({"instead": (200, b'{"id_token": 7}')}, Unauthenticated, "no ID token"),
    "a token that is none": ({"instead": (200, b'{"id_token": "a.b.c"}')}, Unauthenticated, "no signed token"),
    "a flood": ({"instead": (200, b" " * 1_000_000)}, TryLater, "more than"),
    "a redirect": ({"instead": (302, b"")}, TryLater, "answered 302"),
    "broken": ({"instead": (500, b"{}")}, TryLater, "answered 500"),
    "slow": ({"slow": 0.6}, TryLater, "within 0.2 s"),
    "a client that it does not know": ({"secret": "another"}, Unauthenticated, "does not know this deployment"),
    "an error of another kind": ({"instead": (400, b'{"error": "<b>"}')}, Unauthenticated, "status 400"),
    # Who may do nothing.
    "nothing is granted": (_token(roles=["stranger"]), Denied, "known here as Mia"),
}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_whatever_is_wrong_is_refused_said_and_recorded(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    access = door.access()
    await door.login(access)
    for number, (what, (fault, kind, words)) in enumerate(REFUSED.items()):
        door.there.reset()
        door.there.secret, door.source = SECRET, f"192.0.2.{number}"
        for name, value in fault.items():
            setattr(door.there, name, value)
        cookie, answer = await door.went(access)
        with monkeypatch.context() as patience, pytest.raises(kind, match=f"(?s){words}") as told:
            if door.there.slow:
                patience.setattr(fetching, "_TIME", 0.2)
            await door.came(access, cookie, answer)
            pytest.fail(f"{what} was taken")
        assert told.value.remedy, what
        newest = (await door.recorded())[0]
        assert (newest.action, newest.outcome, newest.source) == ("login", told.value.code, door.source), what
        assert newest.after["why"] and "<" not in newest.after["why"], what
        assert newest.actor == ("nobody" if kind is not Denied else f"oidc:{door.there.url}|mia-7"), what
        assert not [each for each in door.there.given if each in f"{told.value!r} {told.value} {newest!r}"], what
    door.there.reset()
    await door.login(access)  # nothing of it stays


async def test_a_log_in_belongs_to_the_browser_that_began_it_for_ten_minutes(door: Door) -> None:
    access = door.access()
    mine, answer = await door.went(access)
    theirs, injected = await door.went(access)
    forged = ".".join([mine.split(".")[0], "99999999999", mine.split(".")[2]])
    elsewhere = ".".join([*mine.split(".")[:2], "L2NvbnNvbGUvYXVkaXQ"])
    for cookie in ("", theirs, forged, elsewhere, mine[:-1], "x", "é.1.x", "..", "a.99999999999.!", "x" * 5_000):
        with pytest.raises(Unauthenticated):
            await door.came(access, cookie, answer)
        access.provider.path(cookie)  # junk leads nowhere, and breaks nothing
    assert not door.there.told  # no code was shown to anybody
    with pytest.raises(Unauthenticated, match="twice"):
        await door.came(access, mine, [*answer, ("code", "another")])
    stolen = [pair for pair in answer if pair[0] != "code"] + [pair for pair in injected if pair[0] == "code"]
    with pytest.raises(Unauthenticated, match="does not take this log-in's code"):
        await door.came(access, mine, stolen)  # somebody else's code: PKCE
    late, answer = await door.went(access)
    door.clock.set(door.clock.now() + 601)
    with pytest.raises(Unauthenticated, match="too long"):
        await door.came(access, late, answer)
    with pytest.raises(Unauthenticated, match="another log-in"):
        await door.came(door.access(secret="another deployment's secret, as long"), late, answer)


async def test_of_two_who_come_with_one_answer_one_is_let_in(door: Door) -> None:
    processes = [door.access() for _ in range(6)]
    cookie, answer = await door.went(processes[0])
    found = await asyncio.gather(*(door.came(each, cookie, answer) for each in processes), return_exceptions=True)
    assert sum(isinstance(each, Entered) for each in found) == 1
    assert sum(isinstance(each, Unauthenticated) for each in found) == 5
    assert len(door.there.told) == 1


async def test_an_address_that_fails_too_often_waits_and_may_still_use_its_password(door: Door) -> None:
    access = door.access()
    for _ in range(30):
        with pytest.raises(Unauthenticated):
            await door.came(access, "", [])
    with pytest.raises(RateLimited) as told:
        await door.login(access)
    assert told.value.retry_after > 0
    with pytest.raises(Unauthenticated):
        await access.login("nobody", "with a password", door.source)
    door.source = "192.0.2.8"
    await door.login(access)


async def test_a_provider_that_is_away_or_says_strange_things_is_not_gone_to(door: Door) -> None:
    there = door.there
    for more, words in (
        ({"issuer": "https://evil.example"}, "is that of"),
        ({"authorization_endpoint": None}, "authorization_endpoint"),
        ({"token_endpoint": "http://token.example/"}, "no https address"),
        ({"authorization_endpoint": "https://a@b.example/"}, "no address"),
        ({"authorization_endpoint": "https://b.example/\r\nSet-Cookie:x"}, "characters"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "no https address"),
        ({"end_session_endpoint": ["x"]}, "no address"),
    ):
        there.more = more
        with pytest.raises(TryLater, match=words):
            await door.access().provider.begin("/console", BACK)
        assert await door.access().provider.leaving(BACK) == "" or "authorization_endpoint" in more
    there.reset()
    there.more = {"code_challenge_methods_supported": ["plain"]}
    with pytest.raises(TryLater, match="S256"):
        await door.access(oidc_client_secret="").provider.begin("/console", BACK)
    there.reset()
    there.methods = ["private_key_jwt"]
    with pytest.raises(Unauthenticated, match="private_key_jwt"):
        await door.login(door.access())
    for status, flood in ((503, False), (200, True)):
        there.status, there.flood = status, flood
        with pytest.raises(TryLater):
            await door.access().provider.begin("/console", BACK)
    there.status, there.flood = 200, False
    for options in ({"oidc_client": "", "oidc_client_secret": "", "oidc_audience": "x"}, {"login_by": ("password",)}):
        closed = door.access(**options)
        with pytest.raises(NotFound):
            await closed.provider.begin("/console", BACK)
        with pytest.raises(NotFound):
            await door.came(closed, "x", [])
        assert not closed.provider.offered and await closed.provider.leaving(BACK) == ""
    only = door.access(login_by=("provider",))
    for way in (only.login("mia", "a password of hers", "x"), only.login_with_key("cb_x_y", "x")):
        with pytest.raises(Unauthenticated, match="nobody logs in here by"):
            await way


async def test_a_tenant_comes_from_the_token_and_an_id_token_is_no_key_of_the_api(door: Door) -> None:
    door.there.person["org"] = "north"
    access = door.access(oidc_tenant="org", oidc_audience="the api")
    entered = await door.login(access)
    assert entered.principal.tenant == "north"
    assert entered.principal.grants == (Grant(Role.OPERATOR, "north"),)
    for checked in (access, door.access()):
        with pytest.raises(Unauthenticated):
            await checked.authenticate_token(door.there.given[-1])
    for org in ("*", "", None, 7):
        door.there.person["org"] = org
        with pytest.raises(Unauthenticated, match="names no tenant"):
            await door.login(access)
    leaving = await access.provider.leaving("http://127.0.0.1:9/console/login")
    assert _answer(leaving) == [("client_id", CLIENT), ("post_logout_redirect_uri", "http://127.0.0.1:9/console/login")]
