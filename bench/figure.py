"""What is measured: each key with its unit, which way is better, and what we aim at."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from bench.doors import rows as doors
from bench.providers import rows


class Better(StrEnum):
    """Which way is better."""

    HIGHER = "higher"
    LOWER = "lower"


class Goal(msgspec.Struct, frozen=True):
    """A key, in words and figures.

    Attributes:
        sqlite: what we aim at there; None where nothing is aimed at, or nothing measured.
        postgres: and there.
        of_floor: the aims are multiples of the floor, else values.
    """

    key: str
    what: str
    unit: str
    better: Better
    sqlite: float | None = None
    postgres: float | None = None
    of_floor: bool = False

    def aim(self, kind: str) -> float | None:
        """The aim on one kind of store."""
        return self.postgres if kind == "postgres" else self.sqlite


class Figure(msgspec.Struct, frozen=True):
    """A measured value, the floor that was measured beside it, and the bounds between which the true value lies."""

    value: float
    floor: float | None = None
    spread: tuple[float, float] | None = None

    @property
    def ratio(self) -> float | None:
        """Ours divided by the floor, for rates, times and bytes alike."""
        return None if self.floor is None else self.value / self.floor


_MORE, _LESS = Better.HIGHER, Better.LOWER

GOALS: Sequence[Goal] = (
    Goal("w1", "200 runs side by side, 20 durable steps each", "steps/s", _MORE, 25_000, 20_000),
    Goal("w1_single", "one run alone, 200 durable steps", "ms/step", _LESS, 2.0, 2.0, of_floor=True),
    Goal("w1_cpu", "our processor time of 1,000 durable steps in w1", "s", _LESS, 0.05, 0.05),
    Goal("w1_server_cpu", "the server's processor time of the same", "s", _LESS, None, 0.02),
    Goal("w1_two", "400 runs of 20 steps, executed by two other processes", "steps/s", _MORE),
    Goal("w1_two_cpu", "processor time of all three processes for 1,000 of them", "s", _LESS),
    Goal("w1_two_server_cpu", "and the server's", "s", _LESS),
    Goal("rows_1", "floor: rows of 300 bytes, one by one", "rows/s", _MORE),
    Goal("rows_50", "floor: in groups of 50", "rows/s", _MORE),
    Goal("rows_200", "floor: in groups of 200", "rows/s", _MORE),
    Goal("w2_bytes", "growth by a run of 1,000 model turns of 1,000 characters", "MB", _LESS, 1.6),
    Goal("w2_growth", "time of its last 100 turns against its first 100", "times", _LESS, 1.15, 1.15),
    Goal("w3", "a parked parent and 200 child runs with a step each", "s", _LESS, 0.05, 0.05),
    Goal("w5", "20 runs of a killed worker: until another has ended them all", "time-outs", _LESS, 2.0, 2.0),
    Goal("w7_bytes", "memory that a waiting run costs its worker", "bytes", _LESS, 100, 100),
    Goal("w7_create", "5,000 runs from start to waiting", "s", _LESS, 1.0, 1.0),
    Goal("w7_wake", "5,000 waiting runs from a signal to their end", "s", _LESS, 1.0, 1.0),
    Goal("w8_rate", "trivial runs from start to result, through a second process", "runs/s", _MORE, 8_000, 8_000),
    Goal("w8_latency_p95", "one such run at a time, 95th percentile", "ms", _LESS, 3.0, 3.0),
    Goal("w8_redis_rate", "w8_rate, rung by Redis", "runs/s", _MORE, None, 8_000),
    Goal("w8_redis_latency_p95", "w8_latency_p95, rung by Redis", "ms", _LESS, None, 3.0),
    Goal("claims", "claims in batches of 500", "runs/s", _MORE, 5_000, 5_000),
    Goal(
        "claims_snapshot", "the last 50,000 of 100,000, beside a snapshot that is older", "runs/s", _MORE, 5_000, 5_000
    ),
    Goal("claims_tenants", "claims over 1,000 tenants", "runs/s", _MORE, 5_000, 5_000),
    Goal("claims_ended", "the plain ones claimed and ended, one batch after the other", "runs/s", _MORE),
    Goal("idle_queries", "transactions of 20 workers that have nothing to do", "1/s", _LESS),
    Goal("idle_cpu", "the server's processor time for them", "% of a core", _LESS),
    Goal("idle_client_cpu", "their own", "% of a core", _LESS),
    Goal("ring_queries", "transactions a run, 20 workers, 50 trivial runs a second", "1", _LESS),
    Goal("ring_redis_queries", "the same, rung by Redis", "1", _LESS),
    Goal("w9", "processor time of a model call in an agent with one tool", "ms", _LESS, 0.6, 0.6),
    Goal("w10_call_added", "processor time that we add to the library's for a model call", "ms", _LESS, 0.3),
    Goal("w10_stream_added", "and for a stream of 200 chunks", "%", _LESS, 20),
    Goal("w10_first_added", "time that we add until the first words", "ms", _LESS, 2.0),
    *(Goal(key, what, unit, _LESS) for key, what, unit in rows.named()),
    Goal("w11", "resuming a run of 1,000 recorded steps of 1 KB, per step", "µs", _LESS, 6.0, 6.0),
    Goal("w12_runs", "processor time that telemetry adds to runs that ask a provider over HTTP", "%", _LESS, 5.0, 5.0),
    Goal("w12_agents", "and to tasks of the retail clerk, whose model is scripted", "%", _LESS),
    Goal("w12_steps", "and to runs of 20 steps that do nothing", "%", _LESS),
    *(
        Goal(each.key, each.what, each.unit, _MORE if each.more else _LESS, each.sqlite, each.postgres, each.of_floor)
        for each in doors.ROWS
    ),
)
