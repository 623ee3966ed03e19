"""Who acts: a program with a key or a token, a person, or whoever sits at the machine."""

from enum import StrEnum

import msgspec

EVERY = "*"


class Kind(StrEnum):
    """How somebody showed who it is."""

    KEY = "key"
    OIDC = "oidc"
    PERSON = "person"
    LOCAL = "local"


class Role(StrEnum):
    """What somebody is there for. callboard.policy.access says what each may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    AUTHOR = "author"
    ADMIN = "admin"


class Grant(msgspec.Struct, frozen=True, omit_defaults=True):
    """A role, and where it holds.

    Attributes:
        role: what may be done.
        tenant: in which tenant; `*` in each.
        flows: for which flows and agents, by name; a `*` in a name stands for any characters.
        actions: of what the role may do only this; None for all of it.
    """

    role: Role
    tenant: str = EVERY
    flows: tuple[str, ...] = (EVERY,)
    actions: tuple[str, ...] | None = None


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who was recognised.

    Attributes:
        kind: by what.
        id: the key's id, the person's log-in, issuer and subject of a token; unique within its kind.
        name: as people know it; shown and recorded.
        grants: what it may do.
        tenant: the one it belongs to; where it acts if it does not say.
    """

    kind: Kind
    id: str
    name: str
    grants: tuple[Grant, ...]
    tenant: str

    @property
    def who(self) -> str:
        """As records name it, such as `key:9f3a` or `person:mia`."""
        return f"{self.kind}:{self.id}"
