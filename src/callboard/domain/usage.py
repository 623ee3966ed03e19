"""What work cost: tokens and money.

Money is an integer number of micro-dollars (1 US dollar = 1,000,000), so that sums are exact and a limit
is either kept or not.
"""

from decimal import Decimal, InvalidOperation

import msgspec

from callboard.domain.errors import InputInvalid

_MICROS = 1_000_000


class Usage(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """Tokens and money of one call or the sum of many. All fields count up from zero.

    `input_tokens` includes `cached_tokens`, which the provider had kept, and `written_tokens`, which it keeps from
    now on; `output_tokens` includes `reasoning_tokens`, as the providers report them. `cost` is in micro-dollars.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    written_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost + other.cost,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.written_tokens + other.written_tokens,
        )

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens


NOTHING = Usage()


def micros(usd: str | int | Decimal) -> int:
    """Dollars as micro-dollars: `micros("0.25") == 250_000`.

    Floats are refused, since 0.1 is not a tenth. Raises InputInvalid on anything that is not a
    non-negative amount with at most six decimals.
    """
    try:
        if isinstance(usd, float | bool):
            raise InvalidOperation
        amount = Decimal(usd) * _MICROS
        whole = int(amount)
    except (InvalidOperation, ValueError, OverflowError, TypeError):
        whole, amount = -1, Decimal(0)
    if whole < 0 or whole != amount:
        raise InputInvalid(
            f"usd={usd!r} is not an amount of money",
            remedy='write dollars as text with at most six decimals, for example "0.25"',
        )
    return whole


def dollars(amount: int) -> str:
    """Micro-dollars as text with as many decimals as needed, at least two: `dollars(250_000) == "0.25"`."""
    whole, part = divmod(abs(amount), _MICROS)
    decimals = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if amount < 0 else ''}{whole}.{decimals}"
