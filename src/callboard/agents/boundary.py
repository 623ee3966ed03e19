"""The boundary of an agent: what is only a part, or nothing at all, does not go in as if it were whole."""

from collections.abc import Mapping
from typing import Any

from callboard.domain.attempted import Failed, Ok
from callboard.domain.errors import Incomplete
from callboard.domain.partial import Partial, revived

_CUT_SHORT = frozenset({"text", "turns", "tool_calls", "usage"})  # what LimitReached.partial has
_DEEP = 8  # levels of lists and dicts that are looked through for what is marked


def whole(value: Any, place: str, *, partial_ok: bool = False, empty_ok: bool = False) -> Any:
    """The value as the agent is to get it: the value of an Ok, a Partial with what is missing, else as it is.

    Args:
        value: an input, or a value of the context.
        place: how the failure names it.
        partial_ok: take what is marked as a part.
        empty_ok: take empty text, lists and dicts.

    Raises Incomplete, naming the place and the remedy, for None, for what is empty, for a failure, for what an agent
    had when it was stopped, and for a Partial, also within lists and dicts.
    """
    if isinstance(value, Ok):
        value = value.value
    if value is None:
        raise _incomplete(place, "it is None", "pass what there is, or leave it out")
    if not empty_ok and isinstance(value, str | list | tuple | Mapping) and not value:
        raise _incomplete(place, f"it is empty ({value!r})", "say so in words, or leave it out")
    return _checked(value, place, partial_ok, _DEEP)


def _checked(value: Any, place: str, partial_ok: bool, deep: int) -> Any:
    value = revived(value)
    if isinstance(value, Failed):
        raise _incomplete(place, f"it is a failure: {value.failure}", "look at .ok, and decide what to do without it")
    if isinstance(value, Partial):
        if not partial_ok:
            missing = value.missing or "it is marked as a part"
            raise _incomplete(place, f"missing: {missing}", "pass partial_ok=True if a part will do")
        return value.told()
    if isinstance(value, Mapping):
        if not partial_ok and value.keys() == _CUT_SHORT:
            raise _incomplete(
                place,
                "it is what an agent had when it was stopped",
                "mark it as callboard.Partial(value, missing=...) and pass partial_ok=True",
            )
        if deep:
            return {k: _checked(v, f"{place}.{k}", partial_ok, deep - 1) for k, v in value.items()}
    elif isinstance(value, list | tuple) and deep:
        return [_checked(v, f"{place}[{i}]", partial_ok, deep - 1) for i, v in enumerate(value)]
    return value


def _incomplete(place: str, why: str, remedy: str) -> Incomplete:
    return Incomplete(f"{place} is not whole", detail={"place": place}, why=why, remedy=remedy)
