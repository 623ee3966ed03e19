"""Holds what happened in a chaos against what is declared: tools and models call by call, the rest as a whole."""

from collections import Counter
from collections.abc import Callable, Container, Mapping

from callboard.agents.handling import ESCALATED
from callboard.domain.errors import ToolFailed
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorKind
from callboard.resilience.faults import DISPATCH, Fault, FaultKind
from callboard.resilience.gate import Gate
from callboard.testing.chaos_report import ChaosReport, Check, Line, RuleLine, RunLine
from callboard.testing.evidence import Evidence, title
from callboard.testing.expectations import (
    Deed,
    Expected,
    ModelPolicy,
    ToolPolicy,
    expected_of_compensation,
    expected_of_model,
    expected_of_tool,
    model_failure,
    tool_failure,
)
from callboard.testing.judging_upstreams import budget_line, dispatch_line, route_line, upstream_line, worker_line
from callboard.testing.traces import Found, trace
from callboard.tools import SideEffect, Tool
from callboard.tools.contract import Empty

ExpectedOf = Callable[[Fault, Found | None], Expected]


def judge(evidence: Evidence) -> ChaosReport:
    """The report on it."""
    found = _traced(evidence)
    checks: list[Check] = []
    around = evidence.around
    lines = [_tool_line(evidence, tool, found, checks) for tool in evidence.tools.values()]
    lines += [_model_line(evidence, name, found, checks) for name in _models(evidence)]
    lines += [
        upstream_line(evidence, gate, checks, lambda fault: _failure(evidence, fault))
        for gate in around.upstreams.all()
    ]
    lines += [route_line(evidence, route) for route in around.routes.values() if len(route.candidates) > 1]
    lines += [budget_line(evidence, budget.title) for budget in around.charging.declared]
    lines += [dispatch_line(evidence, checks), worker_line(evidence, found)]
    return ChaosReport(
        seed=evidence.seed,
        lines=tuple(lines),
        checks=tuple(checks),
        rules=tuple(RuleLine(each.rule.title, each.seen, each.struck) for each in evidence.tallies),
        runs=tuple(
            RunLine(flow, each.run_id, str(each.status), "" if each.error is None else each.error.message)
            for flow, each in evidence.runs
        ),
        kills=len(evidence.deaths),
    )


def _traced(evidence: Evidence) -> dict[int, Found]:
    by_run: dict[str, list[Fault]] = {}
    for fault in evidence.struck:
        if fault.applied and fault.key is not None:
            by_run.setdefault(fault.key.partition("-")[0], []).append(fault)

    def once(name: str) -> bool:
        return name in evidence.tools and evidence.tools[name].effect is SideEffect.ONCE

    found: dict[int, Found] = {}
    for run_id, faults in by_run.items():
        ends = {fault.number: evidence.end(fault, run_id) for fault in faults}
        found.update(trace(run_id, evidence.journals.get(run_id, ()), faults, once, ends))
    return found


def _tool_line(evidence: Evidence, tool: Tool, found: Mapping[int, Found], checks: list[Check]) -> Line:
    gate = evidence.around.upstreams.gate(tool.upstream)
    policy = _policy(tool, gate)
    struck = [f for f in evidence.struck if f.applied and f.target == tool.name and f.upstream == tool.upstream]

    def expected(fault: Fault, seen: Found | None) -> Expected:
        if seen is not None and seen.name == f"undo {tool.name}":
            return expected_of_compensation(policy, _suffered(fault, seen))
        return expected_of_tool(policy, _suffered(fault, seen), 1 if seen is None else seen.attempt)

    handling = evidence.policies.get(tool.name)
    if handling is None and gate.upstream.otherwise == "escalate":
        handling = ESCALATED

    def neglected(seen: Found) -> str:
        """What was declared to be done about a failure for good, and was not even begun."""
        if handling is None or seen.error is None or seen.deed is not Deed.FAILED or seen.handling:
            return ""
        return handling.of(ToolFailed("", kind=ErrorKind(seen.error.kind))).name

    did = _judged(
        f"tool {tool.name}", struck, found, expected, checks, dead=evidence.dead, lax=policy.hedged, neglected=neglected
    )
    unused = []
    if struck and policy.fallback and not did[Deed.FELL_BACK]:
        unused.append("its fallback was never used")
    if struck and policy.reconcile and not (did[Deed.FOUND_OUT] or did[Deed.MADE]):
        unused.append("its reconcile was never asked")
    if struck and handling is not None and not any(name.startswith("then ") for name in did):
        unused.append("its on_failure was never needed")
    met = {fault.kind for fault in struck}
    once = tool.effect is SideEffect.ONCE
    unmet = [str(k) for k in FaultKind if k not in met and not (once and k is FaultKind.DUPLICATE)]
    return _line(f"tool {tool.name}", _says(policy, tool), struck, did, unmet, unused, checks)


def _policy(tool: Tool, gate: Gate) -> ToolPolicy:
    once = tool.effect is SideEffect.ONCE
    retry = gate.upstream.retry if once or (gate.declared and not tool.own_retry) else tool.retry
    return ToolPolicy(
        effect=tool.effect,
        attempts=retry.attempts,
        fallback=tool.fallback is not None,
        reconcile=tool.reconcile is not None,
        typed=_notices(tool),
        refuses_empty=tool.empty is Empty.REFUSE,
        hedged=gate.upstream.hedge is not None and tool.effect is SideEffect.READ,
    )


def _notices(tool: Tool) -> bool:
    """Whether a result of a form that nobody asked for is noticed."""
    try:
        tool.result_type.storable(tool.name, {"unexpected": {"fault": 0}}, tool.max_result)
    except ToolFailed:
        return True
    return False


def _says(policy: ToolPolicy, tool: Tool) -> str:
    if policy.effect is SideEffect.ONCE:
        said = "once; in doubt " + ("it reconciles" if policy.reconcile else "it asks a person")
    else:
        said = f"{policy.effect}, {policy.attempts} calls at most"
    said += f", at {tool.upstream}"
    said += ", then its fallback" if policy.fallback else ""
    return said + ("" if policy.typed else "; takes a result of any form")


def _models(evidence: Evidence) -> list[str]:
    """Those that routes name, and those that were asked."""
    names = dict.fromkeys(each.model for route in evidence.around.routes.values() for each in route.candidates)
    for events in evidence.journals.values():
        for event in events:
            note = event.value().get("note") if event.kind is EventKind.INTENT else None
            if isinstance(note, dict) and "model" in note:
                names[note["model"]] = None
    return list(names)


def _model_line(evidence: Evidence, name: str, found: Mapping[int, Found], checks: list[Check]) -> Line:
    struck = [f for f in evidence.struck if f.applied and f.target == name and f.target not in evidence.tools]
    upstream = next((f.upstream for f in struck), "")
    attempts = evidence.around.upstreams.gate(upstream).upstream.retry.attempts if upstream else 0
    routes = [r for r in evidence.around.routes.values() if any(c.model == name for c in r.candidates)]
    policy = ModelPolicy(attempts, max((len(route.candidates) for route in routes), default=1))
    did = _judged(
        f"model {name}",
        struck,
        found,
        lambda fault, seen: expected_of_model(policy, _suffered(fault, seen), 1 if seen is None else seen.attempt),
        checks,
        dead=evidence.dead,
    )
    said = [f"{attempts} calls at most"] if attempts else []
    said += [f"in route {route.name}" for route in routes]
    met = {fault.kind for fault in struck}
    unmet = [str(kind) for kind in FaultKind if kind not in met and kind is not FaultKind.DUPLICATE]
    return _line(f"model {name}", ", ".join(said), struck, did, unmet, [], checks)


def _judged(
    policy: str,
    struck: list[Fault],
    found: Mapping[int, Found],
    expected_of: ExpectedOf,
    checks: list[Check],
    *,
    dead: Container[str] = (),
    lax: bool = False,
    neglected: Callable[[Found], str] = lambda seen: "",
) -> Counter[str]:
    """Holds each strike against the policy; what was done, counted. `lax`: of two calls only one is journaled."""
    did: Counter[str] = Counter()
    for fault in struck:
        seen = found.get(fault.number)
        deed = Deed.NOTHING if seen is None else seen.deed
        if (
            deed is Deed.NOTHING
            and _suffered(fault, seen) is FaultKind.KILL
            and (fault.key or "").partition("-")[0] in dead
        ):
            deed = Deed.DEAD
        error = None if seen is None else seen.error
        expected = expected_of(fault, seen)
        ok = deed in expected.deeds and (expected.kind is None or error is None or error.kind == expected.kind)
        ok = ok or deed in (Deed.CANCELLED, Deed.DEAD) or (lax and deed is Deed.NOTHING)
        told, wanted = f"{deed} ({error.kind})" if error is not None else str(deed), str(expected)
        did[str(deed)] += 1
        if seen is not None and seen.handling:
            did[f"then {seen.handling}"] += 1
        if seen is not None and (missing := neglected(seen)):
            ok, wanted = False, f"{wanted}, then {missing}"
        run_id, path = ("", "") if seen is None else (seen.run_id, seen.path)
        checks.append(Check(policy, title(fault), wanted, told, ok, run_id, path))
    return did


def _suffered(fault: Fault, seen: Found | None) -> FaultKind:
    """What a struck call met in the end: its worker may have died of another one's fault before anything came of it."""
    return FaultKind.KILL if seen is not None and seen.died else fault.kind


def _failure(evidence: Evidence, fault: Fault) -> ErrorKind | None:
    """The kind of failure that a strike is."""
    tool = evidence.tools.get(fault.target)
    if tool is None:
        return model_failure(fault.kind)
    return tool_failure(_policy(tool, evidence.around.upstreams.gate(tool.upstream)), fault.kind)


def _line(
    policy: str,
    says: str,
    struck: list[Fault],
    did: Mapping[str, int],
    unmet: list[str],
    unused: list[str],
    checks: list[Check],
) -> Line:
    kinds = Counter(title(fault) for fault in struck if fault.upstream != DISPATCH)
    wrong = sum(not check.ok and check.policy == policy for check in checks)
    return Line(policy, says, dict(kinds), dict(did), wrong, tuple(unmet), tuple(unused))
