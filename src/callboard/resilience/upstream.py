"""What is decided about an outside dependency: how long, how often, how much at once, and what when it fails."""

from enum import StrEnum
from typing import Any

import msgspec

from callboard.domain.errors import InputInvalid
from callboard.domain.retry import Retry
from callboard.resilience.breaker import BreakerRules
from callboard.resilience.limiter import Rate


class Otherwise(StrEnum):
    """What happens when a call has failed for good, where nothing nearer to the call says it."""

    UNDECIDED = ""
    FAIL = "fail"
    FALLBACK = "fallback"
    ESCALATE = "escalate"


class Upstream(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A model provider, a tool's API, a database: one name, one policy, in every process that uses it.

    Attributes:
        name: how limits, breakers, faults and reports name it.
        connect: seconds to reach it.
        first: seconds until a stream's first piece.
        total: seconds for a call; a tool's own `timeout` is what counts for the tool.
        retry: how a failed call is repeated, where its side effects allow it.
        retry_share: retries may be at most this share of the calls of late, so that retries never become a storm.
        concurrency: calls at once, over all processes.
        requests: calls in a time, over all processes.
        tokens: tokens in a time, over all processes, reserved before a call and settled after it.
        patience: seconds that a call waits here for its turn; for a longer wait its run parks.
        breaker: when it is left alone; None for never.
        hedge: seconds after which a `read` call is made a second time beside the first; None for never.
        otherwise: what happens when it has failed for good.
    """

    name: str
    connect: float = 10.0
    first: float = 60.0
    total: float = 120.0
    retry: Retry = Retry(attempts=4, first=0.5, longest=60.0)
    retry_share: float = 0.2
    concurrency: int | None = None
    requests: Rate | None = None
    tokens: Rate | None = None
    patience: float = 5.0
    breaker: BreakerRules | None = BreakerRules()
    hedge: float | None = None
    otherwise: Otherwise = Otherwise.UNDECIDED

    def __post_init__(self) -> None:
        for field in ("connect", "first", "total", "hedge"):
            value = getattr(self, field)
            if value is not None and not 0 < value < 1e9:
                self._refuse(field, value, "a number of seconds above 0")
        if not 0 <= self.patience < 1e9:
            self._refuse("patience", self.patience, "a number of seconds from 0")
        if not 0 <= self.retry_share <= 1:
            self._refuse("retry_share", self.retry_share, "a share from 0 to 1")
        if self.concurrency is not None and self.concurrency < 1:
            self._refuse("concurrency", self.concurrency, "a whole number above 0")
        if self.retry.attempts < 1:
            self._refuse("retry.attempts", self.retry.attempts, "a whole number above 0")
        for field in () if self.breaker is None else ("failures", "window", "open_for", "probe"):
            value = getattr(self.breaker, field)
            if not 0 < value < 1e9:
                self._refuse(f"breaker.{field}", value, "a number above 0")

    def _refuse(self, field: str, value: Any, wanted: str) -> None:
        raise InputInvalid(f"upstream {self.name}: {field}={value!r} is not {wanted}", remedy=f"change {field}")


def upstream(name: str, **policy: Any) -> Upstream:
    """A policy of its parts; those that have parts themselves may be dicts, `requests={"limit": 500, "period": 60}`.

    Raises InputInvalid.
    """
    try:
        return msgspec.convert({**policy, "name": name}, Upstream)
    except msgspec.ValidationError as error:
        raise InputInvalid(f"upstream {name}: {error}", remedy="see callboard.Upstream") from error
