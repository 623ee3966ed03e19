"""A route for what is asked most often, such as starts: found without looking through all the others, and taken apart
without what the framework does for other kinds."""

from collections.abc import Callable, Coroutine, Iterable
from json import JSONDecodeError
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import HTTPException, RequestValidationError
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from callboard.apps.entrance.entrance import Entrance, at_desk
from callboard.apps.entrance.errors import Answered
from callboard.apps.entrance.reading import StrictRequest, StrictRoute, readable
from callboard.domain.errors import CallboardError


class QuickRoute(StrictRoute):
    """A route whose function takes the request, a desk, a JSON body and optional headers, and returns a response.

    It answers as StrictRoute does, in half of the time: there are no forms, files, paths, queries and further
    dependencies to be looked for at each request. Its description is made by the framework, of the same fields.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that the framework calls."""
        told = self.dependant
        desks, bodies, headers = told.dependencies, told.body_params, told.header_params
        others = (*told.path_params, *told.query_params, *told.cookie_params)
        if [each.call for each in desks] != [at_desk] or len(bodies) != 1 or others or told.request_param_name is None:
            raise TypeError(f"{self.endpoint} takes more or less than a request, a desk, a body and headers")
        request_name, desk_name, body = told.request_param_name, str(desks[0].name), bodies[0]
        endpoint: Callable[..., Coroutine[Any, Any, Response]] = self.endpoint

        async def quick(given: Request) -> Response:
            request = given if isinstance(given, StrictRequest) else StrictRequest(given.scope, given.receive)
            entrance: Entrance = request.app.state.entrance
            values: dict[str, Any] = {request_name: request, desk_name: await entrance.desk(request)}
            said = await _said(request)
            values[body.name], errors = body.validate(said, loc=("body",))
            for field in headers:
                text = request.headers.get(field.alias)
                if text is None:
                    values[field.name] = field.default
                else:
                    values[field.name], wrong = field.validate(text, loc=("header", field.alias))
                    errors += wrong
            if errors:
                raise RequestValidationError(errors, body=said)
            return await endpoint(**values)

        self.quick = quick
        return quick


class Shortcut:
    """Wraps the framework's own layers: a request to a quick route goes to it without them, any other through them.

    Args:
        app: those layers.
        routes: all there are; of those that are quick each has a path without parameters.
        answered: makes the answer for an error.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute], answered: Answered) -> None:
        self._app = app
        self._answered = answered
        quick = [route for route in routes if isinstance(route, QuickRoute)]
        self._routes = {(method, route.path): route for route in quick for method in route.methods or ()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        request = StrictRequest(scope, receive)
        try:
            answer = await route.quick(request)
        except (CallboardError, HTTPException, RequestValidationError) as error:
            answer = await self._answered(request, error)
        await answer(scope, receive, send)


async def _said(request: StrictRequest) -> Any:
    """The body, decoded if it says that it is JSON. Raises RequestValidationError."""
    try:
        raw = await request.body()
        if not raw:
            missing = {"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}
            raise RequestValidationError([missing])
        readable(request)
        return await request.json()
    except JSONDecodeError as error:
        wrong = {"type": "json_invalid", "loc": ("body", error.pos), "msg": "JSON decode error", "input": {}}
        raise RequestValidationError([wrong | {"ctx": {"error": error.msg}}]) from None
    except ClientDisconnect:
        raise HTTPException(400, "the client went away before its request had come") from None
