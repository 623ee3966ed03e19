"""For which hosts a door answers. A page of another site can make a browser believe that this door is the page's own
server (DNS rebinding), but not make it send another name than the page's: so names are known, or nothing is answered.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from callboard.apps.entrance.problems import problem, shown
from callboard.domain.errors import InputInvalid

_LOOPBACK = "localhost"
_REMEDY = "use the address that was given to you; who runs this names hosts in CALLBOARD_GATEWAY_HOSTS"
_KNOWN = 256  # hosts that were found good and are not looked at again


class Hosts:
    """Wraps an ASGI application: a request for another host is answered 421, and nothing of it is looked at.

    Addresses and names of loopback are always good: no name server can lead elsewhere with them.

    Args:
        app: what is inside.
        names: host names; `*.example.com` for all below, `*` for any.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self._app = app
        wanted = [_plain(name) for name in names]
        self._any = "*" in wanted
        self._names = frozenset(wanted) | {_LOOPBACK}
        self._below = (f".{_LOOPBACK}", *(name[1:] for name in wanted if name.startswith("*.")))
        self._good: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, or refuses it."""
        if scope["type"] == "http" and not self._any:
            for name, value in scope["headers"]:  # one that names no host is HTTP/1.0: no browser's
                if name == b"host" and value not in self._good and not self._serves(value):
                    await _refused(scope, receive, send, value)
                    return
        await self._app(scope, receive, send)

    def _serves(self, value: bytes) -> bool:
        host = host_of(value.decode("latin-1"))
        good = host in self._names or host.endswith(self._below) or _address(host)
        if good and len(self._good) < _KNOWN:
            self._good.add(value)
        return good


def host_of(text: str) -> str:
    """The host of what a `Host` header says, without port, in lower case."""
    name, bracket, _ = text.partition("]")
    return name[1:].lower() if bracket and name.startswith("[") else _plain(text.partition(":")[0])


def served(public_url: str, hosts: Iterable[str], bound: str = "") -> list[str]:
    """The names for which a door answers: that under which clients reach it, those that settings name, and the one to
    which it is bound. Raises InputInvalid for what is no name."""
    for each in hosts:
        if not each.isascii() or not each or set(each) & set(":/@ ") or "*" in each.removeprefix("*"):
            raise InputInvalid(
                f"hosts={each!r} is no name of a host", remedy="write agents.example.com, *.example.com, or * for any"
            )
    public = urlsplit(public_url).hostname if public_url else None
    return [name for name in (public, bound, *hosts) if name]


def _plain(name: str) -> str:
    return name.strip().lower().rstrip(".")


def _address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _refused(scope: Scope, receive: Receive, send: Send, value: bytes) -> None:
    what = f"this server does not answer for {shown(host_of(value.decode('latin-1')))!r}"
    request = Request(scope)
    if "text/html" in request.headers.get("accept", ""):
        answer: Response = PlainTextResponse(f"{what}\n\n{_REMEDY}\n", 421)
    else:
        answer = problem(request, "misdirected", what, remedy=_REMEDY)
    await answer(scope, receive, send)
