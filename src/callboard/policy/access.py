"""Who may do what. Everything is denied unless a grant allows it; this table is the only place that says so."""

from collections.abc import Iterator
from enum import StrEnum
from fnmatch import fnmatchcase

from callboard.domain.principal import EVERY, Grant, Principal, Role
from callboard.domain.verdict import ALLOW, Ruling, Verdict


class Action(StrEnum):
    """Everything that a door can be asked to do, by what it is done to."""

    RUNS_READ = "runs:read"  # rows, journals, live streams, sessions; what models saw
    RUNS_START = "runs:start"  # runs, batches, messages to sessions
    RUNS_CONTROL = "runs:control"  # cancel, signal
    RUNS_REPAIR = "runs:repair"  # requeue, fork
    RUNS_PURGE = "runs:purge"
    APPROVALS_READ = "approvals:read"
    APPROVALS_DECIDE = "approvals:decide"
    AGENTS_READ = "agents:read"  # what is installed: flows, agents, prompts, tools, routes
    COSTS_READ = "costs:read"
    BUDGETS_WRITE = "budgets:write"
    FLEET_READ = "fleet:read"  # workers, queue, upstreams, metrics
    FLEET_CONTROL = "fleet:control"  # pauses, limits, schedules, breakers
    AUDIT_READ = "audit:read"
    ACCESS_MANAGE = "access:manage"  # keys, people
    SETTINGS_READ = "settings:read"


_A = Action
_SEES = frozenset({_A.RUNS_READ, _A.APPROVALS_READ, _A.AGENTS_READ, _A.COSTS_READ, _A.FLEET_READ})

ALLOWED: dict[Role, frozenset[Action]] = {
    Role.VIEWER: _SEES,
    Role.OPERATOR: _SEES | {_A.RUNS_START, _A.RUNS_CONTROL, _A.RUNS_REPAIR, _A.FLEET_CONTROL},
    Role.APPROVER: _SEES | {_A.APPROVALS_DECIDE},
    Role.AUTHOR: _SEES | {_A.RUNS_START, _A.RUNS_CONTROL},
    Role.ADMIN: frozenset(Action),
}

# What concerns no flow: a grant for some flows only does not give it.
UNSCOPED = frozenset(
    {
        _A.RUNS_PURGE,
        _A.BUDGETS_WRITE,
        _A.FLEET_CONTROL,
        _A.AUDIT_READ,
        _A.ACCESS_MANAGE,
        _A.SETTINGS_READ,
    }
)


def permits(principal: Principal, action: Action, tenant: str, flow: str | None = None) -> Verdict:
    """Whether somebody may do something in a tenant, to what belongs to that flow or agent.

    Without a flow the question is whether there is any flow for which it is allowed; who lists things then shows
    only those of `flows_of`.
    """
    for grant in _holding(principal, action, tenant):
        if flow is None or any(fnmatchcase(flow, pattern) for pattern in grant.flows):
            return ALLOW
    where = f" of {flow}" if flow is not None else ""
    return Verdict(Ruling.DENY, f"{principal.name} may not {action}{where} in tenant {tenant}")


def flows_of(principal: Principal, action: Action, tenant: str) -> tuple[str, ...] | None:
    """The patterns of the flows for which somebody may do it; None for all flows, () for none."""
    patterns: list[str] = []
    for grant in _holding(principal, action, tenant):
        if EVERY in grant.flows:
            return None
        patterns += grant.flows
    return tuple(dict.fromkeys(patterns))


def tenants_of(principal: Principal, action: Action) -> tuple[str, ...]:
    """The tenants in which somebody may do it; `*` among them stands for all."""
    found = [grant.tenant for grant in principal.grants if gives(grant, action)]
    return tuple(dict.fromkeys(found))


def _holding(principal: Principal, action: Action, tenant: str) -> Iterator[Grant]:
    for grant in principal.grants:
        if grant.tenant in (EVERY, tenant) and gives(grant, action):
            yield grant


def gives(grant: Grant, action: Action) -> bool:
    """Whether a grant has this in it, wherever it holds."""
    if action not in ALLOWED[grant.role] or (action in UNSCOPED and EVERY not in grant.flows):
        return False
    return grant.actions is None or action in grant.actions
