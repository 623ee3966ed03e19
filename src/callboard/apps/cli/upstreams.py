"""The verbs about what an app depends on: list, and close a breaker by hand."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from callboard.apps.cli import options
from callboard.apps.cli.desk import ask, at

if TYPE_CHECKING:
    from callboard.runtime import Dependency, Runtime


class Listing(TyperGroup):
    """A group whose verb `list` may be left out: `callboard upstreams shop:app`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts the verb in where an app stands in its place."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["list", *args]
        return super().parse_args(ctx, args)


App = Annotated[str, typer.Argument(metavar="MODULE[:APP]", help="Where the app is.")]


def list_upstreams(app: App, store: options.Store = None, as_json: options.AsJson = False) -> None:
    """List what an app depends on: policy, state, who uses it, and what happens when it fails."""
    from callboard.apps.cli import load, show

    async def work(rt: "Runtime") -> "list[Dependency]":
        return await rt.upstreams.all()

    found = ask(store, None, work, operator=True, app=load.app(app), without=True)
    if as_json:
        show.objects(found)
        return
    show.table(("upstream", "state", "limits", "used by", "when it fails"), _rows(found))
    if undecided := [each for each in found if each.open]:
        print(f"\nwithout a decision: {', '.join(each.name for each in undecided)}")
        for each in undecided:
            print(f"  {each.name}: {each.open}")


def reset_upstream(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The upstream's name.")],
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Close an upstream's breaker by hand: it is called again at once."""
    from callboard.apps.cli import show

    async def work(rt: "Runtime") -> dict[str, Any]:
        return await at(rt).fleet.reset(name)

    before = ask(store, None, work, operator=True)
    if as_json:
        show.objects([before])
    else:
        show.pairs(
            {"upstream": name, "is called again after": f"{before['since']:.0f}s", "it failed by": before["why"]}
        )


def standing(found: "Dependency") -> str:
    """An upstream's state on one line."""
    state = found.state
    match state["phase"]:
        case "open":
            said = f"left alone for {state['half_open_in']:.0f}s more: {state['why']}"
        case "half_open":
            said = f"one call may see whether it works again: {state['why']}"
        case "closed" if state["recent"]:
            said = f"called, {state['recent']} failures of late"
        case "closed":
            said = "called"
        case _:
            said = state["why"] or "called, never left alone"
    return said if found.declared else f"{said} (by the default policy)"


def _rows(found: "list[Dependency]") -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for each in found:
        begin = (each.name + ("" if not each.open else " (!)"), standing(each), _limits(each.policy))
        users = [(_user(user), user.fails) for user in each.users] or [("nobody", "")]
        rows += [(*(begin if n == 0 else ("", "", "")), *user) for n, user in enumerate(users)]
    return rows


def _user(user: Any) -> str:
    return f"{user.effect} tool {user.name}" if user.what == "tool" else f"{user.name} for {user.by}"


def _limits(policy: dict[str, Any]) -> str:
    parts = [f"answer in {policy['total']:g}s, first piece in {policy['first']:g}s"]
    for what in ("requests", "tokens"):
        if (rate := policy[what]) is not None:
            parts.append(f"{rate['limit']:g} {what} in {rate['period']:g}s")
    if policy["concurrency"] is not None:
        parts.append(f"{policy['concurrency']} at once")
    if (rules := policy["breaker"]) is not None:
        parts.append(
            f"left alone for {rules['open_for']:g}s after {rules['failures']} failures in {rules['window']:g}s"
        )
    if policy["hedge"] is not None:
        parts.append(f"a read is made twice after {policy['hedge']:g}s")
    parts.append(f"retries are {policy['retry_share']:.0%} of calls at most")
    return ", ".join(parts)
