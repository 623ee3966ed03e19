"""A tool's call that goes wrong as ordered, by the same exceptions and values as an author's function would give."""

import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any

from callboard.resilience.faults import Fault, FaultKind
from callboard.tools.contract import SideEffect, UpstreamBusy, UpstreamDown
from callboard.tools.tool import Tool

PAGE = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
"""What a proxy answers in an upstream's place."""

_ANSWERED = frozenset({FaultKind.CUT, FaultKind.MALFORMED, FaultKind.SCHEMA, FaultKind.EMPTY, FaultKind.SLOW})


def struck(tool: Tool, fault: Fault | None, key: str | None) -> Tool:
    """The tool, going wrong as ordered in the one call that is made of it or its compensation; itself when nothing is
    ordered.

    The fault happens in place of the author's function or after it, within its time limit and before its exceptions
    and its result are judged. A `once` tool is never called twice, also by a duplicate that was ordered. `key` is
    that of the call.
    """
    if fault is None or (fault.kind is FaultKind.DUPLICATE and tool.effect is SideEffect.ONCE):
        return tool
    fault.hits(tool.name, key)

    def around(call: Callable[[], Awaitable[Any]]) -> Awaitable[Any]:
        return _strike(fault, call)

    undo = tool.compensate
    if undo is not None:
        undo = dataclasses.replace(undo, routine=undo.routine.within(around))
    return dataclasses.replace(tool, routine=tool.routine.within(around), compensate=undo)


async def _strike(fault: Fault, call: Callable[[], Awaitable[Any]]) -> Any:
    """Raises what a client library in the function would: UpstreamBusy, UpstreamDown, OSErrors, JSONDecodeError."""
    answer: Any = None
    if fault.kind in _ANSWERED or (fault.after and fault.kind is not FaultKind.DUPLICATE):
        if fault.kind is FaultKind.SLOW:
            await fault.lag()
        answer = await call()
    said = f"(fault {fault.number})"
    match fault.kind:
        case FaultKind.TIMEOUT:
            await fault.hang()
        case FaultKind.RATE_LIMITED:
            raise UpstreamBusy(f"429 Too Many Requests {said}", fault.retry_after)
        case FaultKind.ERROR:
            raise UpstreamDown(f"500 Internal Server Error {said}")
        case FaultKind.UNAVAILABLE:
            raise UpstreamDown(f"503 Service Unavailable {said}", fault.retry_after)
        case FaultKind.REFUSED:
            raise ConnectionRefusedError(f"connection refused {said}")
        case FaultKind.CUT:
            raise ConnectionResetError(f"connection reset by peer {said}")
        case FaultKind.MALFORMED:
            return json.loads(PAGE)
        case FaultKind.SCHEMA:
            return {"unexpected": {"fault": fault.number}}
        case FaultKind.EMPTY:
            return _empty(answer)
        case FaultKind.DUPLICATE:
            await call()
            return await call()
        case FaultKind.KILL:
            await fault.kill()
        case FaultKind.SLOW:
            return answer


def _empty(answer: Any) -> Any:
    """As much nothing as the type of an answer allows."""
    return type(answer)() if isinstance(answer, str | list | dict | tuple) else None
