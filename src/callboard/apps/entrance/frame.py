"""What surrounds every request: an id, the headers that every answer has, a line in the log, and the last resort.

These layers are plain ASGI, so that a stream passes through them piece by piece.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callboard.apps.entrance.problems import INTERNAL, problem

Header = tuple[bytes, bytes]
Observe = Callable[[str, str, int, float], None]

_access = logging.getLogger("callboard.access")
_log = logging.getLogger("callboard.gateway")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_PAGE_POLICY = (
    b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    b"frame-ancestors 'none'"
)
_DATA_POLICY = b"default-src 'none'; frame-ancestors 'none'"
_LASTING = (b"strict-transport-security", b"max-age=31536000")
_UNKEPT = (b"cache-control", b"no-store")
_PLAIN = frozenset({b"content-type", b"content-length", b"location", b"retry-after", b"www-authenticate"})


class Frame:
    """Wraps an ASGI application.

    Args:
        app: what is inside.
        new_id: makes ids of requests.
        observe: told of each answer: method, route, status, and seconds until it began.
        secure: clients reach this by https only.
    """

    def __init__(self, app: ASGIApp, new_id: Callable[[], str], observe: Observe, secure: bool) -> None:
        self._app = app
        self._new_id = new_id
        self._observe = observe
        self._always = (*_ALWAYS, _LASTING) if secure else _ALWAYS
        self._data = data_headers(secure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = self._request_id(scope)
        state["headers"] = {}
        state["head"] = head = scope["method"] == "HEAD"
        inner = {**scope, "method": "GET"} if head else scope  # the server leaves the body out by itself
        begun = time.perf_counter()
        status = sent = 0
        waited = 0.0

        async def outwards(message: Message) -> None:
            nonlocal status, sent, waited
            if message["type"] == "http.response.start":
                status, waited = message["status"], time.perf_counter() - begun
                message["headers"] = self._headers(message.get("headers", ()), request_id, state["headers"])
            else:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await (self._app if _one_host(scope) else _refuse_host)(inner, receive, outwards)
        except Exception:
            _log.exception("request %s: %s %s failed", request_id, scope["method"], _path(scope))
            if status:
                raise  # the answer has begun: cutting the connection is all that can still be said
            answer = problem(
                Request(scope), INTERNAL, "something went wrong here", remedy="tell the operator the request's id"
            )
            await answer(scope, receive, outwards)
        finally:
            route = getattr(inner.get("route"), "path", "other")
            if status:
                self._observe(scope["method"], route, status, waited)
            if (span := state.get("span")) is not None:
                span.end(method=scope["method"], route=route, status=status or 499, scheme=scope["scheme"])
            if _access.isEnabledFor(logging.INFO):
                self._tell(scope, state, status, sent, time.perf_counter() - begun)

    def _request_id(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                text = str(value.decode("latin-1"))
                if REQUEST_ID.fullmatch(text):
                    return text
        return self._new_id()

    def _headers(self, given: Iterable[Header], request_id: str, more: dict[str, str]) -> list[Header]:
        headers = list(given)
        known = {name.lower(): value for name, value in headers}
        if known.keys() <= _PLAIN and not known.get(b"content-type", b"").startswith(b"text/html"):
            headers += self._data  # nearly all that programs ask for
        else:
            headers += [pair for pair in self._always if pair[0] not in known]
            if b"content-security-policy" not in known:
                page = known.get(b"content-type", b"").startswith(b"text/html")
                headers.append((b"content-security-policy", _PAGE_POLICY if page else _DATA_POLICY))
            if b"cache-control" not in known:
                headers.append(_UNKEPT)
        headers.append((b"x-request-id", request_id.encode()))
        headers += [(name.lower().encode(), value.encode()) for name, value in more.items()]
        return headers

    def _tell(self, scope: Scope, state: dict[str, Any], status: int, sent: int, took: float) -> None:
        # The path as it was sent, still encoded: it cannot break the line. No query: people put secrets there.
        _access.info(
            "%s %s %d %dB %.1fms from=%s who=%s request=%s",
            scope["method"],
            _path(scope),
            status,
            sent,
            took * 1000,
            state.get("source", "-"),
            state.get("who", "-"),
            state["request_id"],
        )


def data_headers(secure: bool) -> tuple[Header, ...]:
    """The headers that every answer has which is no page; `secure` where clients come by https only."""
    lasting = (_LASTING,) if secure else ()
    return (*_ALWAYS, *lasting, (b"content-security-policy", _DATA_POLICY), _UNKEPT)


def _one_host(scope: Scope) -> bool:
    """Whether it is said once for which host this is, as HTTP/1.1 demands: two readers must not take different ones."""
    return bool(scope["http_version"] != "1.1") or sum(name == b"host" for name, _ in scope["headers"]) == 1


async def _refuse_host(scope: Scope, receive: Receive, send: Send) -> None:
    said = problem(
        Request(scope), "input_invalid", "the request names no host, or several", status=400, remedy="send one Host"
    )
    await said(scope, receive, send)


def _path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("ascii", "backslashreplace")[:500]
