"""What is measured: each key with its unit, which way is better, and what we aim at."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Better(StrEnum):
    """Which way is better."""

    HIGHER = "higher"
    LOWER = "lower"


class Goal(msgspec.Struct, frozen=True):
    """A key, in words and figures. With `of_floor` the aim is a multiple of the floor, else a value."""

    key: str
    what: str
    unit: str
    better: Better
    aim: float
    of_floor: bool = False


class Figure(msgspec.Struct, frozen=True):
    """A measured value, and the floor that was measured beside it."""

    value: float
    floor: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours divided by the floor, for rates, times and bytes alike."""
        return None if self.floor is None else self.value / self.floor


GOALS: Sequence[Goal] = (
    Goal("w1", "200 runs side by side, 20 durable steps each", "steps/s", Better.HIGHER, 25_000),
    Goal("w1_single", "one run alone, 200 durable steps", "ms/step", Better.LOWER, 2.0, of_floor=True),
    Goal("w1_cpu", "processor time of 1,000 durable steps in w1", "s", Better.LOWER, 0.05),
    Goal("w2_bytes", "file growth by a run of 1,000 model turns of 1,000 characters", "MB", Better.LOWER, 1.6),
    Goal("w2_growth", "time of its last 100 turns against its first 100", "times", Better.LOWER, 1.15),
    Goal("w3", "a parked parent and 200 child runs with a step each", "s", Better.LOWER, 0.05),
    Goal("w7_bytes", "memory that a waiting run costs its worker", "bytes", Better.LOWER, 100),
    Goal("w7_create", "5,000 runs from start to waiting", "s", Better.LOWER, 1.0),
    Goal("w7_wake", "5,000 waiting runs from a signal to their end", "s", Better.LOWER, 1.0),
    Goal("w8_rate", "trivial runs from start to result, through a second process", "runs/s", Better.HIGHER, 8_000),
    Goal("w8_latency_p95", "one such run at a time, 95th percentile", "ms", Better.LOWER, 3.0),
    Goal("w9", "processor time of a model call in an agent with one tool", "ms", Better.LOWER, 0.6),
    Goal("w11", "resuming a run of 1,000 recorded steps of 1 KB, per step", "µs", Better.LOWER, 6.0),
)
