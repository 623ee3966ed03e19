"""A run's effects drawn over time: what stands in each row, and where its bars begin and end."""

from collections.abc import Sequence

import msgspec

from callboard.apps.reading.cause import brief_of
from callboard.apps.reading.effect import Effect, Sort, State
from callboard.apps.reading.effects import effects
from callboard.apps.reading.tree import Node, rows, tree
from callboard.domain.event import Event, EventKind
from callboard.domain.usage import Usage

WIDTH = 1_000  # units in which bars are placed
_LEAST = 3.0  # units that a bar has at least, so that it can be seen
_DEEPEST = 8  # levels that are set in
_TICKS = 4
_STEPS = (1, 2, 5, 10, 15, 30, 60)


class Bar(msgspec.Struct, frozen=True):
    """A stretch of time: where, how long, in units of WIDTH, and what it was (a sort, `failed`, `gap`, `open`)."""

    x: float
    width: float
    tone: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the picture.

    Attributes:
        place: where it stands; unique in the run.
        sort: an effect's, or `agent` or `scope` for what others are in.
        state: an effect's; `failed`, `open` or `done` for a scope.
        seq: names the effect; None for a scope.
        brief: what it was about.
        took: seconds; None while it goes on.
        marks: where attempts failed, in units of WIDTH.
        retries: how many attempts failed before the last.
        model: whom a model call asked last.
        breaker: how the upstream's breaker stood, where it was not closed.
    """

    place: str
    name: str
    sort: str
    state: str
    depth: int
    seq: int | None
    brief: str
    began: float
    took: float | None
    bars: tuple[Bar, ...]
    marks: tuple[float, ...]
    retries: int
    usage: Usage
    model: str | None
    child: str | None
    approval: str | None
    breaker: str


class Waterfall(msgspec.Struct, frozen=True, kw_only=True):
    """The picture: its rows, when it begins and ends (epoch seconds), and marks on its axis as pairs of place and
    seconds since the beginning."""

    rows: tuple[Row, ...]
    began: float
    ended: float
    ticks: tuple[tuple[float, float], ...]
    effects: tuple[Effect, ...]
    went_on: tuple[tuple[str, float], ...]

    @property
    def seconds(self) -> float:
        """How long all of it took."""
        return self.ended - self.began


def waterfall(events: Sequence[Event], now: float | None) -> Waterfall:
    """The picture of some events, in a row, of one run; `now` where it goes on still (epoch seconds)."""
    found = effects(events)
    flat = rows(tree(found))
    began = min([events[0].at / 1e6, *[each.began for each in found]]) if events else 0.0
    ends = [event.at / 1e6 for event in events] + ([] if now is None else [now])
    ended = max([began + 0.001, *ends])
    scale = _Scale(began, ended)
    return Waterfall(
        rows=tuple(_row(node, scale) for node in flat),
        began=began,
        ended=ended,
        ticks=tuple((scale.x(began + each), each) for each in _ticks(ended - began)),
        effects=tuple(found),
        went_on=tuple(
            (event.kind.label, scale.x(event.at / 1e6))
            for event in events
            if event.kind in (EventKind.REQUEUED, EventKind.FORKED, EventKind.CONTINUED)
        ),
    )


class _Scale:
    """Places moments between the beginning and the end."""

    def __init__(self, began: float, ended: float) -> None:
        self.began, self.ended = began, ended
        self._unit = WIDTH / (ended - began)

    def x(self, moment: float) -> float:
        return round(min(max((moment - self.began) * self._unit, 0.0), WIDTH), 2)

    def bar(self, began: float, ended: float | None, tone: str) -> Bar:
        x, end = self.x(began), self.x(self.ended if ended is None else ended)
        width = max(end - x, _LEAST)
        return Bar(min(x, WIDTH - width), round(width, 2), tone)


def _row(node: Node, scale: _Scale) -> Row:
    effect = node.effect
    ended = node.ended
    if effect is None:
        state = "failed" if node.failed else "open" if ended is None else "done"
        sort = "scope" if node.branch or node.name.endswith("in parallel") else "agent"
        bars: tuple[Bar, ...] = (scale.bar(node.began, ended, "scope"),)
    else:
        state, sort = str(effect.state), str(effect.sort)
        bars = _bars(effect, scale)
    return Row(
        place=node.place,
        name=node.name,
        sort=sort,
        state=state,
        depth=min(node.depth, _DEEPEST),
        seq=None if effect is None else effect.seq,
        brief="" if effect is None else brief_of(effect)[:300],
        began=node.began,
        took=None if ended is None else ended - node.began,
        bars=bars,
        marks=() if effect is None else tuple(scale.x(each.ended or each.began) for each in effect.retries),
        retries=0 if effect is None else len(effect.retries),
        usage=node.usage,
        model=None if effect is None else _model(effect),
        child=None if effect is None else effect.child,
        approval=None if effect is None else effect.approval,
        breaker="" if effect is None else effect.breaker,
    )


def _bars(effect: Effect, scale: _Scale) -> tuple[Bar, ...]:
    """A bar for each attempt, and a thin one for the time between two of them."""
    tone = "wait" if effect.sort in (Sort.WAIT, Sort.ASK) else str(effect.sort)
    if effect.sort is Sort.CHILD or len(effect.attempts) < 2:
        shown = "failed" if effect.state in (State.FAILED, State.ABANDONED) else tone
        found = [scale.bar(effect.began, effect.ended, shown)]
    else:
        found = [scale.bar(effect.began, effect.ended, "gap")]
        for each in effect.attempts:
            found.append(scale.bar(each.began, each.ended, "failed" if each.error is not None else tone))
    if effect.ended is None and effect.state is State.RETRYING:
        found.insert(0, scale.bar(effect.began, None, "gap"))
    return tuple(found)


def _model(effect: Effect) -> str | None:
    if effect.sort is not Sort.MODEL:
        return None
    found = effect.result.get("model") if isinstance(effect.result, dict) else None
    return found or effect.note.get("model")


def _ticks(seconds: float) -> list[float]:
    """Round numbers of seconds, a few of them."""
    rough = seconds / _TICKS
    unit = 1.0
    while rough < unit:
        unit /= 10
    for size in (86_400.0, 3_600.0, 60.0):
        if rough >= size:
            unit = size
            break
    step = next((unit * each for each in _STEPS if unit * each >= rough), unit * 100)
    found: list[float] = []
    while (len(found) + 1) * step < seconds:
        found.append(round((len(found) + 1) * step, 9))
    return found
