"""Serves the static files: without log-in, since they are the same for everybody, and to be kept for good."""

from typing import TYPE_CHECKING

from callboard.apps.console.assets import PREFIX, by_path
from callboard.domain.errors import NotFound

if TYPE_CHECKING:
    from fastapi import APIRouter

_KEPT = "public, max-age=31536000, immutable"


def routes() -> "APIRouter":
    """The one route of all static files."""
    from fastapi import APIRouter, Request, Response

    made = APIRouter(prefix=PREFIX)

    @made.get("/{path:path}")
    async def static(request: Request, path: str) -> Response:
        asset = by_path().get(f"{PREFIX}/{path}")
        if asset is None:
            raise NotFound("there is no such file")
        headers = {"Cache-Control": _KEPT, "X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return Response(asset.packed, media_type=asset.media_type, headers=headers | {"Content-Encoding": "gzip"})
        return Response(asset.content, media_type=asset.media_type, headers=headers)

    return made
