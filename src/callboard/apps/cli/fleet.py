"""The verbs that look at all runs and workers together: workers, queue."""

from typing import TYPE_CHECKING, Any

from callboard.apps.cli import options
from callboard.apps.cli.desk import ask

if TYPE_CHECKING:
    from callboard.runtime import Runtime

_TENANTS = 20  # those with the longest queues


def workers(store: options.Store = None, as_json: options.AsJson = False) -> None:
    """List workers: those that live, and those that died and were not yet taken over from."""
    from callboard.apps.cli import show

    async def work(rt: "Runtime") -> list[dict[str, Any]]:
        lease = rt.settings.engine.lease
        return [
            {
                "id": each.id,
                "state": "gone" if not each.alive else "stalled" if each.beat_age > lease else "alive",
                "running": each.running,
                "beat_age": each.beat_age,
                "started_at": each.started_at,
                "pid": each.pid,
                "host": each.host,
            }
            for each in await rt.store.claims.workers()
        ]

    found = ask(store, None, work, operator=True)
    if as_json:
        show.objects(found)
        return
    show.table(
        ("id", "state", "running", "last beat", "started", "process"),
        [
            (w["id"], w["state"], w["running"], f"{w['beat_age']:.1f}s ago", show.when(w["started_at"]),
             f"{w['pid']} on {w['host']}")
            for w in found
        ],
    )  # fmt: skip


def queue(store: options.Store = None, as_json: options.AsJson = False) -> None:
    """Show how much is waiting to be executed, over all tenants, and for how long."""
    from callboard.apps.cli import show

    async def work(rt: "Runtime") -> dict[str, Any]:
        found = await rt.store.claims.backlog()
        longest = sorted(found.tenants.items(), key=lambda each: (-each[1], each[0]))
        return {
            "ready": found.ready,
            "running": found.running,
            "waiting": found.waiting,
            "oldest_age": None if found.oldest is None else max(0.0, rt.services.clock.now() - found.oldest),
            "tenants": dict(longest[:_TENANTS]),
        }

    found = ask(store, None, work, operator=True)
    if as_json:
        show.objects([found])
        return
    age, tenants = found.pop("oldest_age"), found.pop("tenants")
    shown = found | {"oldest": "" if age is None else f"ready for {age:.1f}s"}
    show.pairs(shown | {f"tenant {name}": f"{count} ready" for name, count in tenants.items()})
