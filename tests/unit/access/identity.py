"""An OpenID provider in small, over real HTTP: people say yes or no on its page, codes are exchanged, people log out.

It is strict where a real one is: exact redirect URIs, codes that are good once, PKCE, client secrets. What it says
wrong is set by `decision` (what its person decides where nobody clicks), `wrong` (claims of the ID token), `header`,
`sent` (the answer to the browser) and `instead` (the token endpoint's answer).
"""

import base64
import hashlib
import html
import secrets
import time
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

import msgspec

from callboard.testing.clock import WindingClock
from tests.unit.access.test_tokens import Issuer

CLIENT, SECRET = "callboard console", "s3cr:t & %longer"
_PAGE = "<!doctype html><html lang=en><title>{title}</title><meta name=viewport content='width=device-width'>{body}"


class IdentityProvider(Issuer):
    """Knows one client, and one person who is whoever `person` says."""

    def __init__(self, secret: str = SECRET) -> None:
        self.secret = secret
        self.back: set[str] = set()
        self.after: set[str] = set()
        self.reset()
        super().__init__()

    def reset(self) -> None:
        """As if nobody had been here."""
        self.person: dict[str, Any] = {"sub": "mia-7", "name": "Mia <b>", "roles": ["operator"]}
        self.decision = "approve"
        self.methods: list[str] | None = None
        self.more: dict[str, Any] = {}  # of its discovery document
        self.wrong: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.sent: dict[str, str | None] = {}
        self.instead: tuple[int, bytes] | None = None
        self.slow = 0.0
        self.elsewhere = None
        self.codes: dict[str, dict[str, str]] = {}
        self.told: list[tuple[dict[str, str], str]] = []  # forms and Authorization headers of token requests
        self.given: list[str] = []  # every code and token
        self.inside: list[str] = []  # who is logged in

    def document(self, path: str) -> Any:
        if path == "/keys":
            return super().document(path)
        places = {
            "authorization_endpoint": f"{self.url}/authorize?tenant=one",
            "token_endpoint": f"{self.url}/token",
            "end_session_endpoint": f"{self.url}/end",
            "authorization_response_iss_parameter_supported": True,
        }
        methods = {} if self.methods is None else {"token_endpoint_auth_methods_supported": self.methods}
        return super().document(path) | places | methods | self.more

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        place, form = urlsplit(request.path), dict[str, str]()
        if request.command == "POST":
            form = dict(parse_qsl(request.rfile.read(int(request.headers["Content-Length"])).decode()))
        query = dict(parse_qsl(place.query))
        match request.command, place.path:
            case "GET", "/authorize":
                self._page(request, "Who are you?", self._asks(query, request.path))
            case "POST", "/authorize":
                self._lead(request, self.decide(f"{self.url}{request.path}", form["decision"]))
            case "POST", "/token":
                said = self.instead or self._exchange(form, request.headers.get("Authorization", ""))
                time.sleep(self.slow)
                self._answer(request, *said)
            case "GET", "/end":
                body = f"<h1>Log out?</h1><form method=post action='{html.escape(request.path)}'><button>Yes</button>"
                self._page(request, "Log out", body)
            case "POST", "/end":
                self.inside = []
                assert query["client_id"] == CLIENT and query["post_logout_redirect_uri"] in self.after, query
                self._lead(request, query["post_logout_redirect_uri"])
            case _:
                super().serve(request)

    def decide(self, url: str, decision: str = "") -> str:
        """Where a browser is led that was sent to an address of /authorize, once its person has decided."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["tenant"] == "one" and asked["client_id"] == CLIENT and asked["response_type"] == "code"
        assert asked["redirect_uri"] in self.back, f"{asked['redirect_uri']} is not registered"
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split()
        said: dict[str, str | None] = {"state": asked["state"], "iss": self.url}
        if (decision or self.decision) == "approve":
            code = secrets.token_urlsafe(24)
            self.codes[code] = asked
            self.given.append(code)
            self.inside = [self.person["sub"]]
            said["code"] = code
        else:
            said |= {"error": "access_denied", "error_description": "she <b>said</b> no"}
        said |= self.sent
        return (
            f"{asked['redirect_uri']}?{urlencode({name: value for name, value in said.items() if value is not None})}"
        )

    def _asks(self, query: dict[str, str], path: str) -> str:
        name = html.escape(str(self.person["name"]))
        return (
            f"<h1>{html.escape(query['client_id'])} wants to know who you are</h1>"
            f"<form method=post action='{html.escape(path)}'><p>You are {name}.</p>"
            "<button name=decision value=approve>Approve</button><button name=decision value=deny>Deny</button></form>"
        )

    def _exchange(self, form: dict[str, str], authorization: str) -> tuple[int, bytes]:
        self.told.append((form, authorization))
        if not self._knows(form, authorization):
            return 401, b'{"error": "invalid_client"}'
        asked = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            asked is None
            or form["grant_type"] != "authorization_code"
            or form["redirect_uri"] != asked["redirect_uri"]
            or base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked["code_challenge"]
        ):
            return 400, b'{"error": "invalid_grant", "error_description": "no such code"}'
        access = secrets.token_urlsafe(24)
        half = hashlib.sha256(access.encode()).digest()[:16]
        claims = self.person | {
            "aud": CLIENT,
            "nonce": asked["nonce"],
            "at_hash": base64.urlsafe_b64encode(half).decode().rstrip("="),
        }
        token = self.token(WindingClock(time.time()), **(self.header | claims | self.wrong))
        self.given += [access, token]
        return 200, msgspec.json.encode({"access_token": access, "token_type": "Bearer", "id_token": token})

    def _knows(self, form: dict[str, str], authorization: str) -> bool:
        scheme, _, text = authorization.partition(" ")
        if scheme == "Basic":
            name, _, secret = base64.b64decode(text).decode().partition(":")
            return (unquote_plus(name), unquote_plus(secret)) == (CLIENT, self.secret)
        return (form.get("client_id"), form.get("client_secret", "")) == (CLIENT, self.secret)

    def _page(self, request: BaseHTTPRequestHandler, title: str, body: str) -> None:
        self._answer(request, 200, _PAGE.format(title=title, body=body).encode(), "text/html")

    def _answer(
        self, request: BaseHTTPRequestHandler, status: int, body: bytes, kind: str = "application/json"
    ) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        if status == 302:
            request.send_header("Location", "/keys")
        request.end_headers()
        request.wfile.write(body)

    def _lead(self, request: BaseHTTPRequestHandler, url: str) -> None:
        request.send_response(303)
        request.send_header("Location", url)
        request.send_header("Content-Length", "0")
        request.end_headers()
