"""What may be granted: nobody gives more than they have themselves."""

from collections.abc import Iterable, Sequence

from callboard.access.patterns import covers, pattern
from callboard.domain.errors import InputInvalid
from callboard.domain.principal import EVERY, Grant, Principal
from callboard.policy.access import ALLOWED, UNSCOPED, Action, gives

_MOST = 50  # grants of one key or person
_LONGEST = 200  # characters of a tenant's name


def checked(grants: Sequence[Grant]) -> tuple[Grant, ...]:
    """Grants as they are kept. Raises InputInvalid for those that cannot be, or that give nothing."""
    if not 0 < len(grants) <= _MOST:
        raise InputInvalid(f"{len(grants)} grants were given", remedy=f"give 1 to {_MOST}")
    found: list[Grant] = []
    for grant in grants:
        if not 0 < len(grant.tenant) <= _LONGEST or not grant.tenant.isprintable():
            raise InputInvalid(f"tenant={grant.tenant[:_LONGEST]!r} cannot be one", remedy="name it, or * for each")
        if len(grant.flows) > _MOST:
            raise InputInvalid(f"{len(grant.flows)} flows were named", remedy=f"name {_MOST} at most, or patterns")
        flows = tuple(dict.fromkeys(pattern(each) for each in grant.flows))
        if unknown := sorted(set(grant.actions or ()) - set(Action)):
            raise InputInvalid(f"action {unknown[0]!r} is unknown", remedy=f"use some of {', '.join(Action)}")
        actions = None if grant.actions is None else tuple(sorted({str(each) for each in grant.actions}))
        kept = Grant(grant.role, grant.tenant, flows, actions)
        if not any(gives(kept, action) for action in Action) or not flows:
            raise InputInvalid(
                f"the grant of {grant.role} gives nothing",
                why="no action is left that this role may do, for these flows",
                remedy=f"{grant.role} may {', '.join(sorted(ALLOWED[grant.role]))}",
            )
        found.append(kept)
    return tuple(found)


def beyond(principal: Principal, grants: Iterable[Grant]) -> Action | None:
    """Something that the grants give and the principal does not have, there and for all of these flows; None if there
    is nothing."""
    for grant in grants:
        for action in Action:
            if gives(grant, action) and not _has(principal, action, grant):
                return action
    return None


def _has(principal: Principal, action: Action, grant: Grant) -> bool:
    held = [each for each in principal.grants if each.tenant in (EVERY, grant.tenant) and gives(each, action)]
    if action in UNSCOPED:
        return bool(held)
    patterns = [each for one in held for each in one.flows]
    return all(any(covers(wide, narrow) for wide in patterns) for narrow in grant.flows)
