"""What a flow is made of: the agents, tools and flows that its code names. Read from the code, nothing is executed.

Whether, in which order and how often they are used is decided when it runs; a name that is made up at run time is not
seen.
"""

from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

from callboard.agents.agent import Agent
from callboard.agents.tool import JournaledTool
from callboard.engine.flow import Flow

_MOST = 200  # functions that are looked through


def named_by(fn: Callable[..., Any]) -> list[Agent | JournaledTool | Flow]:
    """What a function's code names, and the code of the functions of its own module that it names, each once, in order
    of being found."""
    found: dict[int, Agent | JournaledTool | Flow] = {}
    seen: set[int] = set()
    todo: list[Any] = [fn]
    while todo and len(seen) < _MOST:
        each = todo.pop(0)
        if not isinstance(each, FunctionType) or id(each) in seen:
            continue
        seen.add(id(each))
        for value in _values(each):
            if isinstance(value, Agent | JournaledTool | Flow):
                found.setdefault(id(value), value)
            elif isinstance(value, FunctionType) and value.__module__ == each.__module__:
                todo.append(value)
    return list(found.values())


def _values(fn: FunctionType) -> Iterator[Any]:
    """The global and enclosed values that a function's code names, `module.name` included."""
    cells = dict(zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=False))
    for code in _codes(fn.__code__):
        names = code.co_names
        for name in names:
            value = fn.__globals__.get(name)
            yield value
            if type(value) is type(__builtins__) or type(value).__name__ == "module":
                yield from (vars(value).get(part) for part in names)
        for name in code.co_freevars:
            if name in cells:
                try:
                    yield cells[name].cell_contents
                except ValueError:  # not filled yet
                    continue


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code, and that of what is defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
