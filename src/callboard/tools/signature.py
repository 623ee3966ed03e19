"""A function's signature, as far as a tool can have it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from callboard.domain.errors import InputInvalid
from callboard.domain.heartbeat import Heartbeat
from callboard.tools.contract import IdempotencyKey

MISSING = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters that a model fills in, those that receive key and heartbeat, and the type returned.

    `returns` is MISSING without an annotation.
    """

    function: str
    parameters: tuple[inspect.Parameter, ...]
    key: inspect.Parameter | None
    heartbeat: inspect.Parameter | None
    returns: Any

    @classmethod
    def of(cls, fn: Callable[..., Any]) -> "Signature":
        """Read a function's signature.

        Raises InputInvalid on what a model cannot fill in: *args, **kwargs, positional-only parameters and
        such without an annotation; and on annotations that cannot be resolved.
        """
        name = getattr(fn, "__name__", type(fn).__name__)
        read = inspected(fn, name)
        for parameter in read.parameters.values():
            refuse_unusable(parameter, name)
        keys = [p for p in read.parameters.values() if takes_key(p)]
        if len(keys) > 1:
            raise InputInvalid(
                f"{name} takes more than one IdempotencyKey: {', '.join(p.name for p in keys)}",
                remedy="keep one; each call has one key",
            )
        beats = [p for p in read.parameters.values() if _is(Heartbeat, p.annotation)]
        if len(beats) > 1:
            raise InputInvalid(f"{name} takes more than one Heartbeat", remedy="keep one; each call has one")
        filled_in = tuple(p for p in read.parameters.values() if p not in keys and p not in beats)
        return cls(name, filled_in, keys[0] if keys else None, beats[0] if beats else None, read.return_annotation)


def inspected(fn: Callable[..., Any], name: str) -> inspect.Signature:
    """A function's signature with its annotations resolved. Raises InputInvalid when they cannot be."""
    try:
        return inspect.signature(fn, eval_str=True)
    except Exception as error:  # an annotation in quotes is the author's code and may raise anything
        raise InputInvalid(
            f"the annotations of {name} cannot be read",
            why=f"{type(error).__name__}: {error}",
            remedy="define the types it names at module level, imported at run time",
        ) from error


def takes_key(parameter: inspect.Parameter) -> bool:
    """True when the parameter receives the idempotency key."""
    return _is(IdempotencyKey, parameter.annotation)


def refuse_unusable(parameter: inspect.Parameter, function: str, *, annotated: bool = True) -> None:
    """Raises InputInvalid for a parameter that cannot be filled in by name, or has no annotation if it needs one."""
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise InputInvalid(
            f"{function} takes {parameter}",
            why="a model has to be told each argument by name",
            remedy="name each parameter, or take one that is a list or a dict",
        )
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise InputInvalid(
            f"parameter {parameter.name} of {function} is positional-only",
            why="tools are called with arguments by name",
            remedy="remove the `/` from the signature",
        )
    if annotated and parameter.annotation is MISSING:
        raise InputInvalid(
            f"parameter {parameter.name} of {function} has no annotation",
            why="its JSON schema and its validation come from the annotation",
            remedy=f"write {parameter.name}: and its type",
        )


def _is(marker: type, annotation: Any) -> bool:
    # Also in a union with None, or annotated with more.
    return annotation is marker or marker in get_args(annotation)
