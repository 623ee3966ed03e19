"""Keys of programs, and people who log in."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Response
from pydantic import Field, SecretStr

from callboard.apps.entrance import At, StrictRoute
from callboard.apps.gateway.answering import WITH_BODY, answer, gives, refuses
from callboard.apps.gateway.starting import YEAR, Body, Moment, Name, Number
from callboard.domain.principal import EVERY, Grant, Role
from callboard.runtime import Action, Key, Person

router = APIRouter(prefix="/v1", tags=["access"], route_class=StrictRoute)


class GrantView(msgspec.Struct, frozen=True, kw_only=True):
    """A role, and where it holds. `actions`: of what the role may do only this; null for all of it."""

    role: str
    tenant: str
    flows: list[str]
    actions: list[str] | None


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key. Nobody can tell its text again."""

    id: str
    tenant: str
    name: str
    grants: list[GrantView]
    created_at: float
    created_by: str
    expires_at: float | None
    revoked_at: float | None
    used_at: float | None
    replaces: str | None


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """Keys, newest first."""

    items: list[KeyView]


class NewKeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was just made. `text` is what programs send; it is shown this once."""

    key: KeyView
    text: str


class PersonView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who can log in."""

    login: str
    tenant: str
    name: str
    grants: list[GrantView]
    created_at: float
    created_by: str
    disabled_at: float | None


class PersonList(msgspec.Struct, frozen=True, kw_only=True):
    """People, by log-in."""

    items: list[PersonView]


class GrantBody(Body):
    """A role, and where it holds."""

    role: Role = Field(examples=["operator"])
    tenant: Name = Field(default=EVERY, examples=["default"], description="`*` for each.")
    flows: list[Name] = Field(default=[EVERY], min_length=1, max_length=100, examples=[["triage"]])
    actions: list[Action] | None = Field(default=None, description="Of what the role may do only this.")

    def grant(self) -> Grant:
        """As it is kept."""
        actions = None if self.actions is None else tuple(str(each) for each in self.actions)
        return Grant(self.role, self.tenant, tuple(self.flows), actions)


_Grants = Annotated[list[GrantBody], Field(min_length=1, max_length=50)]


class NewKeyBody(Body):
    """A key to make."""

    name: Name = Field(examples=["nightly import"], description="What it is for.")
    grants: _Grants = Field(description="No more than who asks has.")
    expires_at: Moment | None = Field(default=None, description="When it ends by itself; never, by default.")


class RotateBody(Body):
    """How a key is replaced."""

    overlap: Number = Field(default=86_400.0, ge=0, le=YEAR, description="Seconds for which the old one is still good.")
    expires_at: Moment | None = Field(default=None, description="When the new one ends by itself.")


class NewPersonBody(Body):
    """Somebody who is to log in."""

    login: Name = Field(examples=["mia"])
    name: Name = Field(examples=["Mia Rossi"])
    password: SecretStr = Field(min_length=12, max_length=1_000, description="12 characters or more.")
    grants: _Grants


class GrantsBody(Body):
    """Grants, in place of those before."""

    grants: _Grants


class PasswordBody(Body):
    """A password, in place of the one before."""

    password: SecretStr = Field(min_length=12, max_length=1_000, description="12 characters or more.")


_KeyId = Annotated[str, Path(pattern=r"^[a-z0-9]{1,64}$", description="A key's id.", examples=["7q2m4x9k1b5t"])]
_Login = Annotated[
    str, Path(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", description="A log-in.", examples=["mia"])
]


@router.get("/keys", responses=gives(KeyList, "The keys."), summary="List keys")
async def keys(desk: At) -> Response:
    """Keys of the tenant, revoked ones too."""
    return answer(KeyList(items=[_key(each) for each in await desk.credentials.keys()]))


@router.post(
    "/keys",
    status_code=201,
    responses=gives(NewKeyView, "It is made; its text is shown this once.", status=201) | WITH_BODY,
    summary="Make a key",
)
async def create_key(desk: At, body: NewKeyBody) -> Response:
    """A key for a program or a service account."""
    grants = [each.grant() for each in body.grants]
    made = await desk.credentials.create_key(body.name, grants, expires_at=body.expires_at)
    return answer(NewKeyView(key=_key(made.key), text=made.text), 201)


@router.post(
    "/keys/{key_id}/rotate",
    status_code=201,
    responses=gives(NewKeyView, "The new one; its text is shown this once.", status=201)
    | refuses(404, 409)
    | WITH_BODY,
    summary="Rotate a key",
)
async def rotate_key(desk: At, key_id: _KeyId, body: RotateBody | None = None) -> Response:
    """A new key in the place of one; the old one is good for a while, so that programs change over without a pause."""
    wanted = body or RotateBody()
    made = await desk.credentials.rotate_key(key_id, overlap=wanted.overlap, expires_at=wanted.expires_at)
    return answer(NewKeyView(key=_key(made.key), text=made.text), 201)


@router.delete("/keys/{key_id}", responses=gives(KeyView, "It is revoked.") | refuses(404), summary="Revoke a key")
async def revoke_key(desk: At, key_id: _KeyId) -> Response:
    """Ends a key: here at once, in other processes within two seconds."""
    return answer(_key(await desk.credentials.revoke_key(key_id)))


@router.get("/people", responses=gives(PersonList, "The people."), summary="List people")
async def people(desk: At) -> Response:
    """Who can log in."""
    return answer(PersonList(items=[_person(each) for each in await desk.credentials.people()]))


@router.post(
    "/people",
    status_code=201,
    responses=gives(PersonView, "May log in.", status=201) | refuses(409) | WITH_BODY,
    summary="Add somebody",
)
async def add_person(desk: At, body: NewPersonBody) -> Response:
    """Somebody who can log in to the console."""
    grants = [each.grant() for each in body.grants]
    secret = body.password.get_secret_value()
    return answer(_person(await desk.credentials.add_person(body.login, body.name, secret, grants)), 201)


@router.put(
    "/people/{login}/grants",
    responses=gives(PersonView, "As it is now.") | refuses(404) | WITH_BODY,
    summary="Change what somebody may do",
)
async def grant(desk: At, login: _Login, body: GrantsBody) -> Response:
    """Gives somebody these grants in place of those before."""
    return answer(_person(await desk.credentials.grant(login, [each.grant() for each in body.grants])))


@router.put(
    "/people/{login}/password",
    responses=gives(PersonView, "It is changed; all log-ins have ended.") | refuses(404) | WITH_BODY,
    summary="Set somebody's password",
)
async def set_password(desk: At, login: _Login, body: PasswordBody) -> Response:
    """Sets another password, and ends the person's log-ins."""
    return answer(_person(await desk.credentials.set_password(login, body.password.get_secret_value())))


@router.post(
    "/people/{login}/disable", responses=gives(PersonView, "Is out.") | refuses(404), summary="Disable somebody"
)
async def disable(desk: At, login: _Login) -> Response:
    """Lets somebody in no longer, and ends the person's log-ins."""
    return answer(_person(await desk.credentials.disable(login)))


@router.post(
    "/people/{login}/enable", responses=gives(PersonView, "May log in.") | refuses(404), summary="Enable somebody"
)
async def enable(desk: At, login: _Login) -> Response:
    """Lets somebody in again."""
    return answer(_person(await desk.credentials.enable(login)))


def grant_view(each: Grant) -> GrantView:
    """A grant as it is shown."""
    actions = None if each.actions is None else list(each.actions)
    return GrantView(role=each.role, tenant=each.tenant, flows=list(each.flows), actions=actions)


def _key(key: Key) -> KeyView:
    found = {name: getattr(key, name) for name in KeyView.__struct_fields__ if name != "grants"}
    return KeyView(grants=[grant_view(each) for each in key.grants], **found)


def _person(person: Person) -> PersonView:
    found = {name: getattr(person, name) for name in PersonView.__struct_fields__ if name != "grants"}
    return PersonView(grants=[grant_view(each) for each in person.grants], **found)


VIEWS = (KeyList, KeyView, NewKeyView, PersonList, PersonView)
