"""Which runs are told: a share of all traces, and each run that failed, cost much or took long."""

from collections.abc import Callable

import msgspec

_ALL = 1 << 56  # the last 56 bits of a trace's id decide, as W3C Trace Context level 2 asks of its random part


class Sampling(msgspec.Struct, frozen=True):
    """What is told. Pure: each process that is set alike decides alike, without asking another.

    Attributes:
        share: of all traces, between 0 and 1.
        expensive: runs that cost more than so many micro-dollars are told.
        slow: runs that took longer than so many seconds are told; 0 for none.
    """

    share: float = 1.0
    expensive: int = 1_000_000
    slow: float = 0.0

    def wanted(self, trace_id: str) -> bool:
        """Whether a trace is in the share."""
        return int(trace_id[18:], 16) >= (1 - self.share) * _ALL

    def keeps(self, trace_id: str, sampled: bool, *, failed: bool, cost: int, seconds: Callable[[], float]) -> str:
        """Why a run is told: `share`, `failed`, `expensive` or `slow`; empty when it is not.

        `sampled` is what the trace's beginning says: what is not to be recorded there is in no share here.
        """
        if sampled and self.wanted(trace_id):
            return "share"
        if failed:
            return "failed"
        if cost > self.expensive:
            return "expensive"
        return "slow" if self.slow and seconds() > self.slow else ""
