"""Bodies as JSON, strictly: UTF-8, no NaN, not too deep; and not before it is known whose they are."""

from collections.abc import Callable, Coroutine
from json import JSONDecodeError
from typing import Any

import msgspec
from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from callboard.apps.entrance.entrance import Entrance, at_desk
from callboard.domain.errors import InputInvalid

_MISSING = object()


class StrictRequest(Request):
    """A request whose JSON is decoded strictly."""

    async def json(self) -> Any:
        """The body. Raises JSONDecodeError, which the framework answers."""
        found: Any = getattr(self, "_decoded", _MISSING)
        if found is _MISSING:
            try:
                found = msgspec.json.decode(await self.body())
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise JSONDecodeError(str(error) or "it is nested too deeply", "", 0) from None
            self._decoded = found
        return found


class StrictRoute(APIRoute):
    """A route that looks who asks before it reads what is asked, and reads it strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that the framework calls."""
        handler = super().get_route_handler()
        closed = _needs_desk(self.dependant)

        async def strict(given: Request) -> Response:
            request = StrictRequest(given.scope, given.receive)
            if closed:
                entrance: Entrance = request.app.state.entrance
                await entrance.desk(request)
            if self.body_field is not None:
                readable(request)
            return await handler(request)

        return strict


def readable(request: Request) -> None:
    """Raises InputInvalid for a body that is packed, or that does not say that it is JSON: a form of another site must
    not pass for one."""
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    packed = headers.get("content-encoding", "identity").strip().lower()
    if packed != "identity":
        raise InputInvalid(f"content-encoding={packed[:40]!r} is not taken", remedy="send the body as it is")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise InputInvalid(f"content-type={kind[:80]!r} is not JSON", remedy="send it as application/json")


def _needs_desk(dependant: Dependant) -> bool:
    return any(each.call is at_desk or _needs_desk(each) for each in dependant.dependencies)
