"""Pictures of what is installed: whom an agent asks and what it can call, as declared; what a flow's code names."""

from typing import Any

import msgspec

from callboard.runtime import FlowCard

_LINE = 30.0  # height of one box with the space below it
_BOX = 22.0
_WORD = 7.1  # width of a letter, at the size that boxes are written in


class Box(msgspec.Struct, frozen=True):
    """A box with a word in it; `tone` is what it is: agent, flow, model, tool, upstream."""

    x: float
    y: float
    width: float
    text: str
    about: str
    tone: str

    @property
    def middle(self) -> float:
        """Half way down."""
        return self.y + _BOX / 2


class Picture(msgspec.Struct, frozen=True):
    """Boxes, and lines between them as paths."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[str, ...]


def of_agent(card: FlowCard, route: Any) -> Picture:
    """The agent in the middle, its route's candidates on the left, its tools and what those call on the right."""
    agent = card.agent
    assert agent is not None
    models = [each.model for each in route.candidates] if route is not None else [agent.model or "a model"]
    asked = ["asked first", *["asked then"] * len(models)][: len(models)]
    upstreams = list(dict.fromkeys(tool.upstream for tool in agent.tools))
    high = max(len(models), len(agent.tools), len(upstreams), 1) * _LINE
    left = _column(0, [("model", *each) for each in zip(models, asked, strict=True)], high)
    middle = _column(_right(left) + 70, [("agent", card.name, card.version)], high)
    right = _column(_right(middle) + 70, [("tool", tool.name, tool.effect) for tool in agent.tools], high)
    far = _column(_right(right) + 60, [("upstream", each, "") for each in upstreams], high)
    where = {box.text: box for box in far}
    lines = [_line(middle[0], box, backwards=True) for box in left]
    lines += [_line(middle[0], box) for box in right]
    lines += [_line(box, where[tool.upstream]) for box, tool in zip(right, agent.tools, strict=True)]
    return _picture((*left, *middle, *right, *far), lines, high)


def of_flow(card: FlowCard) -> Picture | None:
    """The flow, and on the right what its code names; None where it names nothing."""
    if not card.uses:
        return None
    high = len(card.uses) * _LINE
    left = _column(0, [("flow", card.name, card.version)], high)
    right = _column(_right(left) + 90, [(each.kind, each.name, each.about) for each in card.uses], high)
    return _picture((*left, *right), [_line(left[0], box) for box in right], high)


def _picture(boxes: tuple[Box, ...], lines: list[str], high: float) -> Picture:
    return Picture(max(box.x + box.width for box in boxes), high, boxes, tuple(lines))


def _column(x: float, words: list[tuple[str, str, str]], high: float) -> list[Box]:
    """Boxes below each other: of each its tone, its text, and what is said of it."""
    width = max((len(text) for _, text, _ in words), default=0) * _WORD + 18
    top = (high - len(words) * _LINE) / 2 + (_LINE - _BOX) / 2
    return [
        Box(round(x, 1), round(top + i * _LINE, 1), round(width, 1), text, about, tone)
        for i, (tone, text, about) in enumerate(words)
    ]


def _right(boxes: list[Box]) -> float:
    return max((box.x + box.width for box in boxes), default=0.0)


def _line(one: Box, other: Box, *, backwards: bool = False) -> str:
    """A soft curve from the side of one box to the side of the other."""
    begin, end = (one.x, other.x + other.width) if backwards else (one.x + one.width, other.x)
    half = (begin + end) / 2
    return f"M{begin:g} {one.middle:g}C{half:g} {one.middle:g} {half:g} {other.middle:g} {end:g} {other.middle:g}"
