"""When a budget is used up so far that somebody should know."""

from collections.abc import Sequence
from dataclasses import dataclass

from callboard.domain.budget import ZERO, Amount, Bound, Measure

FIELDS = (("cost", Measure.USD), ("tokens", Measure.TOKENS), ("calls", Measure.CALLS), ("millis", Measure.SECONDS))


@dataclass(frozen=True, slots=True)
class Warned:
    """A share of a limit was reached: what it counts, how much of which limit, in the units of Amount."""

    measure: Measure
    share: float
    used: int
    bound: int


def warnings(bound: Bound, shares: Sequence[float], after: Amount, before: Amount = ZERO) -> list[Warned]:
    """The shares of a limit that are reached with `after` and were not with `before`; of each measure the highest.

    What is held counts for nothing: most of it comes back. A limit of nothing warns of nothing.
    """
    found = []
    for field, measure in FIELDS:
        limit, used = getattr(bound, field), getattr(after, field)
        if not limit:
            continue
        reached = [share for share in shares if getattr(before, field) < share * limit <= used]
        if reached:
            found.append(Warned(measure, max(reached), used, limit))
    return found
