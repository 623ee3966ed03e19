"""What receivers of webhooks need to know."""

import msgspec
from fastapi import APIRouter, Response
from pydantic import Field

from callboard.apps.entrance import At, StrictRoute
from callboard.apps.gateway.answering import WITH_BODY, answer, gives
from callboard.apps.gateway.starting import Body, Number
from callboard.runtime import SigningSecret

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=StrictRoute)

_MONTH = 30 * 86_400.0


class SecretView(msgspec.Struct, frozen=True, kw_only=True):
    """With what messages to this tenant's webhooks are signed (Standard Webhooks, symmetric). Until `before_until`
    (seconds since the Unix epoch) they are signed with `before` as well."""

    secret: str
    before: str | None
    before_until: float | None


class Rotate(Body):
    """How long messages are signed with the secret of before as well."""

    overlap: Number = Field(default=86_400.0, ge=0, le=_MONTH, description="Seconds.", examples=[86_400])


@router.get("/secret", responses=gives(SecretView, "It."), summary="Get the signing secret")
async def secret(desk: At) -> Response:
    """The tenant's signing secret, for who manages access; that it was looked at is recorded."""
    return answer(_view(await desk.webhooks.secret()))


@router.post("/secret/rotate", responses=gives(SecretView, "The new one.") | WITH_BODY, summary="Rotate it")
async def rotate(desk: At, body: Rotate | None = None) -> Response:
    """Another secret; for a while messages carry a signature of each, so that receivers can be told of it meanwhile."""
    return answer(_view(await desk.webhooks.rotate((body or Rotate()).overlap)))


def _view(found: SigningSecret) -> SecretView:
    return SecretView(secret=found.secret, before=found.before, before_until=found.before_until)


VIEWS = (SecretView,)
