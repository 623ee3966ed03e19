"""What undoes a call: a function that takes the tool's arguments by name, and is told what came of the call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from callboard.domain.errors import InputInvalid
from callboard.tools.routine import Routine
from callboard.tools.signature import MISSING, Signature, inspected, refuse_unusable, takes_key

_RESULT, _ORIGINAL_KEY = "result", "original_key"


@dataclass(frozen=True, slots=True)
class Compensation:
    """A function that undoes a call of its tool, and which of the things that it may be told it takes."""

    routine: Routine
    arguments: frozenset[str]
    result: bool
    original_key: bool

    @classmethod
    def of(cls, fn: Callable[..., Any], tool: Signature) -> "Compensation":
        """Read what a compensation takes: any of the tool's parameters, by name; `result`, what the call returned, None
        when nobody knows whether it happened; `original_key`, the key of that call; and a parameter annotated
        `IdempotencyKey`, which receives the compensation's own.

        Raises InputInvalid for a function that asks for anything else.
        """
        name = getattr(fn, "__name__", type(fn).__name__)
        parameters = list(inspected(fn, name).parameters.values())
        keys = [each for each in parameters if takes_key(each) and each.name != _ORIGINAL_KEY]
        if len(keys) > 1:
            raise InputInvalid(f"{name} takes more than one IdempotencyKey", remedy="keep one; each call has one key")
        ours = {each.name for each in tool.parameters}
        told = {_RESULT, _ORIGINAL_KEY} - ours  # an argument of the tool hides what has the same name
        for each in parameters:
            refuse_unusable(each, name, annotated=False)
            if each in keys or each.name in ours | told or each.default is not MISSING:
                continue
            raise InputInvalid(
                f"{name} cannot undo {tool.function}: it takes {each.name}",
                why=f"{tool.function} has no such argument; it has {', '.join(sorted(ours)) or 'none'}",
                remedy="take the tool's arguments by name, `result`, `original_key`, or one annotated IdempotencyKey",
            )
        taken = {each.name for each in parameters if each not in keys}
        return cls(
            Routine.of(fn, keys[0] if keys else None),
            frozenset(taken & ours),
            _RESULT in taken & told,
            _ORIGINAL_KEY in taken & told,
        )

    async def call(
        self, tool: str, values: Mapping[str, Any], *, result: Any, key: str, original_key: str, limit: float
    ) -> None:
        """Undo a call once, within `limit` seconds.

        Args:
            tool: whose call it is, for messages.
            values: the call's arguments.
            result: what it returned, or None.
            key: the compensation's idempotency key.
            original_key: the call's.
            limit: seconds.

        Raises ToolFailed by kind, as calling a tool does.
        """
        told = {name: value for name, value in values.items() if name in self.arguments}
        if self.result:
            told[_RESULT] = result
        if self.original_key:
            told[_ORIGINAL_KEY] = original_key
        await self.routine.call(f"the compensation of {tool}", told, key, limit)
