"""How long something takes of late."""

_WEIGHT = 0.2  # of the newest sample: after ten, nine tenths of the figure are theirs


class Latency:
    """An exponentially weighted mean of seconds, `value += weight * (sample - value)` as in RFC 6298.

    Attributes:
        value: seconds; None until there was a first sample.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float | None = None

    def add(self, seconds: float) -> None:
        """Takes one more sample in."""
        self.value = seconds if self.value is None else self.value + _WEIGHT * (seconds - self.value)
