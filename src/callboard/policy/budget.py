"""A budget: whose spending it bounds, over which time, and by how much."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import msgspec

from callboard.domain.budget import Bound
from callboard.domain.errors import InputInvalid
from callboard.domain.usage import dollars, micros

_LONGEST = 200  # characters of a name in an account's; a session's may be any text


class Scope(StrEnum):
    """What a budget is about. A run's counts all runs below it too; a session is what a run's label `session` says."""

    TENANT = "tenant"
    FLOW = "flow"
    AGENT = "agent"
    SESSION = "session"
    RUN = "run"


class Period(StrEnum):
    """Over which time it counts, by the calendar in UTC."""

    EVER = "ever"
    DAY = "day"
    MONTH = "month"


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A hard limit on what models may cost. No call is made that could break it.

    Attributes:
        scope: what it is about.
        name: which one: a tenant, a flow, an agent, a session; `*` for each of them, with a count of its own. For a
            run: its flow.
        period: over which time.
        usd: dollars as text.
        tokens: input and output tokens.
        calls: calls of models.
        seconds: time that these calls took.
        warn: shares of a limit at which a warning is given.
    """

    scope: Scope
    name: str = "*"
    period: Period = Period.EVER
    usd: str | None = None
    tokens: int | None = None
    calls: int | None = None
    seconds: float | None = None
    warn: tuple[float, ...] = (0.8,)

    def __post_init__(self) -> None:
        if not self.name:
            raise InputInvalid(f"a budget of a {self.scope} has no name", remedy="name it, or * for each")
        if self.usd is None and self.tokens is None and self.calls is None and self.seconds is None:
            raise InputInvalid(f"{self.title} limits nothing", remedy="give usd, tokens, calls or seconds")
        if self.usd is not None:
            micros(self.usd)
        for field in ("tokens", "calls", "seconds"):
            value: Any = getattr(self, field)
            if value is not None and not 0 <= value < math.inf:
                raise InputInvalid(f"{self.title}: {field}={value!r} is not a number from 0", remedy=f"change {field}")
        for share in self.warn:
            if not 0 < share <= 1:
                raise InputInvalid(
                    f"{self.title}: warn={share!r} is not a share above 0 and up to 1", remedy="write 0.8 for 80 %"
                )

    @property
    def title(self) -> str:
        """What people call it: `tenant acme per day`."""
        period = "" if self.period is Period.EVER else f" per {self.period}"
        return f"{self.scope} {self.name}{period}"

    @property
    def bound(self) -> Bound:
        """The limit in the units of accounts."""
        return Bound(
            None if self.usd is None else micros(self.usd),
            self.tokens,
            self.calls,
            None if self.seconds is None else round(self.seconds * 1000),
        )

    def account(self, name: str, now: float) -> str:
        """The account that counts for one tenant, flow, agent, session or run at a time (epoch seconds)."""
        return self.stem(name) + self.time(now)

    def stem(self, name: str) -> str:
        """What an account's name begins with."""
        return str(self.scope) if self.scope is Scope.TENANT else f"{self.scope}:{written(name)}"

    def time(self, now: float) -> str:
        """What an account's name ends with: the day or the month that it counts."""
        if self.period is Period.EVER:
            return ""
        day = datetime.fromtimestamp(now, UTC)
        return f"@{day:%Y-%m-%d}" if self.period is Period.DAY else f"@{day:%Y-%m}"


def written(name: str) -> str:
    """A name as accounts have it: without `@`, which begins the time that they count, and not too long."""
    if len(name) > _LONGEST:
        name = f"{name[:_LONGEST]}~{blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
    return name.replace("%", "%25").replace("@", "%40")


def parted(account: str) -> tuple[str, str, str]:
    """An account's scope, its name as it is written there ("" for a tenant's), and the time that it counts ("" for
    ever)."""
    stem, _, time = account.partition("@")
    scope, _, name = stem.partition(":")
    return scope, name, time


def over(account: str) -> str:
    """When an account that counts a time begins anew, in words; "" for one that counts for ever."""
    time = parted(account)[2]
    if not time:
        return ""
    begun = datetime.strptime(time, "%Y-%m-%d" if len(time) > len("2026-11") else "%Y-%m").replace(tzinfo=UTC)
    ends = begun + timedelta(days=1) if len(time) > len("2026-11") else (begun + timedelta(days=31)).replace(day=1)
    return f"{ends:%Y-%m-%d} 00:00 UTC"


def allowing(scope: str, name: str, period: str, bound: Bound, warn: Sequence[float]) -> Budget:
    """The budget whose limit is `bound`: what an operator has set, as it is stored. Raises InputInvalid."""
    return budget(
        scope,
        name,
        period=period,
        usd=None if bound.cost is None else dollars(bound.cost),
        tokens=bound.tokens,
        calls=bound.calls,
        seconds=None if bound.millis is None else bound.millis / 1000,
        warn=tuple(warn),
    )


def budget(scope: str, name: str = "*", **limits: Any) -> Budget:
    """A budget from plain values. Raises InputInvalid, naming the field."""
    try:
        return msgspec.convert({"scope": scope, "name": name, **limits}, Budget)
    except msgspec.ValidationError as error:
        raise InputInvalid(f"budget {scope} {name}: {error}", remedy="see callboard.policy.Budget") from error
