"""Every page of the console, and what must be there so that each has something to show."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from callboard.apps.console.pages import router
from callboard.runtime import Runtime
from tests.browser.calls import CLAIM, add_person, api, make_key, question, start, until
from tests.browser.lines import CLOSED, MARK
from tests.browser.served import Served

# Of each route that is read the addresses at which it is looked at; what stands in braces is filled in by `things`.
PAGES: dict[str, tuple[str, ...]] = {
    "/console": ("/console",),
    "/console/login": ("/console/login",),
    "/console/login/oidc": ("/console/login/oidc",),  # 404 where there is no provider: see test_provider.py
    "/console/login/callback": ("/console/login/callback?code=x&state=y",),
    "/console/enter": ("/console/enter?token=used",),
    "/console/runs": ("/console/runs?span=all", "/console/runs?status=failed&kind=upstream_down&label=team%3Dred"),
    "/console/runs/{run_id}": (
        "/console/runs/{failed}",
        "/console/runs/{failed}?effect=1",
        "/console/runs/{waiting}",
        "/console/runs/{hostile}?effect={hostile_model}",
        "/console/runs/{asking}",
        "/console/runs/00000000000000000000000000",  # there is none: 404
    ),
    "/console/runs/{run_id}/effects": ("/console/runs/{failed}/effects?path=0:book_pickup",),
    "/console/runs/{run_id}/effects/{seq}": ("/console/runs/{failed}/effects/1",),
    "/console/runs/{run_id}/effects/{seq}/seen": ("/console/runs/{hostile}/effects/{hostile_model}/seen",),
    "/console/runs/{run_id}/events": ("/console/runs/{hostile}/events",),
    "/console/runs/{run_id}/events/{seq}": ("/console/runs/{hostile}/events/{hostile_model}",),
    "/console/approvals": ("/console/approvals?status=all",),
    "/console/approvals/{approval_id}": ("/console/approvals/{question}", "/console/approvals/{decided}"),
    "/console/costs": ("/console/costs", "/console/costs?by=model"),
    "/console/health": ("/console/health",),
    "/console/catalog": ("/console/catalog",),
    "/console/catalog/{name:path}": ("/console/catalog/clerk", "/console/catalog/refund_with_approval"),
    "/console/audit": ("/console/audit",),
    "/console/access": ("/console/access",),
    "/console/settings": ("/console/settings",),
}
ELSE = {"/console/", "/console/static/{path:path}"}  # leads to /console; not a page


def routes() -> set[str]:
    """The paths of all routes of the console that are read."""
    return set(_of(router(cast(Runtime, None)).routes))


def things(served: Served) -> dict[str, str]:
    """Makes runs in every state, questions, keys and people, and returns what the addresses of PAGES need."""
    sign = served.folder / CLOSED
    sign.touch()
    made = {"failed": start(served, "send_parcel", {"address": "45 Cedar Lane, Denver"}, team="red")}
    until(served, made["failed"], "failed")
    sign.unlink()
    made["waiting"] = start(served, "send_parcel", {"address": "8 Mill Street, Boston"})
    storefront = make_key(served, f"storefront {MARK}")
    made["asking"] = start(served, "refund_with_approval", CLAIM)
    for each in ("hostile", "open"):
        made[each] = start(served, "moderate", MARK, key=storefront, review=MARK)
        made[f"{each}_question"] = question(served, made[each])
    made["question"], made["decided"] = made["open_question"], made["hostile_question"]
    with api(served) as client:
        said = {"status": "approved", "note": MARK}
        assert client.post(f"/v1/approvals/{made['decided']}/decide", json=said).is_success
        until(served, made["hostile"], "failed")
        events = client.get(f"/v1/runs/{made['hostile']}/events").json()["items"]
        made["hostile_model"] = str(next(each["seq"] for each in events if str(each["path"]).endswith(":model")))
        for _ in range(2):  # after which the bank is left alone
            until(served, start(served, "settle", MARK), "failed")
        until(served, made["waiting"], "waiting")
        question(served, made["asking"])
    add_person(served, "ann", "Ann", "correct horse battery", "approver")
    add_person(served, "mallory", f"Mallory {MARK}", "correct horse battery", "viewer")
    return made


def _of(found: Sequence[Any]) -> Iterator[str]:
    for route in found:
        if hasattr(route, "original_router"):  # what was included
            yield from _of(route.original_router.routes)
        elif "GET" in (getattr(route, "methods", None) or ()):
            yield route.path
