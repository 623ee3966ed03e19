"""How a run's effects nest: the scopes of agents, parallel branches and time limits, with what happened in each.

Places are paths of numbers: `0/0.1/2` is the third effect in the second branch of what is first in the scope `0`.
"""

import re
from collections.abc import Sequence
from typing import Any

from callboard.apps.reading.effect import Effect, Sort, State
from callboard.domain.usage import NOTHING, Usage

_PARTS = re.compile(r"[^/.]+|[/.]")


class Node:
    """A scope or an effect. `effect` is None for a scope; `parts` are what is in it, in order of their beginning."""

    __slots__ = ("branch", "depth", "effect", "name", "parts", "place")

    def __init__(self, place: str, effect: Effect | None = None, *, branch: bool = False) -> None:
        self.place = place
        self.effect = effect
        self.branch = branch
        self.name = "" if effect is None else effect.name
        self.parts: list[Node] = []
        self.depth = 0

    @property
    def began(self) -> float:
        """Epoch seconds."""
        if self.effect is not None:
            return self.effect.began
        return min(each.began for each in self.parts)

    @property
    def ended(self) -> float | None:
        """Epoch seconds; None while something in it goes on."""
        if self.effect is not None:
            return self.effect.ended
        ends = [each.ended for each in self.parts]
        known = [end for end in ends if end is not None]
        return None if len(known) < len(ends) else max(known)

    @property
    def usage(self) -> Usage:
        """What all in it cost."""
        total = NOTHING if self.effect is None else self.effect.usage
        for each in self.parts:
            total += each.usage
        return total

    @property
    def failed(self) -> bool:
        """Whether it, or anything in it, failed for good."""
        if self.effect is not None and self.effect.state is State.FAILED:
            return True
        return any(each.failed for each in self.parts)


def tree(found: Sequence[Effect]) -> list[Node]:
    """The effects under their scopes, all in order of their beginning; a scope that holds one thing alone and has no
    name of its own is left out."""
    nodes: dict[str, Node] = {}
    roots: list[Node] = []
    effects = {effect.place: effect for effect in found}
    for effect in found:
        above: Node | None = None
        for place, branch in _ancestors(effect.place):
            node = nodes.get(place)
            if node is None:
                node = nodes[place] = Node(place, effects.get(place), branch=branch)
                (roots if above is None else above.parts).append(node)
            above = node
    tidy = [each for root in roots for each in _tidied(root)]
    _settle(tidy, 0)
    return tidy


def rows(nodes: Sequence[Node]) -> list[Node]:
    """The tree, flat, as it is read from top to bottom."""
    found: list[Node] = []
    todo = list(reversed(nodes))
    while todo:
        node = todo.pop()
        found.append(node)
        todo.extend(reversed(node.parts))
    return found


def _ancestors(place: str) -> list[tuple[str, bool]]:
    """All places that a place lies in, from the outermost to itself, and whether each is a branch."""
    found: list[tuple[str, bool]] = []
    text, branch = "", False
    for part in _PARTS.findall(place):
        if part in "/.":
            branch = part == "."
            text += part
            continue
        text += part
        found.append((text, branch))
    return found


def _tidied(node: Node, *, alone: bool = False) -> list[Node]:
    """The node, or what takes its place; `alone` for a branch without others beside it."""
    agent = _agent_of(node)
    branches = [each for each in node.parts if each.branch]
    node.parts = [new for part in node.parts for new in _tidied(part, alone=len(branches) == 1)]
    effect = node.effect
    if effect is not None:
        # A time limit that held says nothing; one that did not is shown.
        quiet = effect.sort is Sort.SCOPE and effect.name == "timeout" and effect.state is not State.FAILED
        return node.parts if quiet and node.parts else [node]
    if agent is not None:
        node.name = agent
        return [node]
    if len(node.parts) == 1 or (node.branch and alone):
        return node.parts
    if len(branches) > 1:
        node.name = f"{len(branches)} in parallel"
    elif node.branch:
        node.name = f"branch {int(node.place.rpartition('.')[2]) + 1}"
    return [node] if node.name else node.parts


def _agent_of(node: Node) -> str | None:
    """The agent whose scope this is: that of the model calls in it, below nothing but time limits."""
    if node.effect is not None or node.branch:
        return None
    todo: list[Node] = list(node.parts)
    while todo:
        part = todo.pop()
        if part.branch if part.effect is None else part.effect.name == "timeout":
            todo.extend(part.parts)
        elif part.effect is not None and (name := _noted(part.effect.note)) is not None:
            return name
    return None


def _noted(note: dict[str, Any]) -> str | None:
    agent = note.get("agent")
    return agent if isinstance(agent, str) else None


def _settle(nodes: list[Node], depth: int) -> None:
    todo = [(nodes, depth)]
    while todo:
        some, level = todo.pop()
        some.sort(key=lambda node: node.began)
        for node in some:
            node.depth = level
            todo.append((node.parts, level + 1))
