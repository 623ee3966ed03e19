"""The OpenAPI description: what the framework knows of the routes, and the structs that they answer with."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from callboard.apps.entrance import Problem

_TEMPLATE = "#/components/schemas/{name}"
_SCHEMES: dict[str, Any] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key (`cb_…`), or a token (JWT) of the issuer that this deployment trusts.",
    },
    "login": {
        "type": "apiKey",
        "in": "cookie",
        "name": "callboard",
        "description": "The console's cookie, `__Host-callboard` where it is reached by https. What changes something "
        "then needs the header `X-CSRF-Token` as well.",
    },
}
_TENANT: dict[str, Any] = {
    "name": "Callboard-Tenant",
    "in": "header",
    "required": False,
    "description": "In which tenant; by default the one that who asks belongs to.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}
_UNUSED = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI, structs: Sequence[type[msgspec.Struct]]) -> Callable[[], dict[str, Any]]:
    """Makes the description when it is first asked for, and keeps it. `structs` are what routes answer with."""
    kept: dict[str, Any] = {}

    def description() -> dict[str, Any]:
        if not kept:
            kept.update(_described(app, structs))
        return kept

    app.openapi = description  # type: ignore[method-assign]
    return description


def _described(app: FastAPI, structs: Sequence[type[msgspec.Struct]]) -> dict[str, Any]:
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, summary=None
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for name in _UNUSED:
        schemas.pop(name, None)
    _, answers = msgspec.json.schema_components(structs, ref_template=_TEMPLATE)
    schemas.update(answers)
    found["components"]["securitySchemes"] = _SCHEMES
    for operations in found["paths"].values():
        for operation in operations.values():
            operation["security"] = [{name: []} for name in _SCHEMES]
            operation.setdefault("parameters", []).append(_TENANT)
    schemas["Problem"] = Problem.model_json_schema()
    return found
