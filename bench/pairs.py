"""The same work done two ways, in turns: how much more the one takes, and how sure that is.

What disturbs a machine lasts longer than a short turn, so two turns that follow each other are compared, which way
comes first changes from pair to pair (A B, B A, …), and many short pairs say more than few long ones.
"""

import math
from collections.abc import Awaitable, Callable, Sequence
from statistics import median

import msgspec

_WARM_UP = 4  # pairs


class Difference(msgspec.Struct, frozen=True):
    """Per cent that the one way takes more: the median of all pairs, and between what bounds the true median lies
    with a probability of 95 %, however the values are distributed. `other` is what a turn of the other way takes."""

    value: float
    low: float
    high: float
    other: float


Turn = Callable[[int], Awaitable[float]]


async def compare(one: Turn, other: Turn, pairs: int) -> Difference:
    """What `one` takes more than `other`, each of which says what its turn in a pair took, by the pair's number."""
    more: list[float] = []
    others: list[float] = []
    for at in range(_WARM_UP + pairs):
        if at % 2:
            first, second = await one(at), await other(at)
        else:
            second, first = await other(at), await one(at)
        more.append(100 * (first / second - 1))
        others.append(second)
    return Difference(*middle(more[_WARM_UP:]), median(others[_WARM_UP:]))


def middle(values: Sequence[float]) -> tuple[float, float, float]:
    """The median, and the bounds between which the true one lies."""
    ranked, count, chance = sorted(values), len(values), 0.0
    for outside in range(count):
        chance += math.comb(count, outside) / 2**count  # that no more than so many lie on one side of the true median
        if chance > 0.025:
            break
    bound = max(0, outside - 1)
    return median(ranked), ranked[bound], ranked[-1 - bound]
