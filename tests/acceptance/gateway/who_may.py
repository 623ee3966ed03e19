"""What each route of the HTTP doors takes: the one table that the application and docs/security.md are held against."""

from dataclasses import dataclass

from callboard.policy.access import Action as A


@dataclass(frozen=True)
class Need:
    """What a route takes.

    Attributes:
        actions: all of these.
        every: in every tenant, since what it touches belongs to all.
        whole: for all flows, since what it shows cannot be shown in parts.
        bound: the object belongs to a flow, for which they are needed.
        open: nothing at all, not even a key.
    """

    actions: tuple[A, ...] = ()
    every: bool = False
    whole: bool = False
    bound: bool = False
    open: bool = False

    def __str__(self) -> str:
        if self.open:
            return "nothing"
        if not self.actions:
            return "a key, a token or a log-in"
        said = ", ".join(f"`{action}`" for action in self.actions)
        return said + (", in every tenant" if self.every else "") + (", for all flows" if self.whole else "")


def _of(*actions: A) -> Need:
    return Need(actions, bound=True)


OPEN = Need(open=True)
KNOWN = Need()

TABLE: dict[str, Need] = {
    # Runs
    "POST /v1/runs": _of(A.RUNS_START),
    "POST /v1/runs/batch": KNOWN,  # each start is answered for itself
    "GET /v1/runs": Need((A.RUNS_READ,)),
    "GET /v1/runs/totals": Need((A.RUNS_READ,)),
    "GET /v1/runs/{run_id}": _of(A.RUNS_READ),
    "GET /v1/runs/{run_id}/events": _of(A.RUNS_READ),
    "GET /v1/runs/{run_id}/children": _of(A.RUNS_READ),
    "GET /v1/runs/{run_id}/deliveries": _of(A.RUNS_READ),
    "GET /v1/runs/{run_id}/result": _of(A.RUNS_READ),
    "GET /v1/runs/{run_id}/stream": _of(A.RUNS_READ),
    "POST /v1/runs/{run_id}/cancel": _of(A.RUNS_READ, A.RUNS_CONTROL),
    "POST /v1/runs/{run_id}/signal": _of(A.RUNS_READ, A.RUNS_CONTROL),
    "POST /v1/runs/{run_id}/requeue": _of(A.RUNS_READ, A.RUNS_REPAIR),
    "POST /v1/runs/{run_id}/fork": _of(A.RUNS_READ, A.RUNS_REPAIR),
    # Sessions
    "POST /v1/sessions": _of(A.RUNS_START),
    "GET /v1/sessions": Need((A.RUNS_READ,)),
    "GET /v1/sessions/{session_id}": _of(A.RUNS_READ),
    "GET /v1/sessions/{session_id}/turns": _of(A.RUNS_READ),
    "GET /v1/sessions/{session_id}/stream": _of(A.RUNS_READ),
    "POST /v1/sessions/{session_id}/messages": _of(A.RUNS_READ, A.RUNS_START),
    # Approvals
    "GET /v1/approvals": Need((A.APPROVALS_READ,)),
    "GET /v1/approvals/{approval_id}": _of(A.APPROVALS_READ),
    "POST /v1/approvals/{approval_id}/decide": _of(A.APPROVALS_READ, A.APPROVALS_DECIDE),
    # Flows, costs, budgets
    "GET /v1/flows": Need((A.AGENTS_READ,)),
    "GET /v1/flows/{name}": _of(A.AGENTS_READ),
    "GET /v1/costs": Need((A.COSTS_READ,)),
    "GET /v1/budgets": Need((A.COSTS_READ,), whole=True),
    "PUT /v1/budgets/{scope}/{name}": Need((A.BUDGETS_WRITE,)),
    "DELETE /v1/budgets/{scope}/{name}": Need((A.BUDGETS_WRITE,)),
    # The fleet
    "GET /v1/fleet/workers": Need((A.FLEET_READ,)),
    "GET /v1/fleet/queue": Need((A.FLEET_READ,), whole=True),
    "GET /v1/fleet/controls": Need((A.FLEET_READ,)),
    "PUT /v1/fleet/controls/{scope}/{name}": Need((A.FLEET_CONTROL,), every=True),
    "GET /v1/fleet/upstreams": Need((A.FLEET_READ,)),
    "POST /v1/fleet/upstreams/{name}/reset": Need((A.FLEET_CONTROL,), every=True),
    "GET /v1/schedules": Need((A.FLEET_READ,)),
    "GET /v1/schedules/{name}": _of(A.FLEET_READ),
    "PUT /v1/schedules/{name}": _of(A.FLEET_CONTROL, A.RUNS_START),
    "DELETE /v1/schedules/{name}": _of(A.FLEET_READ, A.FLEET_CONTROL),
    "POST /v1/schedules/{name}/pause": _of(A.FLEET_READ, A.FLEET_CONTROL),
    "POST /v1/schedules/{name}/resume": _of(A.FLEET_READ, A.FLEET_CONTROL, A.RUNS_START),
    "POST /v1/schedules/{name}/trigger": _of(A.FLEET_READ, A.FLEET_CONTROL, A.RUNS_START),
    # Access, audit, settings
    "GET /v1/keys": Need((A.ACCESS_MANAGE,)),
    "POST /v1/keys": Need((A.ACCESS_MANAGE,)),
    "POST /v1/keys/{key_id}/rotate": Need((A.ACCESS_MANAGE,)),
    "DELETE /v1/keys/{key_id}": Need((A.ACCESS_MANAGE,)),
    "GET /v1/people": Need((A.ACCESS_MANAGE,)),
    "POST /v1/people": Need((A.ACCESS_MANAGE,)),
    "PUT /v1/people/{login}/grants": Need((A.ACCESS_MANAGE,)),
    "PUT /v1/people/{login}/password": Need((A.ACCESS_MANAGE,)),
    "POST /v1/people/{login}/disable": Need((A.ACCESS_MANAGE,)),
    "POST /v1/people/{login}/enable": Need((A.ACCESS_MANAGE,)),
    "GET /v1/webhooks/secret": Need((A.ACCESS_MANAGE,)),
    "POST /v1/webhooks/secret/rotate": Need((A.ACCESS_MANAGE,)),
    "GET /v1/whoami": KNOWN,
    "GET /v1/audit": Need((A.AUDIT_READ,)),
    "GET /v1/audit/verify": Need((A.AUDIT_READ,)),
    "GET /v1/settings": Need((A.SETTINGS_READ,), every=True),
    "GET /openapi.json": KNOWN,
    # As OpenAI's API
    "GET /v1/models": Need((A.RUNS_START,)),
    "GET /v1/models/{model}": _of(A.RUNS_START),
    "POST /v1/chat/completions": _of(A.RUNS_START, A.RUNS_READ),
    "POST /v1/responses": _of(A.RUNS_START, A.RUNS_READ),
    "GET /v1/responses/{response_id}": _of(A.RUNS_READ),
    "POST /v1/responses/{response_id}/cancel": _of(A.RUNS_READ, A.RUNS_CONTROL),
    "POST /v1/conversations": _of(A.RUNS_START),
    "GET /v1/conversations/{conversation_id}": _of(A.RUNS_READ),
    # Probes
    "GET /livez": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": Need((A.FLEET_READ,), every=True),
    # The console
    "GET /": OPEN,  # leads to the console
    "GET /console/static/{path:path}": OPEN,
    "GET /console/login": OPEN,
    "POST /console/login": OPEN,
    "GET /console/login/oidc": OPEN,
    "GET /console/login/callback": OPEN,
    "GET /console/enter": OPEN,
    "POST /console/logout": KNOWN,
    "POST /console/tenant": KNOWN,
    "GET /console": KNOWN,  # shows what may be seen
    "GET /console/": OPEN,  # leads to the page without the slash
    "GET /console/runs": Need((A.RUNS_READ,)),
    "GET /console/runs/{run_id}": _of(A.RUNS_READ),
    "GET /console/runs/{run_id}/effects": _of(A.RUNS_READ),
    "GET /console/runs/{run_id}/effects/{seq}": _of(A.RUNS_READ),
    "GET /console/runs/{run_id}/effects/{seq}/seen": _of(A.RUNS_READ),
    "GET /console/runs/{run_id}/events": _of(A.RUNS_READ),
    "GET /console/runs/{run_id}/events/{seq}": _of(A.RUNS_READ),
    "POST /console/runs/{run_id}/cancel": _of(A.RUNS_READ, A.RUNS_CONTROL),
    "POST /console/runs/{run_id}/signal": _of(A.RUNS_READ, A.RUNS_CONTROL),
    "POST /console/runs/{run_id}/requeue": _of(A.RUNS_READ, A.RUNS_REPAIR),
    "POST /console/runs/{run_id}/fork": _of(A.RUNS_READ, A.RUNS_REPAIR),
    "GET /console/approvals": Need((A.APPROVALS_READ,)),
    "GET /console/approvals/{approval_id}": _of(A.APPROVALS_READ),
    "POST /console/approvals/{approval_id}/difference": _of(A.APPROVALS_READ),
    "POST /console/approvals/{approval_id}/decide": _of(A.APPROVALS_READ, A.APPROVALS_DECIDE),
    "GET /console/costs": Need((A.COSTS_READ,)),
    "GET /console/health": Need((A.FLEET_READ,)),
    "POST /console/health/control": Need((A.FLEET_CONTROL,), every=True),
    "POST /console/health/reset": Need((A.FLEET_CONTROL,), every=True),
    "POST /console/health/requeue": _of(A.RUNS_READ, A.RUNS_REPAIR),
    "POST /console/health/schedule": _of(A.FLEET_READ, A.FLEET_CONTROL),
    "GET /console/catalog": Need((A.AGENTS_READ,)),
    "GET /console/catalog/{name:path}": _of(A.AGENTS_READ),
    "POST /console/catalog/{name:path}/start": _of(A.AGENTS_READ, A.RUNS_START),
    "GET /console/audit": Need((A.AUDIT_READ,)),
    "POST /console/audit/verify": Need((A.AUDIT_READ,)),
    "GET /console/access": Need((A.ACCESS_MANAGE,)),
    "POST /console/access/keys": Need((A.ACCESS_MANAGE,)),
    "POST /console/access/keys/{key_id}/rotate": Need((A.ACCESS_MANAGE,)),
    "POST /console/access/keys/{key_id}/revoke": Need((A.ACCESS_MANAGE,)),
    "POST /console/access/people": Need((A.ACCESS_MANAGE,)),
    "POST /console/access/people/{what}": Need((A.ACCESS_MANAGE,)),
    "GET /console/settings": Need((A.SETTINGS_READ,), every=True),
}


def rows() -> dict[str, list[str]]:
    """The table as the documentation has it: what is taken, and the routes that take it."""
    found: dict[str, list[str]] = {}
    for route, need in TABLE.items():
        found.setdefault(str(need), []).append(route.replace(":path}", "}"))
    return found
