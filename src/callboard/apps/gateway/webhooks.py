"""What receivers of webhooks need to know."""

import msgspec
from fastapi import APIRouter, Response

from callboard.apps.entrance import At, StrictRoute
from callboard.apps.gateway.answering import answer, gives

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=StrictRoute)


class SecretView(msgspec.Struct, frozen=True, kw_only=True):
    """With what messages to this tenant's webhooks are signed (Standard Webhooks, symmetric)."""

    secret: str


@router.get("/secret", responses=gives(SecretView, "It."), summary="Get the signing secret")
async def secret(desk: At) -> Response:
    """The tenant's signing secret, for who manages access; that it was looked at is recorded."""
    return answer(SecretView(secret=await desk.credentials.webhook_secret()))


VIEWS = (SecretView,)
