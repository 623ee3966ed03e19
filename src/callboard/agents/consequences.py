"""What happens when an upstream fails, in words, by what is declared: for those who list upstreams, not for runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from callboard.agents.handling import Handling
from callboard.domain.retry import Retry
from callboard.resilience.upstream import Otherwise, Upstream
from callboard.tools import SideEffect, Tool


def of_tool(tool: Tool, policy: Upstream, tries: Retry, on_failure: Mapping[str, Handling] | None) -> str:
    """What happens when a tool's call fails, from the first failure to the last resort.

    Args:
        tool: the tool.
        policy: its upstream's.
        tries: how its calls are repeated; of a `once` tool those that were surely not made.
        on_failure: handlings by kind, as the tool declares them.
    """
    parts = [_tries(tool, tries)]
    if tool.fallback is not None:
        parts.append(f"then its fallback {_named(tool.fallback.fn)}")
    if on_failure:
        parts.append(_by_kind(on_failure))
    elif policy.otherwise is Otherwise.ESCALATE:
        parts.append("then a person is asked")
    elif tool.fallback is None:
        parts.append("then it fails: a flow gets ToolFailed, an agent is told")
    return ", ".join(parts)


def of_model(model: str, tries: Retry, others: Sequence[str]) -> str:
    """What happens when a model fails.

    Args:
        model: what it is called.
        tries: how its calls are repeated.
        others: the other candidates of its route, in order.
    """
    count = _times(tries.attempts)
    if not others:
        return f"{count}, then the agent fails with ModelFailed"
    return f"next candidate {', '.join(others)}; each has {count}, then the agent fails with ModelFailed"


def undecided_tool(tool: Tool, policy: Upstream, on_failure: Mapping[str, Handling] | None) -> str:
    """What is left open about a tool whose upstream has failed for good; empty if nothing is."""
    if tool.fallback is not None or (on_failure and "*" in on_failure):
        return ""
    match policy.otherwise:
        case Otherwise.UNDECIDED:
            return f"tool {tool.name}: give it fallback= or on_failure=, or say otherwise="
        case Otherwise.FALLBACK:
            return f'tool {tool.name} has no fallback for otherwise="fallback": give it one'
        case _:
            return ""


def undecided_model(model: str, policy: Upstream, others: Sequence[str]) -> str:
    """What is left open about a model whose upstream has failed for good; empty if nothing is."""
    match policy.otherwise:
        case Otherwise.UNDECIDED if not others:
            return f"model {model}: name another candidate in a route, or say otherwise="
        case Otherwise.FALLBACK if not others:
            return f'model {model} has nobody else to ask for otherwise="fallback": name another candidate in a route'
        case Otherwise.ESCALATE:
            return f'model {model}: no person can answer in its place: say otherwise="fail"'
        case _:
            return ""


def _tries(tool: Tool, tries: Retry) -> str:
    match tool.effect:
        case SideEffect.READ:
            return _times(tries.attempts)
        case SideEffect.IDEMPOTENT:
            return f"{_times(tries.attempts)} with one key"
        case SideEffect.ONCE:
            doubt = "its reconcile is asked, then a person" if tool.reconcile is not None else "a person is asked"
            return f"in doubt {doubt}; {_times(tries.attempts)} only if it surely did not happen"


def _by_kind(on_failure: Mapping[str, Handling]) -> str:
    kinds = [kind for kind in on_failure if kind != "*"]
    if not kinds:
        return f"then {_chain(on_failure['*'])}"
    told = [f"for {kind} {_chain(on_failure[kind])}" for kind in kinds]
    if "*" in on_failure:
        told.append(f"for all else {_chain(on_failure['*'])}")
    return "then " + "; ".join(told)


def _chain(handling: Handling) -> str:
    said = _handling(handling)
    return said if handling.then is None else f"{said}, then {_chain(handling.then)}"


def _handling(handling: Handling) -> str:
    match handling.name:
        case "retry":
            times = handling.retry.attempts - 1
            return f"the whole call again, {'once' if times == 1 else f'{times} times'}"
        case "use":
            return f"{_named(handling.fallback)} in its place"
        case "escalate":
            return "a person is asked"
        case "compensate":
            return "the saga around it undoes what was done"
        case "fail":
            return "it fails"


def _named(fallback: Any) -> str:
    return str(getattr(fallback, "name", None) or getattr(fallback, "__name__", type(fallback).__name__))


def _times(attempts: int) -> str:
    return "1 try" if attempts == 1 else f"{attempts} tries"
