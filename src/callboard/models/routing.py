"""Which candidate of a route is asked, and why not the others. Pure: what it goes by is handed in.

What a request needs comes first: a candidate that is for other tasks or callers, that lacks an ability, or whose
window is too small, is out. Of the rest those come first that nobody has asked in this call, whose upstream can
be asked, and that keep to the route's targets; among equals the route's order decides, and in the end the list.
"""

import math
from collections.abc import Iterator, Sequence

import msgspec

from callboard.domain.kinds import ErrorKind
from callboard.domain.usage import Usage, dollars, micros
from callboard.models.info import Ability, ModelInfo, Price
from callboard.models.route import Candidate, Order, Route


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks of a model.

    Attributes:
        tokens: of the conversation, the tools and the schema, by estimate.
        abilities: what it must be able to do.
        task: the kind of task, None if nobody said it.
        tier: the caller's tier, None if the run has none.
    """

    tokens: int = 0
    abilities: frozenset[Ability] = frozenset()
    task: str | None = None
    tier: str | None = None


class View(msgspec.Struct, frozen=True, kw_only=True):
    """How a candidate stands when it is looked at.

    Attributes:
        candidate: what the route says of it.
        info: what is known of the model.
        output: tokens that its answer may have.
        price: None if nobody knows it.
        wait: seconds until it can be asked, as far as is known: it failed just now, is left alone, or has no room.
        open: whether that is because its breaker is open.
        latency: seconds to the first token of late, None if it was not seen.
        failed: the kind of failure with which it was asked already in this call, "" if it was not.
        barred: why it must not be asked, if something that is not the route's business forbids it.
    """

    candidate: Candidate
    info: ModelInfo
    output: int = 0
    price: Price | None = None
    wait: float = 0.0
    open: bool = False
    latency: float | None = None
    failed: str = ""
    barred: tuple[ErrorKind, str] | None = None

    @property
    def window(self) -> int | None:
        """Tokens that it is given at most; None if nobody knows."""
        sizes = [size for size in (self.candidate.context, self.info.context) if size is not None]
        return min(sizes) if sizes else None


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate in its place. `out` names why it cannot be asked at all, `missed` what it falls short of."""

    view: View
    reason: str
    out: ErrorKind | None = None

    @property
    def model(self) -> str:
        """The candidate's model, as the route names it."""
        return self.view.candidate.model


def plan(route: Route, need: Need, views: Sequence[View]) -> list[Ranked]:
    """All candidates with a reason for each: those that may be asked, best first, then those that are out.

    Args:
        route: its rules.
        need: what is asked for.
        views: one for each candidate, in the route's order.
    """
    may, out = [], []
    longest = max((_tokens(view.window) for view in views if view.failed == ErrorKind.CONTEXT_TOO_LONG), default=0)
    for index, view in enumerate(views):
        barred = _barred(need, view, longest)
        if barred is not None:
            out.append(Ranked(view=view, reason=barred[1], out=barred[0]))
            continue
        missed = list(_missed(route, need, view))
        key = (
            bool(view.failed) or view.wait > 0,
            view.wait,
            bool(missed),
            _key(route.order, need, view),
            index,
        )
        may.append((key, view, "; ".join([*_standing(view), *missed])))
    may.sort(key=lambda each: each[0])
    return [
        *(
            Ranked(view=view, reason=fault or _praise(route.order, need, view, at))
            for at, (_, view, fault) in enumerate(may)
        ),
        *out,
    ]


def estimate(need: Need, view: View) -> int | None:
    """Micro-dollars that the request may cost there; None if nobody knows the price."""
    return None if view.price is None else view.price.of(Usage(need.tokens, view.output))


def _barred(need: Need, view: View, longest: float) -> tuple[ErrorKind, str] | None:
    """Why a candidate cannot serve; None if it can."""
    candidate = view.candidate
    if candidate.tasks and need.task not in candidate.tasks:
        return ErrorKind.INVALID_REQUEST, f"is for the tasks {', '.join(candidate.tasks)}"
    if candidate.tiers and need.tier not in candidate.tiers:
        return ErrorKind.INVALID_REQUEST, f"is for callers of the tiers {', '.join(candidate.tiers)}"
    if lacking := view.info.lacks(sorted(need.abilities)):
        return ErrorKind.INVALID_REQUEST, f"lacks {', '.join(lacking)}"
    if view.barred is not None:
        return view.barred
    window, wanted = view.window, need.tokens + view.output
    if window is not None and wanted > window:
        return ErrorKind.CONTEXT_TOO_LONG, f"holds {window:,} tokens, about {wanted:,} are needed"
    if longest and _tokens(window) <= longest:
        return ErrorKind.CONTEXT_TOO_LONG, "holds no more than the one to which this was too long"
    return None


def _missed(route: Route, need: Need, view: View) -> Iterator[str]:
    """The route's targets that a candidate does not keep to."""
    if route.max_usd is not None:
        cost = estimate(need, view)
        if cost is None:
            yield "nobody knows its price"
        elif cost > micros(route.max_usd):
            yield f"would cost about {dollars(cost)} dollars, the target is {route.max_usd}"
    seconds = _latency(view)
    if route.max_latency is not None and seconds is not None and seconds > route.max_latency:
        yield f"takes {seconds:.3g} s to its first token, the target is {route.max_latency:g}"
    quality = view.candidate.quality
    if route.min_quality is not None and quality is not None and quality < route.min_quality:
        yield f"is judged {quality:g}, the target is {route.min_quality:g}"


def _standing(view: View) -> Iterator[str]:
    if view.failed:
        yield f"failed in this call ({view.failed})"
    if view.wait > 0:
        yield f"cannot be asked for another {view.wait:.3g} s{': its breaker is open' if view.open else ''}"


def _key(order: Order, need: Need, view: View) -> float:
    match order:
        case Order.LISTED:
            return 0.0
        case Order.COST:
            cost = estimate(need, view)
            return math.inf if cost is None else cost
        case Order.LATENCY:
            seconds = _latency(view)
            return math.inf if seconds is None else seconds
        case Order.QUALITY:
            return math.inf if view.candidate.quality is None else -view.candidate.quality


def _praise(order: Order, need: Need, view: View, at: int) -> str:
    """Why a candidate that nothing speaks against stands where it does."""
    cost, seconds, quality = estimate(need, view), _latency(view), view.candidate.quality
    known = {
        Order.LISTED: "",
        Order.COST: "" if cost is None else f"about {dollars(cost)} dollars",
        Order.LATENCY: "" if seconds is None else f"{seconds:.3g} s to the first token",
        Order.QUALITY: "" if quality is None else f"judged {quality:g}",
    }[order]
    place = "comes first" if at == 0 else "comes later"
    return f"{place} by {order}" + (f": {known}" if known else "")


def _latency(view: View) -> float | None:
    return view.candidate.latency if view.latency is None else view.latency


def _tokens(window: int | None) -> float:
    """A window as a number; one that nobody knows counts as small, since nothing says that more fits."""
    return 0.5 if window is None else window
