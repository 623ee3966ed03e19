"""What upstreams, routes, budgets, the bell and the workers did in a chaos."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorKind, ErrorRecord
from callboard.models.route import Route
from callboard.resilience.faults import DISPATCH, Fault, FaultKind
from callboard.resilience.gate import Gate
from callboard.testing.chaos_report import Check, Line
from callboard.testing.evidence import Evidence, title
from callboard.testing.traces import Found, error_of, made, name_of

_COUNTED = frozenset(
    {
        ErrorKind.TIMEOUT,
        ErrorKind.UPSTREAM_DOWN,
        ErrorKind.OVERLOADED,
        ErrorKind.MALFORMED_RESULT,
        ErrorKind.MALFORMED_OUTPUT,
    }
)
"""Failures that a breaker counts."""


def upstream_line(
    evidence: Evidence, gate: Gate, checks: list[Check], failure_of: Callable[[Fault], ErrorKind | None]
) -> Line:
    """Its breaker, held against the failures that there were, and its limits."""
    upstream, rules = gate.upstream, gate.upstream.breaker
    name = f"upstream {upstream.name}"
    struck = [fault for fault in evidence.struck if fault.upstream == upstream.name and fault.applied]
    refused = Counter(_detail(e).get("by", "") for e in evidence.errors if _refused_at(e, upstream.name))
    did = Counter({f"refused by its {by}": count for by, count in refused.items() if by})
    said = [] if gate.declared else ["nobody decided about it"]
    unused = []
    if rules is not None:
        said.append(f"breaker after {rules.failures} failures in {rules.window:g} s")
        opened = upstream.name in evidence.opened or bool(refused["breaker"])
        did += Counter({"breaker opened": int(opened)})
        most = _most(sorted(_failing(evidence, upstream.name, failure_of)), rules.window)
        expected = most >= rules.failures
        if not (opened or expected):
            unused.append("its breaker never opened")
        if struck and (opened or expected):
            told = "it opened" if opened else "it stayed closed"
            wanted = f"open after {rules.failures}" if expected else "closed"
            checks.append(Check(name, f"{most} failures in {rules.window:g} s", wanted, told, opened == expected))
    for limit in ("concurrency", "requests", "tokens"):
        if getattr(upstream, limit) is not None:
            said.append(f"limit of {limit}")
            if not refused["limit"]:
                unused.append(f"its limit of {limit} never refused a call")
    wrong = sum(not check.ok and check.policy == name for check in checks)
    kinds = Counter(title(fault) for fault in struck)
    return Line(name, "; ".join(said), dict(kinds), dict(did), wrong, (), tuple(unused) if struck or did else ())


def route_line(evidence: Evidence, route: Route) -> Line:
    """Who was asked after whom had failed."""
    models = [candidate.model for candidate in route.candidates]
    did: Counter[str] = Counter()
    for events in evidence.journals.values():
        asked: dict[str, str] = {}
        for event in events:
            note = event.value().get("note") if event.kind is EventKind.INTENT else None
            if not isinstance(note, dict) or note.get("model") not in models:
                continue
            model, before = note["model"], asked.get(event.path)
            if before in models and before != model:
                did[f"failed over to {model}"] += 1
            asked[event.path] = model
    unused = tuple(f"never failed over to {model}" for model in models if not did[f"failed over to {model}"])
    return Line(f"route {route.name}", ", then ".join(models), {}, dict(did), 0, (), unused if did else ())


def budget_line(evidence: Evidence, budget: str) -> Line:
    """How often there was no room in it."""
    denied = sum(
        _detail(error).get("reason") == "budget" and _detail(error).get("budget") == budget for error in evidence.errors
    )
    return Line(f"budget {budget}", "no call that could break it", {}, {"denied a call": denied} if denied else {})


def dispatch_line(evidence: Evidence, checks: list[Check]) -> Line:
    """Whether hints that came twice, or never, did any harm."""
    struck = [fault for fault in evidence.struck if fault.upstream == DISPATCH]
    wrong = 0
    for run_id, events in evidence.journals.items():
        done = Counter(event.path for event in events if event.kind is EventKind.DONE)
        for path in (path for path, count in done.items() if count > 1):
            wrong += 1
            told = f"{name_of(path)} was executed twice"
            checks.append(Check(DISPATCH, "hints doubled or lost", "each effect once", told, False, run_id, path))
    met = {fault.kind for fault in struck}
    unmet = tuple(str(kind) for kind in (FaultKind.DUPLICATE, FaultKind.CUT) if kind not in met)
    kinds = Counter(title(fault) for fault in struck)
    did = {"each effect once": len(struck)} if struck and not wrong else {}
    return Line(DISPATCH, "a hint that comes twice, or never, changes nothing", dict(kinds), did, wrong, unmet)


def worker_line(evidence: Evidence, found: Mapping[int, Found]) -> Line:
    """What became of the calls in which the process died."""
    killed = [fault for fault in evidence.struck if fault.kind is FaultKind.KILL and fault.applied]
    did = Counter(str(found[fault.number].deed) for fault in killed if fault.number in found)
    struck = {"kill": len(killed)} if killed else {}
    return Line("worker", "the next one takes over", struck, dict(did), 0, () if killed else ("kill",))


def _failing(evidence: Evidence, upstream: str, failure_of: Callable[[Fault], ErrorKind | None]) -> Iterator[float]:
    """When attempts failed in a way that counts: those that were struck, and those that journals tell of beside."""
    struck = set()
    for fault in evidence.struck:
        struck.add((fault.key or "").partition("-")[0])
        if fault.upstream == upstream and fault.applied and failure_of(fault) in _COUNTED:
            yield fault.at
    for run_id, events in evidence.journals.items():
        if run_id in struck:
            continue
        for event in events:
            tool, error = evidence.tools.get(name_of(event.path)), error_of(event)
            if tool is None or tool.upstream != upstream or error is None:
                continue
            if made(error) and error.kind in _COUNTED:
                yield event.at / 1e6


def _most(times: list[float], window: float) -> int:
    """The most of them within any window."""
    return max((sum(at <= each < at + window for each in times) for at in times), default=0)


def _refused_at(error: ErrorRecord, upstream: str) -> bool:
    return not made(error) and _detail(error).get("upstream") == upstream


def _detail(error: ErrorRecord) -> dict[str, object]:
    return error.detail or {}
