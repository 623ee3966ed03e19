"""What work is charged to: accounts, how much they may hold, and what a refused reservation says.

An account is named by text: `run:ID`, `session:ID`, `agent:NAME`, `tenant`, each with `@2026-11-21` behind it where
it counts a day, or `@2026-11` a month. A call reserves conservatively before it is made; when its outcome is known,
the reservation is replaced by what it really took. One whose outcome never comes is charged in full.
"""

from enum import StrEnum

import msgspec


class Measure(StrEnum):
    """What a budget counts."""

    USD = "usd"
    TOKENS = "tokens"
    CALLS = "calls"
    SECONDS = "seconds"


class Amount(msgspec.Struct, frozen=True, omit_defaults=True):
    """Micro-dollars, tokens, calls of models, and milliseconds that these took."""

    cost: int = 0
    tokens: int = 0
    calls: int = 0
    millis: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            self.cost + other.cost, self.tokens + other.tokens, self.calls + other.calls, self.millis + other.millis
        )

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(
            self.cost - other.cost, self.tokens - other.tokens, self.calls - other.calls, self.millis - other.millis
        )


ZERO = Amount()


class Bound(msgspec.Struct, frozen=True, omit_defaults=True):
    """The most that an account may hold, in the units of Amount; None for any."""

    cost: int | None = None
    tokens: int | None = None
    calls: int | None = None
    millis: int | None = None


class Charge(msgspec.Struct, frozen=True, omit_defaults=True):
    """An account of the run's tenant that a call is charged to, and its bound. `budget` is what people call it."""

    account: str
    bound: Bound
    budget: str = ""


class Balance(msgspec.Struct, frozen=True):
    """What an account holds: `used` is settled, `held` is reserved by calls whose outcome is not known yet."""

    used: Amount = ZERO
    held: Amount = ZERO


class Refusal(msgspec.Struct, frozen=True):
    """Why a reservation was not granted: which charge, and what it counts, in the units of Amount.

    `final`: there is no room even if all that is held came back unused. Else it may be asked for again.
    """

    charge: Charge
    measure: Measure
    bound: int
    used: int
    held: int
    asked: int
    final: bool


_FIELDS = (("cost", Measure.USD), ("tokens", Measure.TOKENS), ("calls", Measure.CALLS), ("millis", Measure.SECONDS))


def refusal(charge: Charge, balance: Balance, asked: Amount) -> Refusal | None:
    """Whether an account has no room for an amount; None if it has. A final refusal comes before one that may pass."""
    found: Refusal | None = None
    for field, measure in _FIELDS:
        bound, more = getattr(charge.bound, field), getattr(asked, field)
        if bound is None:
            continue
        used, held = getattr(balance.used, field), getattr(balance.held, field)
        if used + held + more <= bound:
            continue
        final = used + more > bound
        if final or found is None:
            found = Refusal(charge, measure, bound, used, held, more, final)
            if final:
                return found
    return found
