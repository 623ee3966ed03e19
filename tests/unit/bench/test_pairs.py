"""What w12 says of its own certainty."""

import random

from bench.pairs import Turn, compare, middle


def test_the_true_median_lies_between_the_bounds_nineteen_times_in_twenty() -> None:
    assert middle(range(24)) == (11.5, 6, 17)
    assert middle([3.0]) == (3.0, 3.0, 3.0)
    chance = random.Random(7)
    found = [middle([chance.expovariate(1) for _ in range(40)]) for _ in range(2_000)]
    held = sum(low <= 0.693 <= high for _, low, high in found) / len(found)
    assert 0.95 <= held < 0.98


async def test_a_drift_that_both_ways_meet_is_no_difference() -> None:
    turns: list[str] = []

    def way(name: str, cost: float) -> Turn:
        async def turn(at: int) -> float:
            turns.append(f"{name}{at}")
            return cost * (1 + len(turns) / 10)

        return turn

    found = await compare(way("a", 1.05), way("b", 1.0), 40)
    assert turns[:4] == ["b0", "a0", "a1", "b1"]
    assert abs(found.value - 5) < 1
    assert found.low < 5 < found.high
