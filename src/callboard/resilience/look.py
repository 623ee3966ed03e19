"""How an upstream stands: what the whole fleet knows of it, and what one process has seen."""

from typing import NamedTuple

import msgspec

from callboard.resilience.breaker import Phase


class Seen(NamedTuple):
    """What a process knows of an upstream without asking anybody.

    Attributes:
        phase: what the breaker does, by what was read last.
        wait: seconds until a limit that refused a call has room again; 0 if none did, or if the time has come.
        latency: seconds to a stream's first piece of late; None before there was one.
        inside: calls under way, of this process.
    """

    phase: Phase
    wait: float
    latency: float | None
    inside: int = 0


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How an upstream stands. What is counted in one process says so; the rest is the whole fleet's.

    Attributes:
        name: whose gate it is.
        declared: whether somebody decided about it; else the default policy holds.
        phase: what the breaker does; None without one.
        why: the failure that opened it.
        since: seconds for which that has been so.
        half_open_in: seconds until one call is let through to see; None unless it is open.
        recent: failures within the breaker's window.
        inside: calls under way, of this process.
        calls: calls that were let through, of this process.
        failures: those that the upstream failed, of this process.
        refused: calls that were not let through, of this process.
        retries: retries that were granted, of this process.
        hedges: second calls beside slow ones, of this process.
        first: seconds to a stream's first piece of late, of this process; None before there was one.
        last: the last failure of this process.
    """

    name: str
    declared: bool
    phase: Phase | None = None
    why: str = ""
    since: float = 0.0
    half_open_in: float | None = None
    recent: int = 0
    inside: int = 0
    calls: int = 0
    failures: int = 0
    refused: int = 0
    retries: int = 0
    hedges: int = 0
    first: float | None = None
    last: str = ""
